// SPDX-License-Identifier: Apache-2.0

#pragma once

// Scans of a row of logits for choosing tokens; see kernels.h.

#include "engine/kernels/kernels.h"
#include "engine/kernels/simd.inl.h"

namespace sheaf::kernels {
namespace {

void BlockMaxima(const float* x, int32_t n, float* maxima) {
  for (int32_t begin = 0; begin < n; begin += kScanBlock) {
    const int32_t end = MinOf(begin + kScanBlock, n);
    Vec best = Broadcast(-kInfinity);
    int32_t i = begin;
    for (; i + kLanes <= end; i += kLanes) best = Max(best, Load(x + i));
    float max = MaxLane(best);
    for (; i < end; ++i) max = x[i] > max ? x[i] : max;
    *maxima++ = max;
  }
}

inline Vec Weight(Vec x, float max, float scale) {
  const Vec power = (x - max) * scale;
  return power < kLeastWeightPower ? Vec{} : Exp(power);
}

double ExpWeights(const float* x, int32_t n, float max, float scale,
                  float* weights) {
  double total = 0;
  for (int32_t begin = 0; begin < n; begin += kScanBlock) {
    const int32_t end = MinOf(begin + kScanBlock, n);
    Vec sums = {};
    int32_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      const Vec weight = Weight(Load(x + i), max, scale);
      Store(weights + i, weight);
      sums += weight;
    }
    float sum = Sum(sums);
    for (; i < end; ++i) {
      weights[i] = Weight(Broadcast(x[i]), max, scale)[0];
      sum += weights[i];
    }
    total += static_cast<double>(sum);
  }
  return total;
}

}  // namespace
}  // namespace sheaf::kernels
