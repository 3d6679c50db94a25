// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"

namespace sheaf {

// The tokens that the output of one segment may have, if that is not the whole
// vocabulary: those that a vocabulary shortlist gives for its source. For the
// segment, other tokens do not exist: they have no logit and no probability.
//
// The runner makes it and may keep more with it, so it knows the real class.
// Immutable; only the engine thread makes and destroys it.
class OutputTokens {
 public:
  virtual ~OutputTokens() = default;
  OutputTokens(const OutputTokens&) = delete;
  OutputTokens& operator=(const OutputTokens&) = delete;

  // In ascending order, with every end token. Logit i is that of token
  // ids()[i].
  absl::Span<const int32_t> ids() const { return ids_; }

 protected:
  explicit OutputTokens(std::vector<int32_t> ids) : ids_(std::move(ids)) {}

 private:
  const std::vector<int32_t> ids_;
};

}  // namespace sheaf
