// Matrix products with weights of 16 and 8 bits: see GemmBf16 and GemmInt8 in
// kernels.h. The blocking is that of gemm.inl.h.

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace sheaf::kernels {
namespace {

// Two k a turn: the even one is the low half of each 32-bit lane, the odd one
// the high half; a bfloat16 is the upper half of an f32.
struct Bf16Product {
  using Args = GemmBf16;
  template <int R, int P>
  static void Run(const GemmBf16& g, int32_t row, int32_t panel) {
    const int64_t panel_pairs = int64_t{(g.K + 1) / 2} * kPanel;
    const auto* w = reinterpret_cast<const float*>(g.w) + panel * panel_pairs;
    const float* x = g.x + row * g.ldx;
    Vec sum[R][P][kVecsPerPanel] = {};
    for (int32_t k = 0; k < g.K; k += 2, w += kPanel) {
      Vec even[P][kVecsPerPanel], odd[P][kVecsPerPanel];
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
        __builtin_prefetch(w + p * panel_pairs + kPrefetchRows * kPanel);
#pragma GCC unroll 4
        for (int v = 0; v < kVecsPerPanel; ++v) {
          const IntVec pairs =
              reinterpret_cast<IntVec>(Load(w + p * panel_pairs + v * kLanes));
          even[p][v] = reinterpret_cast<Vec>(pairs << 16);
          odd[p][v] = reinterpret_cast<Vec>(
              pairs & (IntVec{} + static_cast<int32_t>(0xffff0000)));
        }
      }
      const bool has_odd = k + 1 < g.K;
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const Vec x_even = Broadcast(x[r * g.ldx + k]);
        const Vec x_odd = Broadcast(has_odd ? x[r * g.ldx + k + 1] : 0.0f);
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
    StoreTile<R, P>(g, row, panel, sum);
  }
};

// Scales sums and writes or adds them. One code for every Isa, without fused
// multiply-adds, which not every Isa has: so the bits are the same.
__attribute__((noinline, optimize("fp-contract=off"))) void StoreScaled(
    const int32_t* sums, float x_scale, const float* w_scales, int32_t n,
    bool accumulate, float* y) {
  for (int32_t i = 0; i < n; ++i) {
    const float value = static_cast<float>(sums[i]) * x_scale * w_scales[i];
    y[i] = accumulate ? y[i] + value : value;
  }
}

// 16 columns' sums of products of one pair of k, as the Isa does it best.
#if defined(__AVX512BW__)
struct Int8Vecs {
  static constexpr int kVecs = 1;
  using Sum = __m512i;
  static Sum Zero() { return _mm512_setzero_si512(); }
  static Sum Widen(const int8_t* w) {
    return _mm512_cvtepi8_epi16(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)));
  }
  static Sum Pair(int32_t x) { return _mm512_set1_epi32(x); }
  static Sum Add(Sum sum, Sum w, Sum x) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(w, x));
  }
  static void Store(int32_t* to, Sum sum) { _mm512_storeu_si512(to, sum); }
};
#elif defined(__AVX2__)
struct Int8Vecs {
  static constexpr int kVecs = 2;
  using Sum = __m256i;
  static Sum Zero() { return _mm256_setzero_si256(); }
  static Sum Widen(const int8_t* w) {
    return _mm256_cvtepi8_epi16(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(w)));
  }
  static Sum Pair(int32_t x) { return _mm256_set1_epi32(x); }
  static Sum Add(Sum sum, Sum w, Sum x) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(w, x));
  }
  static void Store(int32_t* to, Sum sum) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), sum);
  }
};
#elif defined(__SSE2__)
struct Int8Vecs {
  static constexpr int kVecs = 4;
  using Sum = __m128i;
  static Sum Zero() { return _mm_setzero_si128(); }
  static Sum Widen(const int8_t* w) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(w));
    return _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
  }
  static Sum Pair(int32_t x) { return _mm_set1_epi32(x); }
  static Sum Add(Sum sum, Sum w, Sum x) {
    return _mm_add_epi32(sum, _mm_madd_epi16(w, x));
  }
  static void Store(int32_t* to, Sum sum) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), sum);
  }
};
#else
struct Int8Vecs {
  static constexpr int kVecs = kPanel;
  struct Sum {
    int32_t a, b;
  };
  static Sum Zero() { return {0, 0}; }
  static Sum Widen(const int8_t* w) { return {w[0], w[1]}; }
  static Sum Pair(int32_t x) {
    return {static_cast<int16_t>(x & 0xffff), x >> 16};
  }
  static Sum Add(Sum sum, Sum w, Sum x) {
    return {sum.a + w.a * x.a + w.b * x.b, 0};
  }
  static void Store(int32_t* to, Sum sum) { *to = sum.a; }
};
#endif

struct Int8Product {
  using Args = GemmInt8;
  template <int R, int P>
  static void Run(const GemmInt8& g, int32_t row, int32_t panel) {
    using V = Int8Vecs;
    constexpr int kVecBytes = 2 * kPanel / V::kVecs;
    const int64_t panel_bytes = int64_t{g.K} * kPanel;
    const int8_t* w = g.w + panel * panel_bytes;
    const int16_t* x = g.x + row * g.ldx;
    typename V::Sum sum[R][P][V::kVecs];
    for (int r = 0; r < R; ++r) {
      for (int p = 0; p < P; ++p) {
        for (int v = 0; v < V::kVecs; ++v) sum[r][p][v] = V::Zero();
      }
    }
    for (int32_t k = 0; k < g.K; k += 2, w += 2 * kPanel) {
      typename V::Sum wide[P][V::kVecs];
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
        __builtin_prefetch(w + p * panel_bytes + kPrefetchRows * 64);
#pragma GCC unroll 16
        for (int v = 0; v < V::kVecs; ++v) {
          wide[p][v] = V::Widen(w + p * panel_bytes + v * kVecBytes);
        }
      }
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        int32_t pair;
        __builtin_memcpy(&pair, x + r * g.ldx + k, sizeof(pair));
        const typename V::Sum x_pair = V::Pair(pair);
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) {
#pragma GCC unroll 16
          for (int v = 0; v < V::kVecs; ++v) {
            sum[r][p][v] = V::Add(sum[r][p][v], wide[p][v], x_pair);
          }
        }
      }
    }
    int32_t sums[kPanel];
    for (int r = 0; r < R; ++r) {
      for (int p = 0; p < P; ++p) {
        for (int v = 0; v < V::kVecs; ++v) {
          V::Store(sums + v * (kPanel / V::kVecs), sum[r][p][v]);
        }
        const int32_t column = (panel + p) * kPanel;
        StoreScaled(sums, g.x_scales[row + r], g.w_scales + column,
                    MinOf(kPanel, g.num_columns - column), g.accumulate,
                    g.y + (row + r) * g.ldy + column);
      }
    }
  }
};

// Widening takes registers too: fewer rows than in f32.
constexpr int kMaxInt8Rows = kLanes == 8 ? 4 : kMaxTileRows;

// Without fused multiply-adds, like StoreScaled().
__attribute__((optimize("fp-contract=off"))) void QuantizeRows(
    const float* x, int64_t ldx, int32_t num_rows, int32_t K, int16_t* q,
    int64_t ldq, float* scales) {
  for (int32_t row = 0; row < num_rows; ++row, x += ldx, q += ldq) {
    Vec maxima = {};
    int32_t k = 0;
    for (; k + kLanes <= K; k += kLanes) {
      const Vec v = Load(x + k);
      maxima = Max(maxima, Max(v, -v));
    }
    float max = MaxLane(maxima);
    for (; k < K; ++k) {
      const float magnitude = x[k] < 0 ? -x[k] : x[k];
      max = magnitude > max ? magnitude : max;
    }
    scales[row] = max / 127.0f;
    const float inverse = max > 0 ? 127.0f / max : 0.0f;
    for (k = 0; k < K; ++k) {
      // Adding 1.5 * 2^23 rounds to an integer in the low bits.
      const float shifted = x[k] * inverse + 12582912.0f;
      q[k] = static_cast<int16_t>(static_cast<int32_t>(shifted - 12582912.0f));
    }
    for (; k < ldq; ++k) q[k] = 0;
  }
}

}  // namespace
}  // namespace sheaf::kernels
