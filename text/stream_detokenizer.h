// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/tokenizer.h"

namespace sheaf {

// Turns one sequence's ids into text while they are generated.
//
// Invariants, for any ids and any split of the ids over calls:
//   1. The results of Append() and Finish(), joined, are Tokenizer::Decode() of
//      all the ids.
//   2. Each returned string is UTF-8. Later calls do not change it.
//   3. At most this is held back: the beginning of a character, of which
//      further byte tokens may follow, or all consecutive byte tokens if each
//      spoils the others (Tokenizer::BrokenBytes), and a space that is a token
//      by itself.
//   4. Unknown ids leave no double space. If there is a space before and after
//      them, or a space before them at the end of the text, one is dropped.
//   5. A call takes time linear in the ids and text of that call.
//
// Not thread-safe.
class StreamDetokenizer {
 public:
  // REQUIRES: `tokenizer` outlives this.
  explicit StreamDetokenizer(const Tokenizer& tokenizer)
      : tokenizer_(&tokenizer) {}

  // Returns the text that has become certain.
  std::string Append(int32_t id) { return Append(absl::MakeConstSpan(&id, 1)); }
  std::string Append(absl::Span<const int32_t> ids);

  // Returns the rest. No ids may follow.
  std::string Finish();

  // The whole characters that are held back and that Finish() would return.
  std::string HeldText() const;

 private:
  void AppendToken(const Tokenizer::Token& token, std::string& out);
  void AppendText(absl::string_view text, std::string& out);
  void TakeBytes(bool is_run_over, std::string& out);
  void TakeRun(std::string& out);

  const Tokenizer* tokenizer_;
  std::string bytes_;  // of consecutive byte tokens; not returned yet
  // Whether no text has been returned yet, so that a word space is dropped.
  bool is_at_start_ = true;
  bool has_space_ = false;            // a space is held back
  bool is_space_of_unknown_ = false;  // an unknown id follows that space
};

}  // namespace sheaf
