// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "text/documents/document.h"

namespace sheaf {

// What the readers of the formats fill.
class DocumentBuilder {
 public:
  using Translations = Document::Translations;
  using Render = Document::Render;

  explicit DocumentBuilder(std::string bytes) {
    document_.bytes_ = std::move(bytes);
  }

  absl::string_view bytes() const { return document_.bytes_; }

  // Returns the unit's index. Its line is that of the byte at `begin`, which
  // is not before that of an earlier unit.
  size_t AddUnit(DocumentUnit unit, size_t begin);

  // Replaces the bytes of `range` by what `render` returns for the translations
  // of all units. REQUIRES: the ranges come in order and do not overlap.
  void Replace(TextRange range, Render render);

  // The same with bytes that do not depend on translations.
  void ReplaceWith(TextRange range, std::string text);

  // INVALID_ARGUMENT for the byte at `at`: "line 3, column 5: MESSAGE".
  absl::Status Error(size_t at, absl::string_view message) const;

  Document Build() && { return std::move(document_); }

 private:
  int64_t LineAt(size_t at);

  Document document_;
  size_t counted_ = 0;  // the bytes before which line breaks are counted
  int64_t line_ = 1;    // the line of the byte at counted_
};

// The readers of the formats, each in its own file. `begin` is the number of
// bytes of a byte order mark.
absl::Status ReadText(size_t begin, DocumentBuilder& builder);
absl::Status ReadMarkdown(size_t begin, DocumentBuilder& builder);
absl::Status ReadMarkup(TextFormat format, size_t begin,
                        DocumentBuilder& builder);
absl::Status ReadSrt(size_t begin, DocumentBuilder& builder);
absl::Status ReadVtt(size_t begin, DocumentBuilder& builder);
absl::Status ReadPo(size_t begin, const DocumentOptions& options,
                    DocumentBuilder& builder);
absl::Status ReadXliff(size_t begin, const DocumentOptions& options,
                       DocumentBuilder& builder);
absl::Status ReadJson(size_t begin, DocumentBuilder& builder);

}  // namespace sheaf
