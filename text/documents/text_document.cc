// SPDX-License-Identifier: Apache-2.0

// Plain text: units of whole paragraphs, so that hard-wrapped ones can be
// joined, of a size that lets several be translated concurrently.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "text/documents/document_builder.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr size_t kMinBytes = 4 << 10;   // from which a blank line ends a unit
constexpr size_t kMaxBytes = 64 << 10;  // from which any line break does

void AddUnit(TextRange range, DocumentBuilder& builder) {
  range = Trim(builder.bytes(), range);
  const absl::string_view text = Slice(builder.bytes(), range);
  if (!HasLetter(text)) return;
  DocumentUnit unit;
  unit.text = std::string(text);
  unit.line_breaks = LineBreaks::kAutomatic;
  const size_t index = builder.AddUnit(std::move(unit), range.begin);
  builder.Replace(range, [index](DocumentBuilder::Translations translations,
                                 absl::string_view) {
    return absl::StatusOr<std::string>(translations[index]);
  });
}

}  // namespace

absl::Status ReadText(size_t begin, DocumentBuilder& builder) {
  const absl::string_view text = builder.bytes();
  size_t unit = begin;
  for (size_t at = begin; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const bool is_blank =
        absl::StripAsciiWhitespace(text.substr(at, end - at)).empty();
    if (at - unit >= (is_blank ? kMinBytes : kMaxBytes)) {
      AddUnit({unit, at}, builder);
      unit = at;
    }
    at = std::min(end + 1, text.size());
  }
  AddUnit({unit, text.size()}, builder);
  return absl::OkStatus();
}

}  // namespace sheaf
