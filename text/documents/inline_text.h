// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "text/documents/document.h"

namespace sheaf {

// A piece of a restored text. The bytes of a code are those of the file.
struct InlinePiece {
  std::string text;
  bool is_code;
};

// Text between which a file has codes of its format ("**", "</g>", "{\an8}"),
// as a unit, and back. A text without codes is a plain unit. Otherwise codes
// become tags of HTML, so that the server puts them where they belong in the
// translation: <span id="0">...</span> for a pair, <code id="1">...</code> for
// text that stays as it is, <img id="2"> for a code that stands alone, <br
// id="3"> for a line break.
//
// White space and codes at both ends stay outside of the unit.
class InlineText {
 public:
  void AddText(absl::string_view text);
  // A pair. REQUIRES: pairs are nested, and each Open() has its Close() when
  // Finish() is called.
  void Open(absl::string_view raw);
  void Close(absl::string_view raw);
  void AddCode(absl::string_view raw);
  void AddBreak(absl::string_view raw);
  // Text that is not translated. The model reads `text`; the file gets `raw`.
  void AddKept(absl::string_view raw, absl::string_view text);

  // Call once, after which nothing is added. Returns the unit, whose text is
  // empty if no text has a letter.
  DocumentUnit Finish();

  // Returns the whole text with the translation of the unit.
  //
  // INVALID_ARGUMENT if `translation` does not have each tag of the unit once,
  // nested as tags must be.
  absl::StatusOr<std::vector<InlinePiece>> Restore(
      absl::string_view translation) const;

 private:
  enum class Kind { kText, kOpen, kClose, kCode, kBreak, kKept };
  struct Item {
    Kind kind;
    std::string raw;     // text, or bytes of the code
    std::string text;    // of kKept
    size_t partner = 0;  // of kOpen and kClose: the item of the other
  };
  class Restorer;

  void TrimEnds();
  std::vector<InlinePiece> RawPieces(size_t begin, size_t end) const;

  std::vector<Item> items_;
  std::vector<size_t> open_;  // items of the pairs that are open
  size_t begin_ = 0;          // items [begin_, end_) are the unit
  size_t end_ = 0;
  std::string before_;  // white space of the unit's first and last text
  std::string after_;
  bool has_codes_ = false;  // in the unit
};

// Returns the text with characters in place of the entities of `text` that
// servers write: those of XML, &nbsp; and numbers.
std::string WithoutEntities(absl::string_view text);

// Appends `text` to `out` with '&', '<' and '>' as entities.
void AppendEscaped(absl::string_view text, std::string& out);

// Joins the bytes of all pieces.
std::string Join(const std::vector<InlinePiece>& pieces);

}  // namespace sheaf
