// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace sheaf {

// Decides where an output ends before the model ends it, for example at a stop
// sequence. The engine knows token ids only, so the caller implements this.
//
// Const and thread-safe: any thread of the team may call it at any time, and
// several requests may share one object.
class StopCondition {
 public:
  virtual ~StopCondition() = default;

  // Whether the output `tokens`, which met no stop so far, meets one with
  // `next`. `tokens` contains neither the start token nor `next`. Called once
  // per token of a sequence, and once per continuation of a beam that lives on.
  virtual bool IsMet(absl::Span<const int32_t> tokens, int32_t next) const = 0;
};

}  // namespace sheaf
