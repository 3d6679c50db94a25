// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/line_breaks.h"
#include "text/marks.h"
#include "text/markup/markup.h"

namespace sheaf {

enum class DocumentFormat {
  kText,
  kMarkdown,
  kHtml,
  kXml,
  kSrt,
  kVtt,
  kPo,
  kXliff,
  kJson,
};

// The format that is called `name` ("markdown"), or that files with the
// extension of `path` have ("README.md"); nullopt if there is none.
std::optional<DocumentFormat> DocumentFormatOfName(absl::string_view name);
std::optional<DocumentFormat> DocumentFormatOfPath(absl::string_view path);
absl::string_view NameOf(DocumentFormat format);
// "text, markdown, html, ..."
std::string DocumentFormatNames();

struct DocumentOptions {
  // A BCP 47 tag. PO and XLIFF name it in their headers, and it tells the
  // plural forms that PO needs.
  std::string target_language = "";
  // Whether messages of PO and XLIFF that have a translation are translated
  // again.
  bool retranslate = false;
  // Whether translations are marked for review: "fuzzy" in PO, the state
  // "needs-review-translation" in XLIFF 1.2.
  bool mark_for_review = true;
};

// A text of a document to translate with one request.
struct DocumentUnit {
  std::string text;  // UTF-8 with at least one letter
  TextFormat format = TextFormat::kPlain;
  LineBreaks line_breaks = LineBreaks::kKeep;
  std::vector<std::string> do_not_translate;  // parts of `text`
  int64_t line = 0;  // of the document, from 1, where the unit begins
};

// The parts of a file that are to be translated, and the file that has their
// translations in their places.
//
// Invariants:
//   1. Bytes that belong to no unit are in the output as they are in the input,
//      except for the marks of new translations (DocumentOptions) and, in PO
//      and XLIFF, header fields without a value.
//   2. If all translations equal their texts, the output is the input, except
//      in PO and XLIFF, whose translations stand in another place.
//   3. Parse() and Write() take time and memory linear in the file, and no
//      stack that grows with it.
//
// Immutable, thus thread-safe.
class Document {
 public:
  // Reads a file in UTF-8, with or without a byte order mark.
  //
  // INVALID_ARGUMENT if the bytes are not UTF-8 or not of the format. The
  // message begins with "line L, column C: ", where columns are bytes. In XML
  // it ends with "at line L, column C" instead.
  static absl::StatusOr<Document> Parse(DocumentFormat format,
                                        std::string bytes,
                                        const DocumentOptions& options);

  const std::vector<DocumentUnit>& units() const { return units_; }

  // Returns the file with `translations`, one for each unit.
  //
  // INVALID_ARGUMENT if one does not have exactly the tags of its unit; the
  // message begins with the unit's line.
  absl::StatusOr<std::string> Write(
      absl::Span<const std::string> translations) const;

 private:
  friend class DocumentBuilder;
  using Translations = absl::Span<const std::string>;
  // Returns what replaces a range, whose bytes are `raw`.
  using Render = std::function<absl::StatusOr<std::string>(
      Translations, absl::string_view raw)>;
  struct Edit {
    TextRange range;
    int64_t line;
    Render render;
  };

  std::string bytes_;
  std::vector<DocumentUnit> units_;
  std::vector<Edit> edits_;  // in the order of their ranges
};

}  // namespace sheaf
