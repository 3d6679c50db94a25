// SPDX-License-Identifier: Apache-2.0

#include "engine/loop_guard.h"

#include <algorithm>

namespace sheaf {
namespace {

constexpr int64_t kMaxPeriod = 32;
constexpr int64_t kMinTokens = 32;
constexpr int64_t kMinRepeats = 4;

}  // namespace

bool IsLooping(absl::Span<const int32_t> tokens, int32_t next) {
  const int64_t size = static_cast<int64_t>(tokens.size()) + 1;
  for (int64_t period = 1; period <= kMaxPeriod; ++period) {
    const int64_t needed = std::max(kMinTokens, kMinRepeats * period);
    if (needed > size) return false;
    // Where nothing repeats, this is the only comparison.
    if (next != *(tokens.end() - period)) continue;
    const absl::Span<const int32_t> tail = tokens.last(needed - 1);
    if (std::equal(tail.rbegin(), tail.rend() - period,
                   tail.rbegin() + period)) {
      return true;
    }
  }
  return false;
}

}  // namespace sheaf
