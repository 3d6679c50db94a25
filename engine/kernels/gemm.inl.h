// SPDX-License-Identifier: Apache-2.0

#pragma once

// Matrix products with packed weights; see Gemm in kernels.h.

#include "engine/kernels/kernels.h"
#include "engine/kernels/simd.inl.h"

namespace sheaf::kernels {
namespace {

constexpr int kVecsPerPanel = kPanel / kLanes;
// The maximum number of rows of a tile. Its accumulators, one row of its panels
// and one broadcast value fill the registers. With AVX2 and one panel these are
// 6 * 2 + 2 + 1 of 16 registers, with AVX-512 and three panels 8 * 3 + 3 + 1 of
// 32.
constexpr int kMaxTileRows = kLanes == 4 ? 2 : kLanes == 8 ? 6 : 8;

// The distance at which a panel is prefetched. Consecutive panels form one long
// stream, which the processor also follows by itself. This distance gives the
// full memory bandwidth of one core: a page on a Zen 4 with AVX-512, and a
// quarter of a page on a Zen 3.
constexpr int64_t kPrefetchBytes = kLanes == 16 ? 4096 : 1024;

// The maximum number of blocks of rows that prefetch a share of the next
// panels.
constexpr int32_t kMaxShares = 8;

// The products of 16 words, each of two integers up to this bound, have a sum
// below 2^31.
constexpr float kInt16Bound = 8191;

// Each row of a panel prefetches an address, given in bytes from the panel.
struct Ahead {
  int64_t first;  // with the first row
  int64_t step;   // further on with each row
};
// The bytes of a row of a panel.
constexpr int64_t kRowBytes = kPanel * int64_t{sizeof(float)};

// P panels that are read side by side, row by row. With each row of panel p,
// the next address of ahead[p] is prefetched; these are ahead_step bytes apart.
template <int P>
struct Streams {
  const float* at[P];
  const char* ahead[P];
  int64_t ahead_step;

  void Prefetch(int p, int64_t row) const {
    __builtin_prefetch(ahead[p] + row * ahead_step);
  }
};

// The panels are `stride` floats apart.
template <int P>
inline Streams<P> PanelStreams(const float* panel, int64_t stride,
                               const Ahead& ahead) {
  Streams<P> b;
  for (int p = 0; p < P; ++p) {
    b.at[p] = panel + p * stride;
    b.ahead[p] = reinterpret_cast<const char*>(b.at[p]) + ahead.first;
  }
  b.ahead_step = ahead.step;
  return b;
}

// Keeps the sums of R rows and P panels in registers while k ascends. Each sum
// gets one multiply-add per k, in the same order for all R and P.
//   b  rows of 16 floats, ldb apart
//   kPrefetch  whether b is read from memory rather than from a cache
template <int R, int P, bool kPrefetch>
inline __attribute__((always_inline)) void Tile(
    const float* x, int64_t ldx, int32_t K, const Streams<P>& b, int64_t ldb,
    Vec (&sum)[R][P][kVecsPerPanel]) {
  for (int32_t k = 0; k < K; ++k) {
    Vec row[P][kVecsPerPanel];
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
      if constexpr (kPrefetch) b.Prefetch(p, k);
#pragma GCC unroll 4
      for (int v = 0; v < kVecsPerPanel; ++v) {
        row[p][v] = Load(b.at[p] + k * ldb + v * kLanes);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec broadcast = Broadcast(x[r * ldx + k]);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
        for (int v = 0; v < kVecsPerPanel; ++v) {
          sum[r][p][v] += broadcast * row[p][v];
        }
      }
    }
  }
}

// Does the same for bfloat16. A row of 16 words holds two k: the even one in
// the low halves, the odd one in the high halves. A bfloat16 is the upper half
// of an f32. If K is odd, the last high halves are not used.
template <int R, int P, bool kPrefetch>
inline __attribute__((always_inline)) void TileBf16(
    const float* x, int64_t ldx, int32_t K, const Streams<P>& b, int64_t ldb,
    Vec (&sum)[R][P][kVecsPerPanel]) {
  for (int32_t k = 0; k < K; k += 2) {
    const int64_t at = k / 2 * ldb;
    Vec even[P][kVecsPerPanel], odd[P][kVecsPerPanel];
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
      if constexpr (kPrefetch) b.Prefetch(p, k / 2);
#pragma GCC unroll 4
      for (int v = 0; v < kVecsPerPanel; ++v) {
        const IntVec pairs =
            reinterpret_cast<IntVec>(Load(b.at[p] + at + v * kLanes));
        even[p][v] = reinterpret_cast<Vec>(pairs << 16);
        odd[p][v] = reinterpret_cast<Vec>(
            pairs & (IntVec{} + static_cast<int32_t>(0xffff0000)));
      }
    }
    const bool has_odd = k + 1 < K;
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec x_even = Broadcast(x[r * ldx + k]);
      const Vec x_odd = Broadcast(has_odd ? x[r * ldx + k + 1] : 0.0f);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
        for (int v = 0; v < kVecsPerPanel; ++v) {
          sum[r][p][v] += x_even * even[p][v];
          sum[r][p][v] += x_odd * odd[p][v];
        }
      }
    }
  }
}

// Does the same for integers of 16 bits within +-kInt16Bound. A word of x, and
// a row of b, hold two k. The sums of 16 words fit in 32 bits and are exact.
//   x  rows of words, ldx apart
template <int R, int P>
inline __attribute__((always_inline)) void TileInt16(
    const int32_t* x, int64_t ldx, int32_t num_words, const Streams<P>& b,
    int64_t ldb, Vec (&sum)[R][P][kVecsPerPanel]) {
  constexpr int32_t kWords = 16;
  for (int32_t first = 0; first < num_words; first += kWords) {
    const int32_t end = MinOf(first + kWords, num_words);
    IntVec exact[R][P][kVecsPerPanel] = {};
    for (int32_t k = first; k < end; ++k) {
      IntVec row[P][kVecsPerPanel];
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
        for (int v = 0; v < kVecsPerPanel; ++v) {
          row[p][v] =
              reinterpret_cast<IntVec>(Load(b.at[p] + k * ldb + v * kLanes));
        }
      }
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const IntVec pair = IntVec{} + x[r * ldx + k];
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
          for (int v = 0; v < kVecsPerPanel; ++v) {
            exact[r][p][v] += MultiplyPairs(pair, row[p][v]);
          }
        }
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
        for (int v = 0; v < kVecsPerPanel; ++v) {
          sum[r][p][v] += __builtin_convertvector(exact[r][p][v], Vec);
        }
      }
    }
  }
}

#if defined(__AVX512BF16__)
// Converts n floats to pairs of the nearest bfloat16, ties to even. An odd last
// one is paired with a zero. `words` may begin at the same address as x.
inline void RoundToBf16(const float* x, int32_t n, int32_t* words) {
  for (int32_t k = 0; k < n; k += 16) {
    const int32_t left = MinOf(16, n - k);
    const __m512 v =
        _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << left) - 1), x + k);
    _mm256_mask_storeu_epi32(words + k / 2,
                             static_cast<__mmask8>((1u << (left + 1) / 2) - 1),
                             reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)));
  }
}

// TileBf16 with rows of x in pairs of bfloat16, ldx words apart. Uses assembly,
// because GCC 12 copies every sum before and after its own intrinsic.
template <int R, int P, bool kPrefetch>
inline __attribute__((always_inline)) void TileDot(
    const int32_t* x, int64_t ldx, int32_t K, const Streams<P>& b, int64_t ldb,
    Vec (&sum)[R][P][kVecsPerPanel]) {
  // A copy of the sums. Without it the compiler keeps them in memory.
  Vec sums[R][P];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) sums[r][p] = sum[r][p][0];
  }
  for (int32_t k = 0; k < (K + 1) / 2; ++k) {
    Vec row[P];
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
      if constexpr (kPrefetch) b.Prefetch(p, k);
      row[p] = Load(b.at[p] + k * ldb);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m512i pair = _mm512_set1_epi32(x[r * ldx + k]);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
        asm("vdpbf16ps %2, %1, %0" : "+v"(sums[r][p]) : "v"(pair), "v"(row[p]));
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) sum[r][p][0] = sums[r][p];
  }
}
#endif

// Writes or adds the first n of 16 sums, to which `bias` is added unless it is
// null.
inline void StorePanel(const Vec (&sum)[kVecsPerPanel], int32_t n,
                       const float* bias, bool accumulate, float* y) {
  if (n == kPanel) {
    for (int v = 0; v < kVecsPerPanel; ++v) {
      float* at = y + v * kLanes;
      const Vec value =
          bias != nullptr ? sum[v] + Load(bias + v * kLanes) : sum[v];
      Store(at, accumulate ? Load(at) + value : value);
    }
    return;
  }
  for (int32_t i = 0; i < n; ++i) {
    float value = sum[i / kLanes][i % kLanes];
    if (bias != nullptr) value += bias[i];
    y[i] = accumulate ? y[i] + value : value;
  }
}

template <int R, int P, typename Args>
inline void StoreTile(const Args& g, int32_t row, int32_t panel,
                      const Vec (&sum)[R][P][kVecsPerPanel]) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
      const int32_t column = (panel + p) * kPanel;
      StorePanel(sum[r][p], MinOf(kPanel, g.num_columns - column),
                 g.bias != nullptr ? g.bias + column : nullptr, g.accumulate,
                 g.y + (row + r) * g.ldy + column);
    }
  }
}

// A product in f32. Its members are what the blocking below needs to know of
// each type of weights.
struct F32Product {
  using Args = Gemm;
  static constexpr int kAccumulators = kLanes == 16 ? 24 : kLanes == 8 ? 12 : 8;
  static constexpr int32_t kMaxRows = kMaxTileRows;
  static int64_t PanelBytes(const Gemm& g) {
    return int64_t{g.K} * kPanel * static_cast<int64_t>(sizeof(float));
  }
  template <int R, int P, bool kIsStream>
  static void Run(const Gemm& g, int32_t row, int32_t panel,
                  const Ahead& ahead) {
    const int64_t panel_floats = int64_t{g.K} * kPanel;
    Vec sum[R][P][kVecsPerPanel] = {};
    Tile<R, P, true>(
        g.x + row * g.ldx, g.ldx, g.K,
        PanelStreams<P>(g.w + panel * panel_floats, panel_floats, ahead),
        kPanel, sum);
    StoreTile<R, P>(g, row, panel, sum);
  }
};

// Multiplies R rows with all panels, P at a time while P are left.
template <typename Product, bool kIsStream, int R, int P>
void RunRows(const typename Product::Args& g, int32_t row, int32_t panel,
             int32_t end_panel, const Ahead& ahead) {
  for (; panel + P <= end_panel; panel += P) {
    Product::template Run<R, P, kIsStream>(g, row, panel, ahead);
  }
  if constexpr (P > 1) {
    RunRows<Product, kIsStream, R, P - 1>(g, row, panel, end_panel, ahead);
  }
}

// The number of panels per tile of this many rows that the accumulators allow.
// More panels mean fewer reads of x and more independent sums.
template <typename Product>
constexpr int PanelsFor(int rows) {
  const int panels = Product::kAccumulators / (rows * kVecsPerPanel);
  return panels < 1 ? 1 : panels > 4 ? 4 : panels;
}

// kIsStream: the panels are read from memory for these rows only. Then one
// panel at a time is fastest, because several panels are several streams, and
// memory bandwidth is the limit. REQUIRES: 1 <= num_rows <= R.
template <typename Product, bool kIsStream, int R = kMaxTileRows>
void RunRowBlock(const typename Product::Args& g, int32_t row, int32_t num_rows,
                 int32_t panel, int32_t end, const Ahead& ahead) {
  if constexpr (R > 1) {
    if (num_rows < R) {
      return RunRowBlock<Product, kIsStream, R - 1>(g, row, num_rows, panel,
                                                    end, ahead);
    }
  }
  RunRows<Product, kIsStream, R, kIsStream ? 1 : PanelsFor<Product>(R)>(
      g, row, panel, end, ahead);
}

// Multiplies all rows and columns, in blocks of at most Product::kMaxRows rows.
template <typename Product>
void RunProduct(const typename Product::Args& g) {
  const int32_t num_panels = (g.num_columns + kPanel - 1) / kPanel;
  const int32_t num_blocks =
      (g.num_rows + Product::kMaxRows - 1) / Product::kMaxRows;
  if (num_blocks <= 1) {
    if (num_blocks == 1) {
      RunRowBlock<Product, true>(g, 0, g.num_rows, 0, num_panels,
                                 {kPrefetchBytes, kRowBytes});
    }
    return;
  }
  // Takes a few panels at a time, so that they stay in the L1 and L2 caches
  // while all rows use them. The blocks of rows have about equal sizes. The
  // last ones prefetch a share of the next panels each, because one alone would
  // ask for them faster than memory gives them.
  const int32_t step = PanelsFor<Product>(
      static_cast<int>((g.num_rows + num_blocks - 1) / num_blocks));
  const int64_t panel_bytes = Product::PanelBytes(g);
  const int32_t num_shares = MinOf(num_blocks, kMaxShares);
  for (int32_t panel = 0; panel < num_panels; panel += step) {
    const int32_t end_panel = MinOf(panel + step, num_panels);
    for (int32_t block = 0; block < num_blocks; ++block) {
      const int32_t row =
          static_cast<int32_t>(int64_t{g.num_rows} * block / num_blocks);
      const int32_t end =
          static_cast<int32_t>(int64_t{g.num_rows} * (block + 1) / num_blocks);
      const int32_t share = block - (num_blocks - num_shares);
      RunRowBlock<Product, false>(
          g, row, end - row, panel, end_panel,
          share < 0
              ? Ahead{kPrefetchBytes, kRowBytes}
              : Ahead{panel_bytes * step + panel_bytes * share / num_shares,
                      kRowBytes / num_shares});
    }
  }
}

}  // namespace
}  // namespace sheaf::kernels
