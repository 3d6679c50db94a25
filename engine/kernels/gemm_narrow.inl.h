// SPDX-License-Identifier: Apache-2.0

#pragma once

// Matrix products with weights of 16 and 8 bits; see GemmBf16 and GemmInt8 in
// kernels.h. The blocking is that of gemm.inl.h.

#include "engine/kernels/gemm.inl.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/simd.inl.h"

namespace sheaf::kernels {
namespace {

struct Bf16Product {
  using Args = GemmBf16;
  static constexpr int kAccumulators = F32Product::kAccumulators;
  // Widening needs registers too, so there are fewer rows than in f32.
  static constexpr int32_t kMaxRows = kLanes == 8 ? 4 : kMaxTileRows;
  static int64_t PanelBytes(const GemmBf16& g) {
    return int64_t{(g.K + 1) / 2} * kPanel *
           static_cast<int64_t>(sizeof(float));
  }
  template <int R, int P, bool kIsStream>
  static void Run(const GemmBf16& g, int32_t row, int32_t panel,
                  const Ahead& ahead) {
    const int64_t panel_pairs = int64_t{(g.K + 1) / 2} * kPanel;
    const auto* w = reinterpret_cast<const float*>(g.w) + panel * panel_pairs;
    const Streams<P> streams = PanelStreams<P>(w, panel_pairs, ahead);
    Vec sum[R][P][kVecsPerPanel] = {};
#if defined(__AVX512BF16__)
    TileDot<R, P, true>(g.words + row * ((g.K + 1) / 2), (g.K + 1) / 2, g.K,
                        streams, kPanel, sum);
#else
    TileBf16<R, P, true>(g.x + row * g.ldx, g.ldx, g.K, streams, kPanel, sum);
#endif
    StoreTile<R, P>(g, row, panel, sum);
  }
};

void MultiplyBf16(const GemmBf16& g) {
#if defined(__AVX512BF16__)
  for (int32_t row = 0; row < g.num_rows; ++row) {
    RoundToBf16(g.x + row * g.ldx, g.K, g.words + row * ((g.K + 1) / 2));
  }
#endif
  RunProduct<Bf16Product>(g);
}

// Scales n sums, adds `bias` unless it is null, and writes or adds them. No
// Isa uses fused multiply-adds here, because not every Isa has them, so that
// the bits are the same. ScalePanel() does the same for 16 sums.
__attribute__((noinline, optimize("fp-contract=off"))) void StoreScaled(
    const int32_t* sums, float x_scale, const float* w_scales,
    const float* bias, int32_t n, bool accumulate, float* y) {
  for (int32_t i = 0; i < n; ++i) {
    float value = static_cast<float>(sums[i]) * x_scale * w_scales[i];
    if (bias != nullptr) value += bias[i];
    y[i] = accumulate ? y[i] + value : value;
  }
}

// The scales and the bias of the 16 columns of a panel, in registers.
struct PanelScales {
  Vec scale[kVecsPerPanel];
  Vec bias[kVecsPerPanel];
};

template <bool kHasBias, bool kAccumulate>
inline __attribute__((always_inline)) void ScalePanel(
    const IntVec (&sum)[kVecsPerPanel], float x_scale, const PanelScales& w,
    float* y) {
#pragma GCC unroll 4
  for (int v = 0; v < kVecsPerPanel; ++v) {
    float* at = y + v * kLanes;
    Vec value = __builtin_convertvector(sum[v], Vec) * x_scale * w.scale[v];
    if constexpr (kHasBias || kAccumulate) value = Rounded(value);
    if constexpr (kHasBias) value += w.bias[v];
    if constexpr (kAccumulate) value += Load(at);
    Store(at, value);
  }
}

// The sums of a panel for one of R rows that are multiplied together. Add()
// adds the products of kWords words of x with as many words of each column, in
// the way that is fastest on the Isa.
#if defined(__AVX512VNNI__)
template <int R>
struct Int8Panel {
  static constexpr int kGroup = 4, kVecs = 1, kWords = 1;
  static constexpr int kAccumulators = 24;
  using Sum = __m512i;
  struct Weights {
    __m512i v;
  };
  // Each x is unsigned and 128 too large; the initial sums subtract that.
  static Sum First(const int32_t* w_sums, int) {
    const auto sums = reinterpret_cast<IntVec>(_mm512_loadu_si512(w_sums));
    return reinterpret_cast<__m512i>(sums * -128);
  }
  static Weights Load(const int8_t* w) { return {_mm512_loadu_si512(w)}; }
  // Uses assembly, because with its own intrinsic GCC 12 copies every sum to
  // another register and back, which takes three times as long.
  static void Add(const Weights& w, const int32_t* x, Sum (&sum)[kVecs]) {
    asm("vpdpbusd %2, %1, %0"
        : "+v"(sum[0])
        : "v"(_mm512_set1_epi32(*x)), "v"(w.v));
  }
};
#elif defined(__AVX2__)
template <int R>
struct Int8Panel {
  // Two words at a time while the registers suffice. Their products are added
  // to each other before they are added to the sum, so that the chain of
  // dependent additions is half as long.
  static constexpr int kGroup = 2, kVecs = 2, kWords = R <= 4 ? 2 : 1;
  static constexpr int kAccumulators = 8;
  using Sum = __m256i;
  struct Weights {
    __m256i v[kWords][kVecs];
  };
  static Sum First(const int32_t*, int) { return _mm256_setzero_si256(); }
  static Weights Load(const int8_t* w) {
    const auto* from = reinterpret_cast<const __m128i*>(w);
    Weights wide;
#pragma GCC unroll 4
    for (int i = 0; i < kWords * kVecs; ++i) {
      wide.v[i / kVecs][i % kVecs] =
          _mm256_cvtepi8_epi16(_mm_loadu_si128(from + i));
    }
    return wide;
  }
  static void Add(const Weights& w, const int32_t* x, Sum (&sum)[kVecs]) {
    const __m256i first = _mm256_set1_epi32(x[0]);
    const __m256i last = _mm256_set1_epi32(x[kWords - 1]);
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) {
      __m256i products = _mm256_madd_epi16(first, w.v[0][v]);
      if constexpr (kWords > 1) {
        products =
            _mm256_add_epi32(products, _mm256_madd_epi16(last, w.v[1][v]));
      }
      sum[v] = _mm256_add_epi32(sum[v], products);
    }
  }
};
#elif defined(__SSE2__)
template <int R>
struct Int8Panel {
  static constexpr int kGroup = 2, kVecs = 4, kWords = 1;
  static constexpr int kAccumulators = 8;
  using Sum = __m128i;
  struct Weights {
    __m128i v[kVecs];
  };
  static Sum First(const int32_t*, int) { return _mm_setzero_si128(); }
  static Weights Load(const int8_t* w) {
    Weights wide;
    for (int v = 0; v < kVecs; ++v) {
      const __m128i bytes =
          _mm_loadl_epi64(reinterpret_cast<const __m128i*>(w + 8 * v));
      wide.v[v] = _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
    }
    return wide;
  }
  static void Add(const Weights& w, const int32_t* x, Sum (&sum)[kVecs]) {
    const __m128i pair = _mm_set1_epi32(*x);
    for (int v = 0; v < kVecs; ++v) {
      sum[v] = _mm_add_epi32(sum[v], _mm_madd_epi16(pair, w.v[v]));
    }
  }
};
#else
template <int R>
struct Int8Panel {
  static constexpr int kGroup = 2, kVecs = kPanel, kWords = 1;
  static constexpr int kAccumulators = 16;
  using Sum = int32_t;
  struct Weights {
    const int8_t* w;
  };
  static Sum First(const int32_t*, int) { return 0; }
  static Weights Load(const int8_t* w) { return {w}; }
  static void Add(const Weights& w, const int32_t* x, Sum (&sum)[kVecs]) {
    int16_t pair[2];
    __builtin_memcpy(pair, x, sizeof(pair));
    for (int v = 0; v < kVecs; ++v) {
      sum[v] += pair[0] * w.w[2 * v] + pair[1] * w.w[2 * v + 1];
    }
  }
};
#endif

// The sums of one row and panel as vectors of kLanes integers.
template <typename V>
inline void ToVectors(const typename V::Sum (&sum)[V::kVecs],
                      IntVec (&out)[kVecsPerPanel]) {
  if constexpr (sizeof(typename V::Sum) == kVectorBytes) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecsPerPanel; ++v) {
      out[v] = reinterpret_cast<IntVec>(sum[v]);
    }
  } else {
    for (int i = 0; i < kPanel; ++i) out[i / kLanes][i % kLanes] = sum[i];
  }
}

// Writes a tile of whole panels.
template <typename V, int R, int P, bool kHasBias, bool kAccumulate>
inline __attribute__((always_inline)) void StoreInt8Tile(
    const GemmInt8& g, int32_t row, int32_t panel,
    const typename V::Sum (&sum)[R][P][V::kVecs]) {
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    const int32_t column = (panel + p) * kPanel;
    PanelScales w;
#pragma GCC unroll 4
    for (int v = 0; v < kVecsPerPanel; ++v) {
      w.scale[v] = Load(g.w_scales + column + v * kLanes);
      if constexpr (kHasBias) w.bias[v] = Load(g.bias + column + v * kLanes);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      IntVec vectors[kVecsPerPanel];
      ToVectors<V>(sum[r][p], vectors);
      ScalePanel<kHasBias, kAccumulate>(vectors, g.x_scales[row + r], w,
                                        g.y + (row + r) * g.ldy + column);
    }
  }
}

// Writes a tile whose last panel may have fewer than 16 columns.
template <typename V, int R, int P>
inline void StoreLastInt8Tile(const GemmInt8& g, int32_t row, int32_t panel,
                              const typename V::Sum (&sum)[R][P][V::kVecs]) {
  int32_t sums[kPanel];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
      IntVec vectors[kVecsPerPanel];
      ToVectors<V>(sum[r][p], vectors);
      __builtin_memcpy(sums, vectors, sizeof(sums));
      const int32_t column = (panel + p) * kPanel;
      StoreScaled(sums, g.x_scales[row + r], g.w_scales + column,
                  g.bias != nullptr ? g.bias + column : nullptr,
                  MinOf(kPanel, g.num_columns - column), g.accumulate,
                  g.y + (row + r) * g.ldy + column);
    }
  }
}

// Prefetches what the caller of a product reads next, a line per step at most.
struct CallersAhead {
  // Prefetches what is there anyway until it takes something.
  explicit CallersAhead(const void* in_cache)
      : at(static_cast<const char*>(in_cache)) {}

  void Take(ReadAhead* ahead, int32_t num_steps) {
    if (ahead == nullptr) return;
    const ReadAhead::Piece piece = ahead->Take(num_steps * kRowBytes);
    if (piece.at == nullptr) return;
    at = piece.at;
    step = piece.bytes / num_steps;
  }
  void Prefetch() {
    __builtin_prefetch(at, /*rw=*/0, /*locality=*/2);
    at += step;
  }

  const char* at;
  int64_t step = 0;
};

struct Int8Product {
  using Args = GemmInt8;
  static constexpr int kAccumulators = Int8Panel<1>::kAccumulators;
  static constexpr int32_t kMaxRows = kMaxTileRows;
  static int64_t PanelBytes(const GemmInt8& g) { return int64_t{g.K} * kPanel; }
  template <int R, int P, bool kIsStream>
  static void Run(const GemmInt8& g, int32_t row, int32_t panel,
                  const Ahead& ahead) {
    using V = Int8Panel<R>;
    constexpr int kStepK = V::kGroup * V::kWords;
    const int64_t panel_bytes = int64_t{g.K} * kPanel;
    const int8_t* w = g.w + panel * panel_bytes;
    const int32_t* x = g.x + row * g.ldx;
    typename V::Sum sum[R][P][V::kVecs];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
        for (int v = 0; v < V::kVecs; ++v) {
          sum[r][p][v] = V::First(g.w_sums + (panel + p) * kPanel, v);
        }
      }
    }
    const int8_t* next = w + ahead.first;
    const int64_t next_step = ahead.step * kStepK * kPanel / kRowBytes;
    CallersAhead callers(w);
    if constexpr (!kIsStream) callers.Take(g.ahead, g.K / kStepK);
    for (int32_t k = 0; k < g.K;
         k += kStepK, w += kStepK * kPanel, next += next_step, x += V::kWords) {
      if constexpr (!kIsStream) callers.Prefetch();
      typename V::Weights weights[P];
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
        __builtin_prefetch(next + p * panel_bytes);
        weights[p] = V::Load(w + p * panel_bytes);
      }
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) {
          V::Add(weights[p], x + r * g.ldx, sum[r][p]);
        }
      }
    }
    if ((panel + P) * kPanel > g.num_columns) {
      return StoreLastInt8Tile<V, R, P>(g, row, panel, sum);
    }
    if (g.bias != nullptr) {
      g.accumulate ? StoreInt8Tile<V, R, P, true, true>(g, row, panel, sum)
                   : StoreInt8Tile<V, R, P, true, false>(g, row, panel, sum);
    } else {
      g.accumulate ? StoreInt8Tile<V, R, P, false, true>(g, row, panel, sum)
                   : StoreInt8Tile<V, R, P, false, false>(g, row, panel, sum);
    }
  }
};

// Writes value k to the words of a row.
inline void PutQuantized(int32_t value, int32_t* words, int32_t k) {
  if constexpr (Int8Panel<1>::kGroup == 4) {
    reinterpret_cast<uint8_t*>(words)[k] = static_cast<uint8_t>(value + 128);
  } else {
    const int16_t narrow = static_cast<int16_t>(value);
    __builtin_memcpy(reinterpret_cast<char*>(words) + 2 * k, &narrow, 2);
  }
}

// Does the same for kLanes values, given in the low bits of each lane.
inline void PutLanes(IntVec values, int32_t* words, int32_t k) {
#if defined(__AVX512VNNI__)
  const __m128i bytes = _mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(values));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(words + k / 4),
                   _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
#elif defined(__AVX2__)
  const __m256i low = _mm256_shuffle_epi8(
      reinterpret_cast<__m256i>(values),
      _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1,
                       0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1,
                       -1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(words + k / 2),
                   _mm256_castsi256_si128(_mm256_permute4x64_epi64(low, 0x08)));
#else
  int16_t narrow[kLanes];
  for (int i = 0; i < kLanes; ++i) narrow[i] = static_cast<int16_t>(values[i]);
  __builtin_memcpy(reinterpret_cast<char*>(words) + 2 * k, narrow,
                   sizeof(narrow));
#endif
}

// Uses no fused multiply-adds, like StoreScaled().
__attribute__((optimize("fp-contract=off"))) void QuantizeColumns(
    const float* x, int32_t n, float max, int32_t* q) {
  const float inverse = max > 0 ? 127.0f / max : 0.0f;
  int32_t k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    // The low bits of the sum are the nearest integer.
    const Vec shifted = Rounded(Load(x + k) * inverse) + kRounder;
    PutLanes(reinterpret_cast<IntVec>(shifted), q, k);
  }
  for (; k < n; ++k) {
    const float shifted = x[k] * inverse + kRounder;
    PutQuantized(static_cast<int32_t>(shifted - kRounder), q, k);
  }
  for (; k % Int8Panel<1>::kGroup != 0; ++k) PutQuantized(0, q, k);
}

void QuantizeRows(const float* x, int64_t ldx, int32_t num_rows, int32_t K,
                  int32_t* q, int64_t ldq, float* scales) {
  const int32_t padded = static_cast<int32_t>(ldq) * Int8Panel<1>::kGroup;
  for (int32_t row = 0; row < num_rows; ++row, x += ldx, q += ldq) {
    const float max = MaxMagnitude(x, K);
    scales[row] = max / 127.0f;
    QuantizeColumns(x, K, max, q);
    for (int32_t k = K; k < padded; ++k) PutQuantized(0, q, k);
  }
}

}  // namespace
}  // namespace sheaf::kernels
