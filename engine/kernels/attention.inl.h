// SPDX-License-Identifier: Apache-2.0

#pragma once

// Code that attention over KV blocks and attention over a packed source share;
// kernels.h describes both.

#include "engine/kernels/gemm.inl.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/simd.inl.h"

namespace sheaf::kernels {
namespace {

// F32Kv, Bf16Kv and Int16Kv tell the kernels how to multiply rows of x with
// rows of keys or values of one type. A row of words holds one token, or one
// place of a head; with narrow types it holds two. Rows of x are floats, or
// pairs of the narrow type. Prepare() converts floats, given in units of kUnit,
// to the latter.
struct F32Kv {
  static constexpr int64_t kBytes = 4;
  static constexpr bool kAnyDim = true;
  static constexpr float kUnit = 1;
  template <int R, int P, bool kPrefetch>
  static inline __attribute__((always_inline)) void Add(
      const float* x, int64_t ldx, int32_t n, const Streams<P>& b, int64_t ldb,
      Vec (&sum)[R][P][kVecsPerPanel]) {
    Tile<R, P, kPrefetch>(x, ldx, n, b, ldb, sum);
  }
  static float At(const float* words, int32_t row, int64_t ldb, int32_t i) {
    return words[row * ldb + i];
  }
  static float Factor(const float* x, int32_t k) { return x[k]; }
  static void Prepare(float*, int32_t) {}
};

struct Bf16Kv {
  static constexpr int64_t kBytes = 2;
  static constexpr bool kAnyDim = true;
  static constexpr float kUnit = 1;
  template <int R, int P, bool kPrefetch>
  static inline __attribute__((always_inline)) void Add(
      const float* x, int64_t ldx, int32_t n, const Streams<P>& b, int64_t ldb,
      Vec (&sum)[R][P][kVecsPerPanel]) {
#if defined(__AVX512BF16__)
    TileDot<R, P, kPrefetch>(reinterpret_cast<const int32_t*>(x), ldx, n, b,
                             ldb, sum);
#else
    TileBf16<R, P, kPrefetch>(x, ldx, n, b, ldb, sum);
#endif
  }
  static float At(const float* words, int32_t row, int64_t ldb, int32_t i) {
    return Half(words[row / 2 * ldb + i], row);
  }
#if defined(__AVX512BF16__)
  static float Factor(const float* x, int32_t k) { return Half(x[k / 2], k); }
  // Converts n floats to pairs of bfloat16 in the first half of their space. An
  // odd last one is paired with a zero.
  static void Prepare(float* x, int32_t n) {
    RoundToBf16(x, n, reinterpret_cast<int32_t*>(x));
  }
#else
  static float Factor(const float* x, int32_t k) { return x[k]; }
  static void Prepare(float*, int32_t) {}
#endif

 private:
  // The k-th of two bfloat16 in a word.
  static float Half(float word, int32_t k) {
    uint32_t pair;
    __builtin_memcpy(&pair, &word, sizeof(pair));
    pair = k % 2 == 0 ? pair << 16 : pair & 0xffff0000u;
    float value;
    __builtin_memcpy(&value, &pair, sizeof(value));
    return value;
  }
};

// The address of a panel of keys, or of some tokens' values, and the address
// that will be read next, which is prefetched.
struct PanelPair {
  const float* at;
  const float* next;
};

// Scores R query rows against P panels of keys. The scores of row r begin at
// scores[r * ld], 16 per panel. Scores of tokens past the context are not used.
template <typename Kv, int R, int P, bool kPrefetch>
inline void ScorePanels(const float* q, int64_t q_stride, int32_t dim,
                        const PanelPair* keys, float* scores, int64_t ld) {
  Streams<P> b;
  for (int p = 0; p < P; ++p) {
    b.at[p] = keys[p].at;
    b.ahead[p] = reinterpret_cast<const char*>(keys[p].next);
  }
  b.ahead_step = kRowBytes;
  Vec sum[R][P][kVecsPerPanel] = {};
  Kv::template Add<R, P, kPrefetch>(q, q_stride, dim, b, kPanel, sum);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecsPerPanel; ++v) {
        Store(scores + r * ld + p * kPanel + v * kLanes, sum[r][p][v]);
      }
    }
  }
}

// out[r][i] += factors[r] * (sum over n tokens of weights[r * ld + t] *
// values[t][i], t ascending), for P panels of 16 places from `i` on.
template <typename Kv, int R, int P, bool kPrefetch>
inline void AddValuePanels(const float* weights, int64_t ld,
                           const float* factors, const PanelPair& values,
                           int32_t dim, int32_t n, int32_t i, float* out,
                           int64_t out_stride) {
  Streams<P> b;
  for (int p = 0; p < P; ++p) {
    b.at[p] = values.at + i + p * kPanel;
    b.ahead[p] = reinterpret_cast<const char*>(values.next + i + p * kPanel);
  }
  b.ahead_step = dim * int64_t{sizeof(float)};
  Vec sum[R][P][kVecsPerPanel] = {};
  Kv::template Add<R, P, kPrefetch>(weights, ld, n, b, dim, sum);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecsPerPanel; ++v) {
        float* at = out + r * out_stride + i + p * kPanel + v * kLanes;
        Store(at, Load(at) + factors[r] * sum[r][p][v]);
      }
    }
  }
}

// Does the same for all places of a head.
template <typename Kv, int R, bool kPrefetch>
inline void AddValues(const float* weights, int64_t ld, const float* factors,
                      const PanelPair& values, int32_t dim, int32_t n,
                      float* out, int64_t out_stride) {
  constexpr int P = PanelsFor<F32Product>(R);
  int32_t i = 0;
  for (; i + P * kPanel <= dim; i += P * kPanel) {
    AddValuePanels<Kv, R, P, kPrefetch>(weights, ld, factors, values, dim, n, i,
                                        out, out_stride);
  }
  for (; i + kPanel <= dim; i += kPanel) {
    AddValuePanels<Kv, R, 1, kPrefetch>(weights, ld, factors, values, dim, n, i,
                                        out, out_stride);
  }
  if constexpr (Kv::kAnyDim) {
    for (; i < dim; ++i) {
      for (int r = 0; r < R; ++r) {
        float sum = 0;
        for (int32_t t = 0; t < n; ++t) {
          sum += Kv::Factor(weights + r * ld, t) * Kv::At(values.at, t, dim, i);
        }
        out[r * out_stride + i] += factors[r] * sum;
      }
    }
  }
}

void ScaleRow(float* x, int32_t n, float scale) {
  for (int32_t i = 0; i < n; ++i) x[i] *= scale;
}

void ClearRow(float* x, int32_t n) {
  for (int32_t i = 0; i < n; ++i) x[i] = 0;
}

// Calls fn.operator()<R>(row) for rows in blocks of R <= kMax.
template <int kMax, typename Fn>
inline void ForRowBlocks(int32_t begin, int32_t end, const Fn& fn) {
  if constexpr (kMax > 1) {
    for (; begin + kMax <= end; begin += kMax)
      fn.template operator()<kMax>(begin);
    if (begin < end) ForRowBlocks<kMax - 1>(begin, end, fn);
  } else {
    for (; begin < end; ++begin) fn.template operator()<1>(begin);
  }
}

// The maximum number of rows whose sums over 64 places fit in registers.
constexpr int kMaxValueRows = MinOf(kScoredRows, kMaxTileRows);

}  // namespace
}  // namespace sheaf::kernels
