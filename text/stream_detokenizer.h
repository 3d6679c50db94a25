#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/tokenizer.h"

namespace sheaf {

// Turns one sequence's ids into text while they are generated.
//
// Invariants, whatever the ids are and however they are split over calls:
//   1. What Append() and Finish() return, joined, is Tokenizer::Decode() of all
//      the ids.
//   2. Each returned string is UTF-8; nothing is taken back.
//   3. At most this is held back: the beginning of a character of which byte
//      pieces have come but not yet all, and a space that is a token by itself.
//   4. Unknown ids leave no double space: where a space comes before and after
//      them, or one before them at the end of the text, there is one less.
//   5. A call takes time linear in the ids and text of that call.
//
// Not thread-safe.
class StreamDetokenizer {
 public:
  // REQUIRES: `tokenizer` outlives this.
  explicit StreamDetokenizer(const Tokenizer& tokenizer)
      : tokenizer_(&tokenizer) {}

  // The text that is certain now and was not before.
  std::string Append(int32_t id) { return Append(absl::MakeConstSpan(&id, 1)); }
  std::string Append(absl::Span<const int32_t> ids);

  // The rest. No ids may follow.
  std::string Finish();

  // The space that is held back, which Finish() would return; else empty.
  absl::string_view held_space() const {
    return has_space_ && !is_space_of_unknown_ ? " " : "";
  }

 private:
  void AppendToken(const Tokenizer::Token& token, std::string& out);
  void AppendText(absl::string_view text, std::string& out);
  void TakeBytes(bool is_run_over, std::string& out);

  const Tokenizer* tokenizer_;
  std::string bytes_;  // of a run of byte pieces, from the first not returned
  // A word space that comes next is left out: no text has been returned yet.
  bool is_at_start_ = true;
  bool has_space_ = false;            // a space is held back
  bool is_space_of_unknown_ = false;  // and an unknown id has come after it
};

}  // namespace sheaf
