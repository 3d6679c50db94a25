#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "text/tokenizer.h"

namespace sheaf {

// Tells, token by token, when a text has come to a stop sequence, whatever the
// borders of its tokens. It looks at the end of the text alone, as far back as
// a stop that ends there can reach, so any number of hypotheses can be asked
// about at little cost.
//
// Thread-safe: immutable.
class StopSequences {
 public:
  // `tokenizer` is not owned. REQUIRES: no stop is empty; without a tokenizer
  // there are none.
  StopSequences(const Tokenizer* tokenizer, std::vector<std::string> stops);

  // Whether a stop sequence is complete with the last of `tokens`, and was not
  // before (which nobody asks of a text that ended there).
  bool IsStopped(absl::Span<const int32_t> tokens) const;

 private:
  // The last tokens, from one on whose text begins visibly: what the
  // detokenizer leaves out at the beginning of a text makes no difference.
  absl::Span<const int32_t> Tail(absl::Span<const int32_t> tokens) const;

  const Tokenizer* tokenizer_;
  std::vector<std::string> stops_;
  size_t longest_bytes_ = 0;
};

}  // namespace sheaf
