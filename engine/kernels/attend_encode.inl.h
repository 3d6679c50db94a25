// SPDX-License-Identifier: Apache-2.0

#pragma once

// Attention over a packed source; see EncodeAttention in kernels.h.

#include "engine/kernels/attention.inl.h"
#include "engine/kernels/gemm.inl.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/simd.inl.h"

namespace sheaf::kernels {
namespace {

// The integer nearest to x, which is within +-kInt16Bound, as the low 16 bits
// of a word.
inline uint32_t RoundedInt16(float x) {
  const float shifted = x + kRounder;
  uint32_t bits;
  __builtin_memcpy(&bits, &shifted, sizeof(bits));
  return bits & 0xffff;
}

// Used by the encoder only. The first kLanes of each 2 * kLanes values are the
// low halves of words, and the others the high halves. Dimensions are multiples
// of 2 * kLanes. Values past n have no effect.
struct Int16Kv {
  static constexpr int64_t kBytes = 2;
  static constexpr bool kAnyDim = false;
  static constexpr float kUnit = 1 / kInt16Bound;
  template <int R, int P, bool kPrefetch>
  static inline __attribute__((always_inline)) void Add(
      const float* x, int64_t ldx, int32_t n, const Streams<P>& b, int64_t ldb,
      Vec (&sum)[R][P][kVecsPerPanel]) {
    TileInt16<R, P>(reinterpret_cast<const int32_t*>(x), ldx,
                    RoundUp(n, 2 * kLanes) / 2, b, ldb, sum);
  }
  // REQUIRES: the values are within [-1, 1].
  static void Prepare(float* x, int32_t n) {
    for (int32_t k = 0; k < n; k += 2 * kLanes) {
      const Vec low = Load(x + k) * kInt16Bound + kRounder;
      const Vec high = k + kLanes < n
                           ? Load(x + k + kLanes) * kInt16Bound + kRounder
                           : Vec{};
      Store(x + k / 2,
            reinterpret_cast<Vec>((reinterpret_cast<IntVec>(low) & 0xffff) |
                                  (reinterpret_cast<IntVec>(high) << 16)));
    }
  }
  static int32_t WordOf(int32_t k) {
    return k / (2 * kLanes) * kLanes + k % kLanes;
  }
};

// Completes the products of a query with n keys, the first of which is at the
// relative position `offset`: scores[t] = cap(scores[t] * scale) + bias[offset
// + t]. Returns the maximum. The rest of the last vector becomes -infinity.
template <bool kHasSoftcap, bool kHasBias>
float FinishScores(float* scores, float scale, float softcap, const float* bias,
                   int32_t offset, int32_t n) {
  if constexpr (kHasBias) bias += offset;
  int32_t t = 0;
  for (; t + kLanes <= n; t += kLanes) {
    Vec score = Load(scores + t) * scale;
    if constexpr (kHasSoftcap) score = SoftCap(score, softcap);
    if constexpr (kHasBias) score += Load(bias + t);
    Store(scores + t, score);
  }
  for (; t < n; ++t) {
    float score = scores[t] * scale;
    if constexpr (kHasSoftcap) score = SoftCap(Broadcast(score), softcap)[0];
    if constexpr (kHasBias) score += bias[t];
    scores[t] = score;
  }
  const int32_t padded = RoundUp(n, kLanes);
  for (t = n; t < padded; ++t) scores[t] = -kInfinity;
  Vec max = Broadcast(-kInfinity);
  for (t = 0; t < padded; t += kLanes) max = Max(max, Load(scores + t));
  return MaxLane(max);
}

auto FinishScoresFor(const EncodeAttention& a) {
  const bool has_bias = a.bias != nullptr;
  if (a.softcap != 0) {
    return has_bias ? FinishScores<true, true> : FinishScores<true, false>;
  }
  return has_bias ? FinishScores<false, true> : FinishScores<false, false>;
}

// scores[t] = exp(scores[t] - max) for t < n; returns their sum.
float ExpInPlace(float* scores, int32_t n, float max) {
  const int32_t padded = RoundUp(n, kLanes);
  Vec sum = {};
  for (int32_t t = 0; t < padded; t += kLanes) {
    const Vec e = Exp(Load(scores + t) - max);
    Store(scores + t, e);
    sum += e;
  }
  return Sum(sum);
}

// Scores R rows against all panels of a part of the keys, P panels at a time.
template <typename Kv, int R, int P>
inline void ScoreAllPanels(const float* q, int32_t dim, const float* keys,
                           int32_t num_panels, float* scores, int64_t ld) {
  const int64_t panel_floats = int64_t{dim} * kPanel * Kv::kBytes / 4;
  int32_t i = 0;
  for (; i + P <= num_panels; i += P) {
    PanelPair panels[P];
    for (int p = 0; p < P; ++p) {
      panels[p].at = panels[p].next = keys + (i + p) * panel_floats;
    }
    ScorePanels<Kv, R, P, false>(q, dim, dim, panels, scores + i * kPanel, ld);
  }
  if constexpr (P > 1) {
    if (i < num_panels) {
      ScoreAllPanels<Kv, R, 1>(q, dim, keys + i * panel_floats, num_panels - i,
                               scores + i * kPanel, ld);
    }
  }
}

// Converts a row of queries to the type; returns the size of its unit.
template <typename Kv>
float PrepareQuery(float* q, int32_t dim) {
  float unit = 1;
  if constexpr (Kv::kUnit != 1) {
    const float max = MaxMagnitude(q, dim);
    ScaleRow(q, dim, max > 0 ? 1 / max : 0);
    unit = max * Kv::kUnit;
  }
  Kv::Prepare(q, dim);
  return unit;
}

// Tokens of a part, counted from its first token.
struct TokenRange {
  int32_t begin, end;
};

// The tokens of the part of n tokens that begins at `part`, without those that
// none of the rows may see. The range begins at a multiple of all groups of
// tokens that lie side by side; it may be empty.
inline TokenRange VisibleTokens(const EncodeAttention& a, int32_t part,
                                int32_t n, int32_t row, int32_t num_rows) {
  constexpr int32_t kGroup = 32;
  return {MaxOf(row - a.back - part, 0) / kGroup * kGroup,
          MinOf(row + num_rows + a.ahead - part, n)};
}

// The softmax of each row is kept relative to its maximum score so far, but the
// weights of a part are relative to the maximum of that part. Otherwise narrow
// types would round the weights of a part to 0 if another part has a much
// greater score.
template <typename Kv>
void AttendEncodeIn(const EncodeAttention& a) {
  float* all_scores = a.scratch;
  float* q = a.scratch + int64_t{kMaxValueRows} * kContextPart;
  float unit[kQueryRows], max[kQueryRows], sum[kQueryRows];
  const auto finish_scores = FinishScoresFor(a);
  for (int32_t first = a.first_row; first < a.end_row; first += kQueryRows) {
    const int32_t end = MinOf(first + kQueryRows, a.end_row);
    for (int32_t row = first; row < end; ++row) {
      float* q_row = q + int64_t{row - first} * a.dim;
      for (int32_t i = 0; i < a.dim; ++i) q_row[i] = a.q[row * a.q_stride + i];
      unit[row - first] =
          PrepareQuery<Kv>(q_row, a.dim) * a.units.k * a.score_scale;
      ClearRow(a.out + row * a.out_stride, a.dim);
      max[row - first] = -kInfinity;
      sum[row - first] = 0;
    }
    for (int32_t t = 0; t < a.len; t += kContextPart) {
      const int32_t part_tokens = MinOf(kContextPart, a.len - t);
      ForRowBlocks<kMaxValueRows>(first, end, [&]<int R>(int32_t row) {
        const TokenRange range = VisibleTokens(a, t, part_tokens, row, R);
        const int32_t n = range.end - range.begin;
        if (n <= 0) return;
        const int32_t first_token = t + range.begin;
        const int64_t offset = int64_t{first_token} * a.dim * Kv::kBytes;
        const auto* keys = reinterpret_cast<const float*>(a.k_panels + offset);
        const auto* v = reinterpret_cast<const float*>(a.v + offset);
        ScoreAllPanels<Kv, R, PanelsFor<F32Product>(R)>(
            q + int64_t{row - first} * a.dim, a.dim, keys,
            (n + kPanel - 1) / kPanel, all_scores, kContextPart);
        float factors[R];
        for (int32_t r = 0; r < R; ++r) {
          float* scores = all_scores + r * kContextPart;
          float& row_max = max[row + r - first];
          float& row_sum = sum[row + r - first];
          const float part_max =
              finish_scores(scores, unit[row + r - first], a.softcap, a.bias,
                            first_token - (row + r), n);
          if (part_max > row_max) {
            const float factor = Exp(Broadcast(row_max - part_max))[0];
            ScaleRow(a.out + (row + r) * a.out_stride, a.dim, factor);
            row_sum *= factor;
            row_max = part_max;
          }
          factors[r] = Exp(Broadcast(part_max - row_max))[0];
          row_sum += factors[r] * ExpInPlace(scores, n, part_max);
          Kv::Prepare(scores, n);
        }
        AddValues<Kv, R, false>(all_scores, kContextPart, factors, {v, v},
                                a.dim, n, a.out + row * a.out_stride,
                                a.out_stride);
      });
    }
    for (int32_t row = first; row < end; ++row) {
      ScaleRow(a.out + row * a.out_stride, a.dim,
               Kv::kUnit * a.units.v / sum[row - first]);
    }
  }
}

void AttendEncode(const EncodeAttention& a) {
  switch (a.type) {
    case EncodeType::kF32:
      return AttendEncodeIn<F32Kv>(a);
    case EncodeType::kBf16:
      return AttendEncodeIn<Bf16Kv>(a);
    case EncodeType::kInt16:
      return AttendEncodeIn<Int16Kv>(a);
  }
}

// The bfloat16 nearest to x, ties to even, in the upper half of a word.
inline uint32_t RoundedBits(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return bits + 0x7fff + (bits >> 16 & 1);
}

void PackF32(const HeadRows& head, float* keys, float* values) {
  const int32_t dim = head.dim;
  for (int32_t t = 0; t < head.len; ++t) {
    const float* k_row = head.k + t * head.stride;
    const float* v_row = head.v + t * head.stride;
    float* lane = keys + int64_t{t / kPanel} * dim * kPanel + t % kPanel;
    for (int32_t i = 0; i < dim; ++i) lane[i * kPanel] = k_row[i];
    for (int32_t i = 0; i < dim; ++i) values[int64_t{t} * dim + i] = v_row[i];
  }
}

void PackBf16(const HeadRows& head, uint32_t* keys, uint32_t* values) {
  const int32_t dim = head.dim;
  for (int32_t t = 0; t < head.len; ++t) {
    const float* k_row = head.k + t * head.stride;
    uint32_t* lane =
        keys + int64_t{t / kPanel} * (dim / 2) * kPanel + t % kPanel;
    for (int32_t i = 0; i < dim / 2; ++i) {
      lane[i * kPanel] = RoundedBits(k_row[2 * i]) >> 16 |
                         (RoundedBits(k_row[2 * i + 1]) & 0xffff0000u);
    }
  }
  for (int32_t t = 0; t < head.len; t += 2) {
    const float* v_row = head.v + t * head.stride;
    uint32_t* row = values + int64_t{t / 2} * dim;
    if (t + 1 < head.len) {
      for (int32_t i = 0; i < dim; ++i) {
        row[i] = RoundedBits(v_row[i]) >> 16 |
                 (RoundedBits(v_row[head.stride + i]) & 0xffff0000u);
      }
    } else {
      for (int32_t i = 0; i < dim; ++i) row[i] = RoundedBits(v_row[i]) >> 16;
    }
  }
}

HeadUnits PackInt16(const HeadRows& head, uint32_t* keys, uint32_t* values) {
  const int32_t dim = head.dim;
  float k_max = 0, v_max = 0;
  for (int32_t t = 0; t < head.len; ++t) {
    const float row_k = MaxMagnitude(head.k + t * head.stride, dim);
    const float row_v = MaxMagnitude(head.v + t * head.stride, dim);
    k_max = row_k > k_max ? row_k : k_max;
    v_max = row_v > v_max ? row_v : v_max;
  }
  const float k_scale = k_max > 0 ? kInt16Bound / k_max : 0;
  const float v_scale = v_max > 0 ? kInt16Bound / v_max : 0;
  for (int32_t t = 0; t < head.len; ++t) {
    const float* k_row = head.k + t * head.stride;
    uint32_t* lane =
        keys + int64_t{t / kPanel} * (dim / 2) * kPanel + t % kPanel;
    for (int32_t i = 0; i < dim; ++i) {
      uint32_t& word = lane[Int16Kv::WordOf(i) * kPanel];
      const uint32_t bits = RoundedInt16(k_row[i] * k_scale);
      word = i / kLanes % 2 == 0 ? bits : word | bits << 16;
    }
    const float* v_row = head.v + t * head.stride;
    uint32_t* row = values + int64_t{Int16Kv::WordOf(t)} * dim;
    for (int32_t i = 0; i < dim; ++i) {
      const uint32_t bits = RoundedInt16(v_row[i] * v_scale);
      row[i] = t / kLanes % 2 == 0 ? bits : row[i] | bits << 16;
    }
  }
  return {k_max / kInt16Bound, v_max / kInt16Bound};
}

HeadUnits PackHead(const HeadRows& head, EncodeType type, char* k_panels,
                   char* v) {
  switch (type) {
    case EncodeType::kF32:
      PackF32(head, reinterpret_cast<float*>(k_panels),
              reinterpret_cast<float*>(v));
      break;
    case EncodeType::kBf16:
      PackBf16(head, reinterpret_cast<uint32_t*>(k_panels),
               reinterpret_cast<uint32_t*>(v));
      break;
    case EncodeType::kInt16:
      return PackInt16(head, reinterpret_cast<uint32_t*>(k_panels),
                       reinterpret_cast<uint32_t*>(v));
  }
  return {1, 1};
}

}  // namespace
}  // namespace sheaf::kernels
