// SPDX-License-Identifier: Apache-2.0

#pragma once

// Matrix products with weights of 4 bits; see GemmInt4 in kernels.h.
//
// Within a group of k, sums are exact integers. A stored weight n is the weight
// w plus 8, so the sum of x w is the sum of x n minus 8 times the sum of x,
// which is the value that the sum of a group starts from. The sum of a group
// has at most 15 bits and a scale has 8, so their product is exact in f32, and
// a fused multiply-add gives the same bits as a multiplication and an addition.

#include "engine/kernels/gemm.inl.h"
#include "engine/kernels/gemm_narrow.inl.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/simd.inl.h"

namespace sheaf::kernels {
namespace {

constexpr int64_t kInt4Line = 64;  // bytes that hold 8 k of a panel
constexpr int32_t kInt4LineK = 8;

// The sums of a group for one row and one panel. Add() adds the products of a
// line of weights with 8 values of x. Each Isa does it in the way that is
// fastest there.
#if defined(__AVX512VNNI__)
struct Int4Sum {
  static constexpr int32_t kMaxRows = 8;
  struct Weights {
    __m512i low, high;
  };
  struct Inputs {
    const int8_t* x;
  };
  __m512i sum;

  static Weights Load(const uint8_t* line) {
    const __m512i mask = _mm512_set1_epi8(15);
    const __m512i bytes = _mm512_loadu_si512(line);
    return {_mm512_and_si512(bytes, mask),
            _mm512_and_si512(_mm512_srli_epi16(bytes, 4), mask)};
  }
  static Inputs Read(const int8_t* x) { return {x}; }
  void Start(int32_t start) { sum = _mm512_set1_epi32(start); }
  // Uses assembly, because GCC 12 copies every sum before and after its own
  // intrinsic, and does not broadcast within the instruction.
  void Add(const Weights& w, const Inputs& in) {
    using Word = const int32_t __attribute__((may_alias, aligned(1)));
    asm("vpdpbusd %2%{1to16%}, %1, %0"
        : "+v"(sum)
        : "v"(w.low), "m"(*reinterpret_cast<Word*>(in.x)));
    asm("vpdpbusd %2%{1to16%}, %1, %0"
        : "+v"(sum)
        : "v"(w.high), "m"(*reinterpret_cast<Word*>(in.x + 4)));
  }
  void Finish(IntVec (&out)[kVecsPerPanel]) const {
    out[0] = reinterpret_cast<IntVec>(sum);
  }
};
#elif defined(__AVX2__)
// The products of a pair are at most 2 * 15 * 127, and a lane of 16 bits sums
// one of each line of a group, so that it does not overflow.
struct Int4Sum {
  static constexpr int32_t kMaxRows = 4;
  static_assert(kInt4Group / 4 * 2 * 15 * 127 < 1 << 15);
  struct Weights {
    __m256i low[2], high[2];
  };
  struct Inputs {
    __m256i first, last;
  };
  __m256i pairs[2];
  int32_t start;

  static Weights Load(const uint8_t* line) {
    const __m256i mask = _mm256_set1_epi8(15);
    Weights w;
    for (int v = 0; v < 2; ++v) {
      const __m256i bytes =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(line + 32 * v));
      w.low[v] = _mm256_and_si256(bytes, mask);
      w.high[v] = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask);
    }
    return w;
  }
  static Inputs Read(const int8_t* x) {
    int32_t words[2];
    __builtin_memcpy(words, x, sizeof(words));
    return {_mm256_set1_epi32(words[0]), _mm256_set1_epi32(words[1])};
  }
  void Start(int32_t value) {
    pairs[0] = pairs[1] = _mm256_setzero_si256();
    start = value;
  }
  void Add(const Weights& w, const Inputs& in) {
    for (int v = 0; v < 2; ++v) {
      pairs[v] =
          _mm256_add_epi16(pairs[v], _mm256_maddubs_epi16(w.low[v], in.first));
      pairs[v] =
          _mm256_add_epi16(pairs[v], _mm256_maddubs_epi16(w.high[v], in.last));
    }
  }
  void Finish(IntVec (&out)[kVecsPerPanel]) const {
    for (int v = 0; v < 2; ++v) {
      out[v] = reinterpret_cast<IntVec>(
          _mm256_add_epi32(_mm256_madd_epi16(pairs[v], _mm256_set1_epi16(1)),
                           _mm256_set1_epi32(start)));
    }
  }
};
#else
// Pairs of k in the 16-bit halves of a column's word: (0, 2), (1, 3), (4, 6)
// and (5, 7).
struct Int4Sum {
  static constexpr int32_t kMaxRows = 2;
  struct Weights {
    IntVec pairs[4][kVecsPerPanel];
  };
  struct Inputs {
    int32_t pairs[4];
  };
  IntVec sum[kVecsPerPanel];

  static Weights Load(const uint8_t* line) {
    Weights w;
    for (int v = 0; v < kVecsPerPanel; ++v) {
      IntVec words;
      __builtin_memcpy(&words, line + v * kVectorBytes, sizeof(words));
      w.pairs[0][v] = words & 0x000f000f;
      w.pairs[1][v] = (words >> 8) & 0x000f000f;
      w.pairs[2][v] = (words >> 4) & 0x000f000f;
      w.pairs[3][v] = (words >> 12) & 0x000f000f;
    }
    return w;
  }
  static int32_t PairOf(int8_t low, int8_t high) {
    return static_cast<int32_t>(static_cast<uint16_t>(low) |
                                static_cast<uint32_t>(high) << 16);
  }
  static Inputs Read(const int8_t* x) {
    return {{PairOf(x[0], x[2]), PairOf(x[1], x[3]), PairOf(x[4], x[6]),
             PairOf(x[5], x[7])}};
  }
  static IntVec Products(IntVec a, IntVec b) {
#if defined(__SSE2__)
    return reinterpret_cast<IntVec>(_mm_madd_epi16(
        reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
    return MultiplyPairs(a, b);
#endif
  }
  void Start(int32_t start) {
    for (int v = 0; v < kVecsPerPanel; ++v) sum[v] = IntVec{} + start;
  }
  void Add(const Weights& w, const Inputs& in) {
    for (int v = 0; v < kVecsPerPanel; ++v) {
      for (int i = 0; i < 4; ++i) {
        sum[v] += Products(IntVec{} + in.pairs[i], w.pairs[i][v]);
      }
    }
  }
  void Finish(IntVec (&out)[kVecsPerPanel]) const {
    for (int v = 0; v < kVecsPerPanel; ++v) out[v] = sum[v];
  }
};
#endif

// Writes or adds scaled sums, like StoreScaled().
__attribute__((noinline, optimize("fp-contract=off"))) void StoreInt4(
    const float* sums, float x_scale, const float* bias, int32_t n,
    bool accumulate, float* y) {
  for (int32_t i = 0; i < n; ++i) {
    float value = sums[i] * x_scale;
    if (bias != nullptr) value += bias[i];
    y[i] = accumulate ? y[i] + value : value;
  }
}

// The scales of both groups of a unit, for one vector of columns.
struct Int4Scales {
  Vec of_group[2];
  explicit Int4Scales(const uint8_t* at) {
    IntVec pairs;
    __builtin_memcpy(&pairs, at, sizeof(pairs));
    of_group[0] = reinterpret_cast<Vec>(pairs << 16);
    of_group[1] = reinterpret_cast<Vec>(
        pairs & (IntVec{} + static_cast<int32_t>(0xffff0000)));
  }
};

// Multiplies R rows with one panel.
template <int R>
void MultiplyInt4Panel(const GemmInt4& g, int32_t row, int32_t panel) {
  const int32_t num_units = g.K / kInt4Unit;
  const uint8_t* w = g.w + int64_t{panel} * num_units * kInt4UnitBytes;
  const int8_t* x = g.x + row * g.ldx;
  const int32_t* starts = g.starts + row * g.ld_starts;
  Vec total[R][kVecsPerPanel] = {};
  for (int32_t unit = 0; unit < num_units; ++unit) {
    const uint8_t* scales = w;
    __builtin_prefetch(w + kPrefetchBytes);
    w += kInt4Line;
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      Int4Sum sums[R];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        sums[r].Start(starts[r * g.ld_starts + 2 * unit + half]);
      }
#pragma GCC unroll 4
      for (int32_t k = 0; k < kInt4Group; k += kInt4LineK) {
        __builtin_prefetch(w + kPrefetchBytes);
        const Int4Sum::Weights weights = Int4Sum::Load(w);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
          sums[r].Add(weights, Int4Sum::Read(x + r * g.ldx));
        }
        w += kInt4Line;
        x += kInt4LineK;
      }
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        IntVec exact[kVecsPerPanel];
        sums[r].Finish(exact);
#pragma GCC unroll 4
        for (int v = 0; v < kVecsPerPanel; ++v) {
          total[r][v] += __builtin_convertvector(exact[v], Vec) *
                         Int4Scales(scales + v * kVectorBytes).of_group[half];
        }
      }
    }
  }
  const int32_t column = panel * kPanel;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    float sums[kPanel];
    for (int v = 0; v < kVecsPerPanel; ++v) {
      Store(sums + v * kLanes, total[r][v]);
    }
    StoreInt4(sums, g.x_scales[row + r],
              g.bias != nullptr ? g.bias + column : nullptr,
              MinOf(kPanel, g.num_columns - column), g.accumulate,
              g.y + (row + r) * g.ldy + column);
  }
}

// REQUIRES: 1 <= num_rows <= R.
template <int R = Int4Sum::kMaxRows>
void MultiplyInt4Rows(const GemmInt4& g, int32_t row, int32_t num_rows,
                      int32_t panel) {
  if constexpr (R > 1) {
    if (num_rows < R) {
      return MultiplyInt4Rows<R - 1>(g, row, num_rows, panel);
    }
  }
  MultiplyInt4Panel<R>(g, row, panel);
}

// All rows use a panel while it is in the L1 cache, in blocks of about equal
// sizes.
void MultiplyInt4(const GemmInt4& g) {
  const int32_t num_panels = (g.num_columns + kPanel - 1) / kPanel;
  const int32_t num_blocks =
      (g.num_rows + Int4Sum::kMaxRows - 1) / Int4Sum::kMaxRows;
  for (int32_t panel = 0; panel < num_panels; ++panel) {
    for (int32_t block = 0; block < num_blocks; ++block) {
      const int32_t row =
          static_cast<int32_t>(int64_t{g.num_rows} * block / num_blocks);
      const int32_t end =
          static_cast<int32_t>(int64_t{g.num_rows} * (block + 1) / num_blocks);
      MultiplyInt4Rows(g, row, end - row, panel);
    }
  }
}

// See Kernels::int4_inputs.
void Int4Inputs(const int32_t* q, int64_t ldq, int32_t num_rows, int32_t K,
                int8_t* x, int64_t ldx, int32_t* starts, int64_t ld_starts) {
  for (int32_t row = 0; row < num_rows;
       ++row, q += ldq, x += ldx, starts += ld_starts) {
    for (int32_t k = 0; k < K; k += kInt4Group) {
      int32_t sum = 0;
      if constexpr (Int8Panel<1>::kGroup == 4) {
        const auto* from = reinterpret_cast<const uint8_t*>(q) + k;
        for (int32_t i = 0; i < kInt4Group; ++i) {
          x[k + i] = static_cast<int8_t>(from[i] ^ 0x80);
          sum += x[k + i];
        }
      } else {
        int16_t from[kInt4Group];
        __builtin_memcpy(from, q + k / 2, sizeof(from));
        for (int32_t i = 0; i < kInt4Group; ++i) {
          x[k + i] = static_cast<int8_t>(from[i]);
          sum += x[k + i];
        }
      }
      starts[k / kInt4Group] = -8 * sum;
    }
  }
}

}  // namespace
}  // namespace sheaf::kernels
