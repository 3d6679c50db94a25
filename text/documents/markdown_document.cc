// SPDX-License-Identifier: Apache-2.0

// Markdown. The text of each block is a unit, with its emphasis, links and code
// as tags. A paragraph of several lines is filled again to the length of its
// longest line.
#include <algorithm>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "text/documents/document_builder.h"
#include "text/documents/inline_text.h"
#include "text/documents/line_wrap.h"
#include "text/documents/markdown_blocks.h"
#include "text/documents/markdown_escape.h"
#include "text/documents/markdown_inlines.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using Labels = std::unordered_set<std::string>;

// How a block of text is written.
struct Block {
  InlineText text;
  std::string source;  // the unit's text
  size_t unit = 0;
  MarkdownEscape escape;
  std::shared_ptr<const Labels> labels;
  int64_t max_columns = 0;  // 0: one line
  std::string joint;        // a line end and the marks of the next line
};

// The text with its lines filled, and `joint` for line breaks of codes.
std::string WithLines(const std::string& text,
                      const std::vector<TextRange>& codes, const Block& block) {
  // No line is broken within a code, except where the code does so itself.
  std::string mask = text;
  for (const TextRange code : codes) {
    std::replace(mask.begin() + code.begin, mask.begin() + code.end, ' ', '_');
  }
  std::string out;
  size_t copied = 0;
  const auto add = [&](size_t end) {
    absl::StrAppend(&out,
                    absl::StripTrailingAsciiWhitespace(
                        absl::string_view(text).substr(copied, end - copied)));
    copied = end;
  };
  for (size_t line = 0; line <= mask.size();) {
    const size_t end = std::min(mask.find('\n', line), mask.size());
    const absl::string_view masked =
        absl::string_view(mask).substr(line, end - line);
    if (block.max_columns > 0) {
      for (const size_t begin :
           FillLines(masked, block.max_columns, MayContinueParagraph)) {
        add(line + begin);
        out += block.joint;
      }
    }
    out.append(text, copied, end - copied);
    copied = end + 1;
    if (end < mask.size()) out += block.joint;
    line = end + 1;
  }
  return out;
}

class MarkdownReader {
 public:
  explicit MarkdownReader(DocumentBuilder& builder)
      : builder_(builder), text_(builder.bytes()) {}

  absl::Status Run(size_t begin);

 private:
  void AddHtml(TextRange range);
  void AddBlock(const MarkdownText& text);

  DocumentBuilder& builder_;
  const absl::string_view text_;
  std::shared_ptr<const Labels> labels_;
};

absl::Status MarkdownReader::Run(size_t begin) {
  MarkdownBlocks blocks;
  size_t deep = 0;
  if (!FindMarkdownBlocks(text_, begin, blocks, deep)) {
    return builder_.Error(
        deep, absl::StrCat("block quotes and lists are nested more than ",
                           kMaxMarkdownDepth, " deep"));
  }
  labels_ = std::make_shared<const Labels>(std::move(blocks.labels));
  for (const MarkdownText& text : blocks.texts) {
    if (text.kind == MarkdownText::Kind::kHtml) {
      AddHtml(text.lines[0]);
    } else {
      AddBlock(text);
    }
  }
  return absl::OkStatus();
}

void MarkdownReader::AddHtml(TextRange range) {
  const absl::string_view html = Slice(text_, range);
  // A block may be tags and nothing else.
  bool has_letter = false;
  for (size_t at = 0; at < html.size() && !has_letter;) {
    const size_t tag = std::min(html.find('<', at), html.size());
    has_letter = HasLetter(html.substr(at, tag - at));
    const size_t end = std::min(html.find('>', tag), html.size());
    at = end + 1;
  }
  if (!has_letter) return;
  DocumentUnit unit;
  unit.text = std::string(html);
  unit.format = TextFormat::kHtml;
  const size_t index = builder_.AddUnit(std::move(unit), range.begin);
  builder_.Replace(range, [index](DocumentBuilder::Translations translations,
                                  absl::string_view) {
    return absl::StatusOr<std::string>(translations[index]);
  });
}

void MarkdownReader::AddBlock(const MarkdownText& text) {
  std::string joined;
  int64_t max_columns = 0;
  for (size_t i = 0; i < text.lines.size(); ++i) {
    const absl::string_view line = Slice(text_, text.lines[i]);
    absl::StrAppend(&joined, i > 0 ? "\n" : "", line);
    max_columns = std::max(max_columns, NumColumns(line));
  }
  Block block;
  AddMarkdown(joined, *labels_, block.text);
  DocumentUnit unit = block.text.Finish();
  if (unit.text.empty()) return;
  block.source = unit.text;
  block.labels = labels_;
  block.escape.is_paragraph = text.kind == MarkdownText::Kind::kParagraph;
  block.escape.is_cell = text.kind == MarkdownText::Kind::kCell;
  block.escape.is_heading = text.kind == MarkdownText::Kind::kHeading;
  if (text.lines.size() > 1) {
    block.max_columns = max_columns;
    block.joint =
        std::string(Slice(text_, {text.lines[0].end, text.lines[1].begin}));
  }
  const TextRange range{text.lines.front().begin, text.lines.back().end};
  block.unit = builder_.AddUnit(std::move(unit), range.begin);
  builder_.Replace(range,
                   [block = std::move(block)](
                       DocumentBuilder::Translations translations,
                       absl::string_view raw) -> absl::StatusOr<std::string> {
                     const std::string& translation = translations[block.unit];
                     if (translation == block.source) return std::string(raw);
                     absl::StatusOr<std::vector<InlinePiece>> pieces =
                         block.text.Restore(translation);
                     if (!pieces.ok()) return pieces.status();
                     std::vector<TextRange> codes;
                     const std::string written = WriteMarkdown(
                         *pieces, block.escape, *block.labels, codes);
                     return WithLines(written, codes, block);
                   });
}

}  // namespace

absl::Status ReadMarkdown(size_t begin, DocumentBuilder& builder) {
  return MarkdownReader(builder).Run(begin);
}

}  // namespace sheaf
