// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <concepts>

namespace sheaf {

// The smallest multiple of `unit` that is at least `n`. REQUIRES: n >= 0,
// unit > 0.
template <std::integral T>
constexpr T RoundUp(T n, T unit) {
  return (n + unit - 1) / unit * unit;
}

}  // namespace sheaf
