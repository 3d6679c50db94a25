// SPDX-License-Identifier: Apache-2.0

// HTML and XML. The server reads the tags, so that a file is one unit, or one
// for each passage if it is large.
#include <algorithm>
#include <string>
#include <vector>

#include "text/documents/document_builder.h"
#include "text/markup/markup.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// A quarter of the text that a server takes by default.
constexpr size_t kMaxUnitBytes = 256 << 10;

void AddUnit(TextRange range, TextFormat format, DocumentBuilder& builder) {
  range = Trim(builder.bytes(), range);
  const absl::string_view text = Slice(builder.bytes(), range);
  if (!HasLetter(text)) return;
  DocumentUnit unit;
  unit.text = std::string(text);
  unit.format = format;
  const size_t index = builder.AddUnit(std::move(unit), range.begin);
  builder.Replace(range, [index](DocumentBuilder::Translations translations,
                                 absl::string_view) {
    return absl::StatusOr<std::string>(translations[index]);
  });
}

// Whether a passage can be read by itself, because each of its elements has
// both tags.
bool IsWhole(const Passage& passage) {
  int num_open = 0;
  for (const InlineTag& tag : passage.tags) {
    if (tag.kind == InlineTag::Kind::kOpen) ++num_open;
    if (tag.kind == InlineTag::Kind::kClose && --num_open < 0) return false;
  }
  return num_open == 0;
}

}  // namespace

absl::Status ReadMarkup(TextFormat format, size_t begin,
                        DocumentBuilder& builder) {
  const absl::string_view bytes = builder.bytes();
  const absl::string_view text = bytes.substr(begin);
  // HTML of one unit needs no check.
  if (text.size() <= kMaxUnitBytes && format == TextFormat::kHtml) {
    AddUnit({begin, bytes.size()}, format, builder);
    return absl::OkStatus();
  }
  absl::StatusOr<MarkupText> markup =
      ParseMarkup(text, format, MarkupOptions(), [] { return true; });
  if (!markup.ok()) return markup.status();
  const bool is_one =
      text.size() <= kMaxUnitBytes ||
      (format == TextFormat::kXml &&
       !std::all_of(markup->passages.begin(), markup->passages.end(), IsWhole));
  if (is_one) {
    AddUnit({begin, bytes.size()}, format, builder);
    return absl::OkStatus();
  }
  for (size_t i = 0; i + 1 < markup->raw.size(); ++i) {
    const absl::string_view before = markup->raw[i];
    const absl::string_view after = markup->raw[i + 1];
    AddUnit({static_cast<size_t>(before.data() + before.size() - bytes.data()),
             static_cast<size_t>(after.data() - bytes.data())},
            format, builder);
  }
  return absl::OkStatus();
}

}  // namespace sheaf
