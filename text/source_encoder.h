// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "text/prompt_template.h"
#include "text/tokenizer.h"

namespace sheaf {

// The ids of `text` and all that surrounds it. The last ids of the text are
// dropped if there are more than `max_tokens` in total.
std::vector<int32_t> EncodeSource(
    const Tokenizer& tokenizer, const PromptTemplate& prompt,
    absl::string_view text,
    size_t max_tokens = std::numeric_limits<size_t>::max());

// The result of SourceEncoder::Encode().
struct EncodedSource {
  int64_t num_tokens = 0;
  // Empty if the text certainly has too many tokens. num_tokens is then an
  // estimate.
  std::vector<int32_t> ids;
};

// EncodeSource() for texts of any length. A long text is given up after a few
// milliseconds if it certainly has more than `max_tokens`, or if it is no
// longer wanted.
class SourceEncoder {
 public:
  // Whether a result is still wanted. Called about once per millisecond of
  // work.
  using IsWanted = absl::FunctionRef<bool()>;

  // The arguments must outlive the encoder.
  SourceEncoder(const Tokenizer& tokenizer, const PromptTemplate& prompt,
                int64_t max_tokens, IsWanted is_wanted);

  // CANCELLED if the result is no longer wanted. REQUIRES: `text` is UTF-8.
  absl::StatusOr<EncodedSource> Encode(absl::string_view text) const;

 private:
  const Tokenizer& tokenizer_;
  const PromptTemplate& prompt_;
  const int64_t max_tokens_;
  const IsWanted is_wanted_;
};

}  // namespace sheaf
