// SPDX-License-Identifier: Apache-2.0

// HTML and XML: the server reads the tags, so that the file is one unit.
#include "text/documents/document_builder.h"
#include "text/utf8.h"

namespace sheaf {

absl::Status ReadMarkup(TextFormat format, size_t begin,
                        DocumentBuilder& builder) {
  const TextRange range =
      Trim(builder.bytes(), {begin, builder.bytes().size()});
  const absl::string_view text = Slice(builder.bytes(), range);
  if (!HasLetter(text)) return absl::OkStatus();
  DocumentUnit unit;
  unit.text = std::string(text);
  unit.format = format;
  const size_t index = builder.AddUnit(std::move(unit), range.begin);
  builder.Replace(range, [index](DocumentBuilder::Translations translations,
                                 absl::string_view) {
    return absl::StatusOr<std::string>(translations[index]);
  });
  return absl::OkStatus();
}

}  // namespace sheaf
