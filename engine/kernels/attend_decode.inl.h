// SPDX-License-Identifier: Apache-2.0

#pragma once

// Attention over KV blocks; see DecodeAttention in kernels.h.

#include "engine/kernels/attention.inl.h"
#include "engine/kernels/gemm.inl.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/simd.inl.h"

namespace sheaf::kernels {
namespace {

constexpr float kOnes[kScoredRows] = {1, 1, 1, 1, 1, 1};

// Adds 16 scores of a row, of which the first n are valid, to its part. The
// scores become weights relative to the maximum score so far.
template <bool kHasSoftcap>
inline void TakeScores(float* scores, float softcap, const float* bias,
                       int32_t n, int32_t dim, float* part) {
  constexpr int kVecs = kVecsPerPanel;
  if constexpr (kHasSoftcap) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) {
      Store(scores + v * kLanes, SoftCap(Load(scores + v * kLanes), softcap));
    }
  }
  if (n < kPanel) {
    for (int32_t t = 0; bias != nullptr && t < n; ++t) scores[t] += bias[t];
    for (int32_t t = n; t < kPanel; ++t) scores[t] = -kInfinity;
    bias = nullptr;
  }
  Vec score[kVecs], greatest = Broadcast(-kInfinity);
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; ++v) {
    score[v] = Load(scores + v * kLanes);
    if (bias != nullptr) score[v] += Load(bias + v * kLanes);
    greatest = Max(greatest, score[v]);
  }
  float& max = part[dim];
  float* sums = part + dim + kPanel;
  if (AnyAbove(greatest, max)) {
    const float new_max = MaxLane(greatest);
    const float factor = Exp(Broadcast(max - new_max))[0];
    ScaleRow(part, dim, factor);
    ScaleRow(sums, kPanel, factor);
    max = new_max;
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; ++v) {
    const Vec weights = Exp(score[v] - max);
    Store(scores + v * kLanes, weights);
    Store(sums + v * kLanes, Load(sums + v * kLanes) + weights);
  }
}

// Visits the tokens in panels of 16, for each panel all heads, and for each
// head first the keys and then the values. This is their order in memory.
template <typename Kv, bool kHasSoftcap>
void AttendDecodeIn(const DecodeAttention& a) {
  const int32_t num_queries = a.num_kv_heads * a.num_rows;
  const int64_t part_stride = PartFloats(a.dim);
  const int64_t panel_bytes = int64_t{kPanel} * a.dim * Kv::kBytes;
  const int64_t to_values = a.kv.block_tokens / kPanel * panel_bytes;
  for (int32_t i = 0; i < num_queries; ++i) {
    float* part = a.parts + i * part_stride;
    ClearRow(part, static_cast<int32_t>(part_stride));
    part[a.dim] = -kInfinity;
    Kv::Prepare(a.q + i * a.dim, a.dim);
  }
  const auto head_zero = [&](int32_t token) {
    return a.kv.base +
           a.kv.block_ids[token / a.kv.block_tokens] * a.kv.block_stride +
           token % a.kv.block_tokens / kPanel * panel_bytes;
  };
  alignas(64) float scores[kMaxValueRows * kPanel];
  for (int32_t t = a.begin; t < a.end; t += kPanel) {
    const int32_t n = MinOf(kPanel, a.end - t);
    const char* keys = head_zero(t);
    for (int32_t head = 0; head < a.num_kv_heads; ++head) {
      const char* next = head + 1 < a.num_kv_heads ? keys + a.kv.head_stride
                         : t + kPanel < a.end      ? head_zero(t + kPanel)
                                                   : a.next;
      const PanelPair k = {reinterpret_cast<const float*>(keys),
                           reinterpret_cast<const float*>(next)};
      const PanelPair v = {reinterpret_cast<const float*>(keys + to_values),
                           reinterpret_cast<const float*>(next + to_values)};
      const int32_t first = head * a.num_rows;
      ForRowBlocks<kMaxValueRows>(
          first, first + a.num_rows, [&]<int R>(int32_t row) {
            ScorePanels<Kv, R, 1, true>(a.q + row * a.dim, a.dim, a.dim, &k,
                                        scores, kPanel);
            float* part = a.parts + row * part_stride;
            for (int32_t r = 0; r < R; ++r) {
              TakeScores<kHasSoftcap>(
                  scores + r * kPanel, a.softcap,
                  a.bias ? a.bias + (row + r) * a.bias_stride + t : nullptr, n,
                  a.dim, part + r * part_stride);
              Kv::Prepare(scores + r * kPanel, n);
            }
            AddValues<Kv, R, true>(scores, kPanel, kOnes, v, a.dim, n, part,
                                   part_stride);
          });
      keys = next;
    }
  }
  for (int32_t i = 0; i < num_queries; ++i) {
    float* part = a.parts + i * part_stride;
    float sum = 0;
    for (int32_t t = 0; t < kPanel; ++t) sum += part[a.dim + kPanel + t];
    part[a.dim + 1] = sum;
  }
}

template <typename Kv>
void AttendDecodeIn(const DecodeAttention& a) {
  if (a.softcap != 0) {
    AttendDecodeIn<Kv, true>(a);
  } else {
    AttendDecodeIn<Kv, false>(a);
  }
}

void AttendDecode(const DecodeAttention& a) {
  if (a.kv.type == KvType::kBf16) {
    AttendDecodeIn<Bf16Kv>(a);
  } else {
    AttendDecodeIn<F32Kv>(a);
  }
}

template <typename Kv>
void ScoreKeysIn(const KeyScores& a) {
  const int64_t panel_bytes = int64_t{kPanel} * a.dim * Kv::kBytes;
  const int64_t ld = RoundUp(a.len, kPanel);
  for (int32_t row = 0; row < a.num_rows; ++row) {
    Kv::Prepare(a.q + row * a.dim, a.dim);
  }
  for (int32_t t = 0; t < a.len; t += kPanel) {
    const float* keys = reinterpret_cast<const float*>(
        a.kv.base + a.kv.block_ids[t / a.kv.block_tokens] * a.kv.block_stride +
        t % a.kv.block_tokens / kPanel * panel_bytes);
    const PanelPair k = {keys, keys};
    ForRowBlocks<kMaxValueRows>(0, a.num_rows, [&]<int R>(int32_t row) {
      ScorePanels<Kv, R, 1, false>(a.q + row * a.dim, a.dim, a.dim, &k,
                                   a.scores + row * ld + t, ld);
    });
  }
}

void ScoreKeys(const KeyScores& a) {
  if (a.kv.type == KvType::kBf16) {
    ScoreKeysIn<Bf16Kv>(a);
  } else {
    ScoreKeysIn<F32Kv>(a);
  }
}

void JoinParts(const float* parts, int64_t stride, int32_t num_parts,
               int32_t dim, float* out) {
  if (num_parts == 1) {  // its weight is 1
    const float scale = 1.0f / parts[dim + 1];
    for (int32_t i = 0; i < dim; ++i) out[i] = parts[i] * scale;
    return;
  }
  float max = -kInfinity;
  for (int32_t p = 0; p < num_parts; ++p) {
    const float part_max = parts[p * stride + dim];
    max = part_max > max ? part_max : max;
  }
  ClearRow(out, dim);
  float sum = 0;
  for (int32_t p = 0; p < num_parts; ++p) {
    const float* part = parts + p * stride;
    const float weight = Exp(Broadcast(part[dim] - max))[0];
    sum += weight * part[dim + 1];
    for (int32_t i = 0; i < dim; ++i) out[i] += weight * part[i];
  }
  ScaleRow(out, dim, 1.0f / sum);
}

}  // namespace
}  // namespace sheaf::kernels
