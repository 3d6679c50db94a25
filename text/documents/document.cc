// SPDX-License-Identifier: Apache-2.0

#include "text/documents/document.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "text/documents/document_builder.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct FormatName {
  DocumentFormat format;
  absl::string_view name;
  std::vector<absl::string_view> extensions;
};

const std::vector<FormatName>& FormatTable() {
  static const auto& table = *new std::vector<FormatName>{
      {DocumentFormat::kText, "text", {"txt", "text"}},
      {DocumentFormat::kMarkdown, "markdown", {"md", "markdown", "mkd"}},
      {DocumentFormat::kHtml, "html", {"html", "htm", "xhtml"}},
      {DocumentFormat::kXml, "xml", {"xml"}},
      {DocumentFormat::kSrt, "srt", {"srt"}},
      {DocumentFormat::kVtt, "vtt", {"vtt"}},
      {DocumentFormat::kPo, "po", {"po", "pot"}},
      {DocumentFormat::kXliff, "xliff", {"xlf", "xliff"}},
      {DocumentFormat::kJson, "json", {"json", "arb"}},
  };
  return table;
}

const FormatName& EntryOf(DocumentFormat format) {
  const auto& table = FormatTable();
  const auto entry =
      std::find_if(table.begin(), table.end(),
                   [&](const FormatName& f) { return f.format == format; });
  SHEAF_CHECK(entry != table.end());
  return *entry;
}

// The number of bytes at the beginning of `text` that are UTF-8.
size_t ValidSize(absl::string_view text) {
  size_t low = 0;
  // Blocks, so that the text is validated once.
  constexpr size_t kBlock = 4096;
  while (low < text.size()) {
    absl::string_view block = text.substr(low, kBlock);
    if (low + block.size() < text.size()) {
      // A character that the block's end divides belongs to the next block.
      size_t end = block.size();
      while (end > 0 && block.size() - end < 4 &&
             (static_cast<uint8_t>(text[low + end]) & 0xC0) == 0x80) {
        --end;
      }
      if (end > 0) block = block.substr(0, end);
    }
    if (!IsValidUtf8(block)) break;
    low += block.size();
  }
  while (low < text.size()) {
    const absl::string_view one =
        text.substr(low, CharacterSize(static_cast<uint8_t>(text[low])));
    if (!IsValidUtf8(one)) break;
    low += one.size();
  }
  return low;
}

absl::Status CheckEncoding(const DocumentBuilder& builder) {
  const absl::string_view bytes = builder.bytes();
  for (absl::string_view mark : {"\xFF\xFE", "\xFE\xFF"}) {
    if (absl::StartsWith(bytes, mark)) {
      return builder.Error(
          0, "the file is in UTF-16; only UTF-8 is read (iconv converts it)");
    }
  }
  const size_t valid = ValidSize(bytes);
  if (valid == bytes.size()) return absl::OkStatus();
  return builder.Error(
      valid,
      "the file is not in UTF-8; no other encoding is read (iconv "
      "converts it)");
}

absl::Status Read(DocumentFormat format, size_t begin,
                  const DocumentOptions& options, DocumentBuilder& builder) {
  switch (format) {
    case DocumentFormat::kText:
      return ReadText(begin, builder);
    case DocumentFormat::kMarkdown:
      return ReadMarkdown(begin, builder);
    case DocumentFormat::kHtml:
      return ReadMarkup(TextFormat::kHtml, begin, builder);
    case DocumentFormat::kXml:
      return ReadMarkup(TextFormat::kXml, begin, builder);
    case DocumentFormat::kSrt:
      return ReadSrt(begin, builder);
    case DocumentFormat::kVtt:
      return ReadVtt(begin, builder);
    case DocumentFormat::kPo:
      return ReadPo(begin, options, builder);
    case DocumentFormat::kXliff:
      return ReadXliff(begin, options, builder);
    case DocumentFormat::kJson:
      return ReadJson(begin, builder);
  }
  return absl::InvalidArgumentError("no such format");
}

}  // namespace

std::optional<DocumentFormat> DocumentFormatOfName(absl::string_view name) {
  for (const FormatName& entry : FormatTable()) {
    if (entry.name == name) return entry.format;
  }
  return std::nullopt;
}

std::optional<DocumentFormat> DocumentFormatOfPath(absl::string_view path) {
  const absl::string_view name = path.substr(path.rfind('/') + 1);
  const size_t dot = name.rfind('.');
  if (dot == absl::string_view::npos) return std::nullopt;
  const std::string extension = absl::AsciiStrToLower(name.substr(dot + 1));
  for (const FormatName& entry : FormatTable()) {
    const auto& all = entry.extensions;
    if (std::find(all.begin(), all.end(), extension) != all.end()) {
      return entry.format;
    }
  }
  return std::nullopt;
}

absl::string_view NameOf(DocumentFormat format) { return EntryOf(format).name; }

std::string DocumentFormatNames() {
  std::string names;
  for (const FormatName& entry : FormatTable()) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", entry.name);
  }
  return names;
}

absl::StatusOr<Document> Document::Parse(DocumentFormat format,
                                         std::string bytes,
                                         const DocumentOptions& options) {
  DocumentBuilder builder(std::move(bytes));
  if (absl::Status status = CheckEncoding(builder); !status.ok()) return status;
  const size_t begin = absl::StartsWith(builder.bytes(), kByteOrderMark)
                           ? kByteOrderMark.size()
                           : 0;
  absl::Status status = Read(format, begin, options, builder);
  if (!status.ok()) return status;
  return std::move(builder).Build();
}

absl::StatusOr<std::string> Document::Write(Translations translations) const {
  SHEAF_CHECK(translations.size() == units_.size());
  std::string out;
  out.reserve(bytes_.size());
  size_t copied = 0;
  for (const Edit& edit : edits_) {
    out.append(bytes_, copied, edit.range.begin - copied);
    copied = edit.range.end;
    absl::StatusOr<std::string> text =
        edit.render(translations, Slice(bytes_, edit.range));
    if (!text.ok()) {
      return absl::Status(
          text.status().code(),
          absl::StrCat("line ", edit.line, ": ", text.status().message()));
    }
    out += *text;
  }
  out.append(bytes_, copied);
  return out;
}

size_t DocumentBuilder::AddUnit(DocumentUnit unit, size_t begin) {
  unit.line = LineAt(begin);
  document_.units_.push_back(std::move(unit));
  return document_.units_.size() - 1;
}

void DocumentBuilder::Replace(TextRange range, Render render) {
  SHEAF_CHECK(document_.edits_.empty() ||
              document_.edits_.back().range.end <= range.begin);
  document_.edits_.push_back({range, line_, std::move(render)});
}

void DocumentBuilder::ReplaceWith(TextRange range, std::string text) {
  Replace(range, [text = std::move(text)](Translations, absl::string_view) {
    return absl::StatusOr<std::string>(text);
  });
}

absl::Status DocumentBuilder::Error(size_t at,
                                    absl::string_view message) const {
  const absl::string_view before = bytes().substr(0, at);
  const size_t line_begin = before.rfind('\n') + 1;  // 0 without a line break
  const int64_t line = 1 + std::count(before.begin(), before.end(), '\n');
  return absl::InvalidArgumentError(absl::StrCat(
      "line ", line, ", column ", at - line_begin + 1, ": ", message));
}

int64_t DocumentBuilder::LineAt(size_t at) {
  if (at > counted_) {
    const absl::string_view between = bytes().substr(counted_, at - counted_);
    line_ += std::count(between.begin(), between.end(), '\n');
    counted_ = at;
  }
  return line_;
}

}  // namespace sheaf
