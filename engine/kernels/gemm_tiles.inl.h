// SPDX-License-Identifier: Apache-2.0

#pragma once

// GemmInt8 and GemmBf16 by AMX; see kernels.h. The panels are tiles as they
// are, 16 rows of some k by 16 columns, and so are rows of x.
//
// Sums of int8 are exact, so their products have the bits of every other Isa.
// In bfloat16 the order of additions is that of the tiles (MultiplyTmmBf16).
// Therefore tiles serve any number of rows, or none, depending on K only.

#include "engine/kernels/gemm.inl.h"
#include "engine/kernels/gemm_narrow.inl.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/simd.inl.h"
#include "engine/kernels/tiles.inl.h"

#if defined(__AMX_TILE__)

namespace sheaf::kernels {
namespace {

static_assert(kLanes == kPanel && kTileRows == kPanel);
static_assert(Int8Panel<1>::kGroup == 4 && kHasBf16Products);

// From this number of rows on, tiles multiply int8 faster than vpdpbusd does.
// On an Emerald Rapids, with weights from memory and over five shapes
// (K and N from 768 to 4096), one thread is 1.01 to 1.09 times as fast with 4
// rows, 1.07 to 1.16 times with 8, 1.21 to 1.28 times with 16, 1.8 to 2.1 times
// with 32 or 64, and 2.3 to 3.1 times with 256. With 1 or 2 rows, memory is the
// limit.
constexpr int32_t kMinTileInt8Rows = 4;

// The k of a tile.
constexpr int32_t kTileInt8K = 64;
constexpr int32_t kTileBf16K = 32;

// The blocking below works with any type of weights. This tells it where the
// tiles of x and of w lie, how to multiply them, and how to complete sums.
struct Int8TileProduct {
  const GemmInt8& g;
  int32_t num_tiles() const { return g.K / kTileInt8K; }
  const char* x() const { return reinterpret_cast<const char*>(g.x); }
  int64_t x_row_bytes() const {
    return g.ldx * static_cast<int64_t>(sizeof(*g.x));
  }
  const char* w() const { return reinterpret_cast<const char*>(g.w); }
  template <int C, int A, int B>
  static void Multiply() {
    MultiplyTmmInt8<C, A, B>();
  }

  // Each x is 128 too large, so 128 * w_sums is subtracted.
  __attribute__((noinline)) void Finish(const int32_t* sums, int32_t row,
                                        int32_t n, int32_t panel) const {
    const int32_t column = panel * kPanel;
    const int32_t num_columns = MinOf(kPanel, g.num_columns - column);
    const float* bias = g.bias != nullptr ? g.bias + column : nullptr;
    const float* w_scales = g.w_scales + column;
    const IntVec excess = LoadInts(g.w_sums + column) * 128;
    for (; n > 0; --n, ++row, sums += kPanel) {
      const IntVec exact = LoadInts(sums) - excess;
      float* y = g.y + row * g.ldy + column;
      if (num_columns < kPanel) {
        alignas(64) int32_t some[kPanel];
        *reinterpret_cast<IntVec*>(some) = exact;
        StoreScaled(some, g.x_scales[row], w_scales, bias, num_columns,
                    g.accumulate, y);
        continue;
      }
      const Vec scaled = __builtin_convertvector(exact, Vec) * g.x_scales[row] *
                         Load(w_scales);
      StorePanel({Rounded(scaled)}, kPanel, bias, g.accumulate, y);
    }
  }

 private:
  static IntVec LoadInts(const int32_t* p) {
    return reinterpret_cast<IntVec>(Load(reinterpret_cast<const float*>(p)));
  }
};

struct Bf16TileProduct {
  const GemmBf16& g;
  int32_t num_tiles() const { return g.K / kTileBf16K; }
  const char* x() const { return reinterpret_cast<const char*>(g.words); }
  int64_t x_row_bytes() const { return int64_t{g.K} * 2; }
  const char* w() const { return reinterpret_cast<const char*>(g.w); }
  template <int C, int A, int B>
  static void Multiply() {
    MultiplyTmmBf16<C, A, B>();
  }

  // The sums are f32.
  __attribute__((noinline)) void Finish(const int32_t* sums, int32_t row,
                                        int32_t n, int32_t panel) const {
    const int32_t column = panel * kPanel;
    const int32_t num_columns = MinOf(kPanel, g.num_columns - column);
    const float* bias = g.bias != nullptr ? g.bias + column : nullptr;
    for (; n > 0; --n, ++row, sums += kPanel) {
      StorePanel({Load(reinterpret_cast<const float*>(sums))}, num_columns,
                 bias, g.accumulate, g.y + row * g.ldy + column);
    }
  }
};

// The sums of a block, of up to 32 rows by one panel, that are in tiles or in
// memory. A tile instruction keeps the tile unit busy for 16 cycles. Meanwhile
// the sums of the block before are completed, a few rows at a time.
class PendingSums {
 public:
  void Set(int32_t row, int32_t num_rows, int32_t panel) {
    row_ = row;
    num_rows_ = num_rows;
    panel_ = panel;
    num_finished_ = 0;
  }

  // Takes the sums of R groups of rows from tiles C and C + 1.
  template <int R, int C>
  inline __attribute__((always_inline)) void Take() {
    if (num_rows_ == 0) return;
    StoreTmm<C>(sums_[0], kTileRowBytes);
    if constexpr (R > 1) StoreTmm<C + 1>(sums_[kTileRows], kTileRowBytes);
  }

  // Completes the next n rows, or as many as are left.
  template <typename Product>
  inline __attribute__((always_inline)) void Finish(const Product& product,
                                                    int32_t n) {
    n = MinOf(n, num_rows_ - num_finished_);
    if (n <= 0) return;
    product.Finish(sums_[num_finished_], row_ + num_finished_, n, panel_);
    num_finished_ += n;
  }

 private:
  alignas(64) int32_t sums_[2 * kTileRows][kPanel];
  int32_t row_ = 0, panel_ = 0;
  int32_t num_rows_ = 0;  // 0: none
  int32_t num_finished_ = 0;
};

// Rows that are completed between two tile multiplications.
constexpr int32_t kFinishRows = 4;

// Multiplies R groups of rows with one panel. The sums are in tile C and, for
// the second group, in C + 1; the pending sums are in the other two.
template <int R, int C, bool kPrefetch, typename Product>
inline __attribute__((always_inline)) void MultiplyPanel(const Product& product,
                                                         int32_t row,
                                                         int32_t panel,
                                                         PendingSums& pending) {
  const int32_t num_tiles = product.num_tiles();
  const int64_t row_bytes = product.x_row_bytes();
  const char* x = product.x() + row * row_bytes;
  const char* w = product.w() + panel * (num_tiles * kTileBytes);
  ClearTmm<C>();
  if constexpr (R > 1) ClearTmm<C + 1>();
  for (int32_t k = 0; k < num_tiles; ++k, w += kTileBytes, x += kTileRowBytes) {
    if constexpr (kPrefetch) {
#pragma GCC unroll 16
      for (int i = 0; i < kTileRows; ++i) {
        __builtin_prefetch(w + kPrefetchBytes + i * kTileRowBytes);
      }
    }
    // Loads and products take turns, because then the loads cost nothing.
    LoadConstTmm<6>(w, kTileRowBytes);
    LoadConstTmm<4>(x, row_bytes);
    Product::template Multiply<C, 4, 6>();
    if constexpr (R > 1) {
      LoadConstTmm<5>(x + kTileRows * row_bytes, row_bytes);
      Product::template Multiply<C + 1, 5, 6>();
    }
    if (k == 0) pending.Take<R, 2 - C>();
    if (k > 1) pending.Finish(product, kFinishRows);
  }
  pending.Finish(product, 2 * kTileRows);
}

// Multiplies rows [row, row + num_rows), which are R groups, with the panels.
// Two pairs of tiles hold the sums of the panels in turn.
template <int R, bool kPrefetch, typename Product>
void RunRowGroups(const Product& product, int32_t row, int32_t num_rows,
                  int32_t panel, int32_t end_panel) {
  PendingSums pending;
  while (panel < end_panel) {
    MultiplyPanel<R, 0, kPrefetch>(product, row, panel, pending);
    pending.Set(row, num_rows, panel++);
    if (panel == end_panel) {
      pending.Take<R, 0>();
      break;
    }
    MultiplyPanel<R, 2, kPrefetch>(product, row, panel, pending);
    pending.Set(row, num_rows, panel++);
    if (panel == end_panel) pending.Take<R, 2>();
  }
  pending.Finish(product, 2 * kTileRows);
}

template <bool kPrefetch, typename Product>
void RunRowGroups(const Product& product, int32_t row, int32_t num_rows,
                  int32_t panel, int32_t end_panel, Tiles& tiles) {
  if (num_rows > kTileRows) {
    tiles.Configure(kTileRows, num_rows - kTileRows);
    RunRowGroups<2, kPrefetch>(product, row, num_rows, panel, end_panel);
  } else {
    tiles.Configure(num_rows, 0);
    RunRowGroups<1, kPrefetch>(product, row, num_rows, panel, end_panel);
  }
}

// The panels that stay in the L2 cache while all rows use them.
constexpr int64_t kTilePanelsBytes = 128 << 10;

// Multiplies all rows and columns, in blocks of at most 32 rows. Only the first
// block reads the panels from memory.
template <typename Product>
void RunTileProduct(const Product& product) {
  constexpr int32_t kMaxRows = 2 * kTileRows;
  const int32_t num_rows = product.g.num_rows;
  const int32_t num_panels = (product.g.num_columns + kPanel - 1) / kPanel;
  int32_t step = num_panels;
  if (num_rows > kMaxRows) {
    const int64_t panels =
        kTilePanelsBytes / (product.num_tiles() * kTileBytes);
    step = MaxOf(static_cast<int32_t>(panels) / 2 * 2, 2);
  }
  Tiles tiles;
  for (int32_t panel = 0; panel < num_panels; panel += step) {
    const int32_t end = MinOf(panel + step, num_panels);
    for (int32_t row = 0; row < num_rows; row += kMaxRows) {
      const int32_t n = MinOf(kMaxRows, num_rows - row);
      if (row == 0) {
        RunRowGroups<true>(product, row, n, panel, end, tiles);
      } else {
        RunRowGroups<false>(product, row, n, panel, end, tiles);
      }
    }
  }
}

void MultiplyInt8ByTiles(const GemmInt8& g) {
  if (g.num_rows < kMinTileInt8Rows || g.K % kTileInt8K != 0) {
    return RunProduct<Int8Product>(g);
  }
  RunTileProduct(Int8TileProduct{g});
}

void MultiplyBf16ByTiles(const GemmBf16& g) {
  if (g.K % kTileBf16K != 0) return MultiplyBf16(g);
  for (int32_t row = 0; row < g.num_rows; ++row) {
    RoundToBf16(g.x + row * g.ldx, g.K, g.words + int64_t{row} * (g.K / 2));
  }
  RunTileProduct(Bf16TileProduct{g});
}

}  // namespace
}  // namespace sheaf::kernels

#endif  // __AMX_TILE__
