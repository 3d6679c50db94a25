// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "text/pattern_finder.h"

namespace sheaf {

// The special tokens of a model that a text may yield. This depends on the
// author of the text.
enum class SpecialTokens : uint8_t {
  kNone,       // a user's text for a task, in which "<extra_id_0>" is text
  kSentinels,  // a user's text in the model's own language
  kAll,        // a prompt by the author of the model
};

// A string that is one token anywhere in a text, in addition to the pieces.
struct AddedToken {
  // A text yields this token only if it is allowed at least this.
  SpecialTokens needs = SpecialTokens::kNone;
  bool is_special = false;   // has no text in an output
  bool single_word = false;  // not within a word
  bool strips_left = false;  // takes the white space before it
  bool strips_right = false;
  bool is_normalized = false;  // found in the normalized text
  int32_t id = -1;
  std::string text;
};

// The ids around each text that a model reads.
struct SurroundingIds {
  std::vector<int32_t> before, after;
};

// A part of a text: an added token, or the text between two of them.
struct TextPart {
  absl::string_view text;
  const AddedToken* token = nullptr;  // null: no token
};

// Splits texts at added tokens as the tokenizers library does: the longest
// token at the leftmost place wins, and white space that a token strips is part
// of it. A token that a text may not yield is text, and so are the tokens that
// overlap it.
//
// Thread-safe: immutable.
class AddedTokenSplitter {
 public:
  // `patterns` has the string of each token in the text, in the same order. The
  // tokens are not owned. REQUIRES: the conditions of PatternFinder.
  AddedTokenSplitter(std::vector<const AddedToken*> tokens,
                     const std::vector<absl::string_view>& patterns);

  bool is_empty() const { return tokens_.empty(); }

  // The first `prefix_size` bytes of `text` may yield all tokens, and the rest
  // only those in `allowed`. Takes time linear in the text. REQUIRES: `text` is
  // UTF-8.
  std::vector<TextPart> Split(absl::string_view text, size_t prefix_size,
                              SpecialTokens allowed) const;

 private:
  const std::vector<const AddedToken*> tokens_;
  const PatternFinder finder_;
};

}  // namespace sheaf
