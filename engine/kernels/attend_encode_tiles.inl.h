// SPDX-License-Identifier: Apache-2.0

#pragma once

// Attention over a packed source in bfloat16 by AMX; see EncodeAttention in
// kernels.h. Keys and values as PackHead() writes them are tiles as they are:
// 16 pairs of places by 16 tokens, and 16 pairs of tokens by 16 places.

#include "engine/kernels/attend_encode.inl.h"
#include "engine/kernels/attention.inl.h"
#include "engine/kernels/gemm.inl.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/simd.inl.h"
#include "engine/kernels/tiles.inl.h"

#if defined(__AMX_TILE__)

namespace sheaf::kernels {
namespace {

// The k of a tile.
constexpr int32_t kTileTokens = 32;
// Rows of scores do not begin in the same sets of the L1 cache.
constexpr int64_t kScoreStride = kContextPart + kPanel;
static_assert(kTileQueries == 2 * kTileRows);

// Two panels of 16 columns. `row_bytes` and `tile_bytes` are the distances of
// rows of 2 k, and of tiles of 32 k.
struct TwoPanels {
  const char* first;
  const char* second;
  int64_t row_bytes;
  int64_t tile_bytes;
};

// out = x * w for R groups of rows and 32 columns, where x [R * 16, num_tiles *
// 32] has rows of x_row_bytes, and out has rows of out_stride floats.
template <int R>
inline void MultiplyTwoPanels(const void* x, int64_t x_row_bytes,
                              const TwoPanels& w, int32_t num_tiles, float* out,
                              int64_t out_stride) {
  const char* from = static_cast<const char*>(x);
  const char* first = w.first;
  const char* second = w.second;
  ClearTmm<0>();
  ClearTmm<2>();
  if constexpr (R > 1) {
    ClearTmm<1>();
    ClearTmm<3>();
  }
  for (int32_t k = 0; k < num_tiles; ++k) {
    // Loads and products take turns, because then the loads cost nothing.
    LoadTmm<6>(first, w.row_bytes);
    LoadTmm<4>(from, x_row_bytes);
    MultiplyTmmBf16<0, 4, 6>();
    LoadTmm<7>(second, w.row_bytes);
    MultiplyTmmBf16<2, 4, 7>();
    if constexpr (R > 1) {
      LoadTmm<5>(from + kTileRows * x_row_bytes, x_row_bytes);
      MultiplyTmmBf16<1, 5, 6>();
      MultiplyTmmBf16<3, 5, 7>();
    }
    from += kTileRowBytes;
    first += w.tile_bytes;
    second += w.tile_bytes;
  }
  const int64_t out_row_bytes = out_stride * static_cast<int64_t>(sizeof(*out));
  StoreTmm<0>(out, out_row_bytes);
  StoreTmm<2>(out + kPanel, out_row_bytes);
  if constexpr (R > 1) {
    StoreTmm<1>(out + kTileRows * out_stride, out_row_bytes);
    StoreTmm<3>(out + kTileRows * out_stride + kPanel, out_row_bytes);
  }
}

// A row's softmax over the parts so far: its maximum score, and the sum of its
// weights relative to that.
struct RowSoftmax {
  float max = -kInfinity;
  float sum = 0;
};

// The factors by which the values summed so far, and those of a new part, are
// relative to the new maximum of a row.
struct PartFactors {
  float before, part;
};

// Turns n finished scores of a part, with the given maximum, into weights in
// pairs of bfloat16 that begin at the same address. Zeros follow up to a
// multiple of kTileTokens.
PartFactors TakePart(float* scores, int32_t n, float part_max,
                     RowSoftmax& row) {
  const float max = MaxOf(row.max, part_max);
  const PartFactors factors = {Exp(Broadcast(row.max - max))[0],
                               Exp(Broadcast(part_max - max))[0]};
  row.max = max;
  row.sum =
      row.sum * factors.before + factors.part * ExpInPlace(scores, n, part_max);
  const int32_t padded = RoundUp(n, kTileTokens);
  for (int32_t t = n; t < padded; ++t) scores[t] = 0;
  RoundToBf16(scores, padded, reinterpret_cast<int32_t*>(scores));
  return factors;
}

// Attends R groups of query rows, of which the last may be short: rows [first,
// first + num_rows).
template <int R>
void AttendRowGroups(const EncodeAttention& a, int32_t first,
                     int32_t num_rows) {
  float* all_scores = a.scratch;
  float* part_sums = all_scores + kTileQueries * kScoreStride;
  auto* q =
      reinterpret_cast<int32_t*>(part_sums + int64_t{kTileQueries} * a.dim);
  const int64_t q_row_bytes = int64_t{a.dim} * 2;
  const int64_t panel_bytes = int64_t{kPanel} * a.dim * 2;
  const auto finish_scores = FinishScoresFor(a);
  RowSoftmax softmax[R * kTileRows];
  PartFactors factors[R * kTileRows];
  for (int32_t r = 0; r < num_rows; ++r) {
    RoundToBf16(a.q + (first + r) * a.q_stride, a.dim,
                q + int64_t{r} * a.dim / 2);
    ClearRow(a.out + (first + r) * a.out_stride, a.dim);
  }
  for (int32_t t = 0; t < a.len; t += kContextPart) {
    const TokenRange range =
        VisibleTokens(a, t, MinOf(kContextPart, a.len - t), first, num_rows);
    const int32_t n = range.end - range.begin;
    if (n <= 0) continue;
    const int32_t first_token = t + range.begin;
    const int64_t offset = int64_t{first_token} * a.dim * 2;
    for (int32_t i = 0; i < n; i += 2 * kPanel) {
      // Without a second panel, the first is multiplied twice.
      const char* keys = a.k_panels + offset + i / kPanel * panel_bytes;
      MultiplyTwoPanels<R>(q, q_row_bytes,
                           {keys, i + kPanel < n ? keys + panel_bytes : keys,
                            kTileRowBytes, kTileBytes},
                           a.dim / 32, all_scores + i, kScoreStride);
    }
    for (int32_t r = 0; r < num_rows; ++r) {
      float* scores = all_scores + r * kScoreStride;
      const float part_max =
          finish_scores(scores, a.units.k * a.score_scale, a.softcap, a.bias,
                        first_token - (first + r), n);
      factors[r] = TakePart(scores, n, part_max, softmax[r]);
    }
    const int64_t pair_bytes = int64_t{a.dim} * 4;
    for (int32_t i = 0; i < a.dim; i += 2 * kPanel) {
      const char* values = a.v + offset + int64_t{i} * 4;
      MultiplyTwoPanels<R>(
          all_scores, kScoreStride * 4,
          {values, values + kPanel * 4, pair_bytes, kTileRows * pair_bytes},
          RoundUp(n, kTileTokens) / kTileTokens, part_sums + i, a.dim);
    }
    for (int32_t r = 0; r < num_rows; ++r) {
      float* out = a.out + (first + r) * a.out_stride;
      const float* sums = part_sums + int64_t{r} * a.dim;
      for (int32_t i = 0; i < a.dim; i += kLanes) {
        Store(out + i, Load(out + i) * factors[r].before +
                           factors[r].part * Load(sums + i));
      }
    }
  }
  for (int32_t r = 0; r < num_rows; ++r) {
    ScaleRow(a.out + (first + r) * a.out_stride, a.dim,
             a.units.v / softmax[r].sum);
  }
}

void AttendEncodeByTiles(const EncodeAttention& a) {
  if (a.type != EncodeType::kBf16 || a.dim % 32 != 0) return AttendEncode(a);
  Tiles tiles;
  for (int32_t row = a.first_row; row < a.end_row; row += kTileQueries) {
    const int32_t n = MinOf(kTileQueries, a.end_row - row);
    if (n > kTileRows) {
      tiles.Configure(kTileRows, n - kTileRows);
      AttendRowGroups<2>(a, row, n);
    } else {
      tiles.Configure(n, 0);
      AttendRowGroups<1>(a, row, n);
    }
  }
}

// Sets values to 0 from `len` up to a multiple of kTileTokens: they are
// multiplied with weights of 0, and must not be infinite or NaN.
HeadUnits PackHeadForTiles(const HeadRows& head, EncodeType type,
                           char* k_panels, char* v) {
  const HeadUnits units = PackHead(head, type, k_panels, v);
  if (type == EncodeType::kBf16) {
    auto* pairs = reinterpret_cast<uint32_t*>(v);
    const int64_t end = int64_t{RoundUp(head.len, kTileTokens)} / 2 * head.dim;
    for (int64_t i = int64_t{head.len + 1} / 2 * head.dim; i < end; ++i) {
      pairs[i] = 0;
    }
  }
  return units;
}

}  // namespace
}  // namespace sheaf::kernels

#endif  // __AMX_TILE__
