// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "engine/stop_condition.h"
#include "text/tokenizer.h"

namespace sheaf {

// Is met by the token that completes one of several stop sequences in the text,
// wherever the text is cut into tokens. Looks at the end of the text only, as
// far back as a stop that ends there can reach, so the check costs little even
// for many hypotheses.
//
// Thread-safe: immutable.
class StopSequences : public StopCondition {
 public:
  // Null if there are no stops. `tokenizer` is not owned and must outlive the
  // result. REQUIRES: no stop is empty; without a tokenizer there are none.
  static std::shared_ptr<const StopCondition> Make(
      const Tokenizer* tokenizer, std::vector<std::string> stops);

  // As Make(). REQUIRES: there is at least one stop.
  StopSequences(const Tokenizer& tokenizer, std::vector<std::string> stops);

  bool IsMet(absl::Span<const int32_t> tokens, int32_t next) const override;

 private:
  // The last of `tokens`, with at least `num_bytes`. They begin with visible
  // text, because the detokenizer leaves out spaces at the beginning of a text.
  absl::Span<const int32_t> Tail(absl::Span<const int32_t> tokens,
                                 size_t num_bytes) const;

  const Tokenizer& tokenizer_;
  const std::vector<std::string> stops_;
  size_t longest_bytes_ = 0;
};

}  // namespace sheaf
