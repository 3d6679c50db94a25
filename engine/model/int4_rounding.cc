// SPDX-License-Identifier: Apache-2.0

#include "engine/model/int4_rounding.h"

#include <cmath>
#include <limits>
#include <utility>

#include "base/bf16.h"

namespace sheaf {
namespace {

constexpr int kGroup = kernels::kInt4Group;
// Sums are kept apart by index modulo kLanes, so that the compiler can use
// vectors without a change of the result.
constexpr int kLanes = 8;
// 1.5 * 2^23. A number that is added to it is rounded to an integer, ties to
// even.
constexpr float kRounder = 12582912.0f;

struct Try {
  uint16_t scale = 0;
  float error = 0;       // the sum of squares
  float best_scale = 0;  // of the least squares; 0 if all values are 0
  float values[kGroup] = {};
};

float Sum(const float (&lanes)[kLanes]) {
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

Try TryScale(const float (&weights)[kGroup], float wanted_scale) {
  Try result;
  result.scale = ToBf16(wanted_scale);
  float scale = FromBf16(result.scale);
  if (std::abs(scale) < std::numeric_limits<float>::min()) {
    result.scale = 0;
    scale = 0;
  }
  const float inverse = scale == 0 ? 0 : 1 / scale;
  float error[kLanes] = {}, products[kLanes] = {}, squares[kLanes] = {};
  for (int i = 0; i < kGroup; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const float weight = weights[i + lane];
      float value = weight * inverse;
      value = value < -8 ? -8 : value;
      value = value > 7 ? 7 : value;
      value = value + kRounder - kRounder;
      const float rest = weight - value * scale;
      error[lane] += rest * rest;
      products[lane] += weight * value;
      squares[lane] += value * value;
      result.values[i + lane] = value;
    }
  }
  result.error = Sum(error);
  const float sum_of_squares = Sum(squares);
  if (sum_of_squares > 0) result.best_scale = Sum(products) / sum_of_squares;
  return result;
}

}  // namespace

Int4Weights RoundToInt4(const float (&weights)[kGroup]) {
  float largest = 0;
  for (const float weight : weights) {
    if (std::abs(weight) > std::abs(largest)) largest = weight;
  }
  Try best = TryScale(weights, largest / -8);
  const auto consider = [&](const Try& other) {
    if (other.error < best.error) best = other;
  };
  consider(TryScale(weights, best.best_scale));
  for (const float divisor : {-8.5f, 7.0f}) {
    const Try first = TryScale(weights, largest / divisor);
    consider(first);
    consider(TryScale(weights, first.best_scale));
  }
  Int4Weights rounded;
  rounded.scale = best.scale;
  for (int i = 0; i < kGroup; ++i) {
    rounded.values[i] = static_cast<int8_t>(best.values[i]);
  }
  return rounded;
}

}  // namespace sheaf
