// SPDX-License-Identifier: Apache-2.0

#pragma once

// Vectors by the compiler's own vector types, as wide as those of the
// instruction set that a file is compiled for. The kernels' sources are
// compiled once for every Isa (kernels_*.cc).
//
// Some of these compilations use instructions that the processor may not have,
// and then only the rest of the program runs. So the kernels' headers must not
// use any inline function with external linkage: the linker could keep this
// compilation's copy of std::max, for example, for the whole program. Hence
// everything is in an unnamed namespace, and no standard template is used.

#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace sheaf::kernels {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
typedef float Vec __attribute__((vector_size(kVectorBytes)));
typedef int32_t IntVec __attribute__((vector_size(kVectorBytes)));
typedef float UnalignedVec
    __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));

constexpr int kLanes = kVectorBytes / 4;
#if defined(__AVX512BF16__)
constexpr bool kHasBf16Products = true;
#else
constexpr bool kHasBf16Products = false;
#endif
constexpr float kInfinity = __builtin_inff();
// 1.5 * 2^23. A number that is added to it is rounded to an integer, ties to
// even, which is then in the low bits of the sum.
constexpr float kRounder = 12582912.0f;

inline Vec Load(const float* p) {
  return *reinterpret_cast<const UnalignedVec*>(p);
}
inline void Store(float* p, Vec v) { *reinterpret_cast<UnalignedVec*>(p) = v; }
inline Vec Broadcast(float x) { return x - Vec{}; }
#if defined(__AVX512F__)
inline Vec Max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
inline Vec Min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
#elif defined(__AVX2__)
inline Vec Max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
inline Vec Min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
#else
inline Vec Max(Vec a, Vec b) { return a > b ? a : b; }
inline Vec Min(Vec a, Vec b) { return a < b ? a : b; }
#endif
template <typename T>
constexpr T MinOf(T a, T b) {
  return a < b ? a : b;
}
template <typename T>
constexpr T MaxOf(T a, T b) {
  return a > b ? a : b;
}
inline int32_t RoundUp(int32_t n, int32_t unit) {
  return (n + unit - 1) / unit * unit;
}

// Returns v. The compiler does not fuse the multiplication that made it with an
// addition that follows, so the product is rounded on every Isa.
inline Vec Rounded(Vec v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__SSE2__)
  asm("" : "+x"(v));
#else
  asm("" : "+m"(v));
#endif
  return v;
}

// The sum of all lanes, in a fixed order.
inline float Sum(Vec v) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}
inline float MaxLane(Vec v) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps(v);
#endif
  float max = v[0];
  for (int i = 1; i < kLanes; ++i) max = v[i] > max ? v[i] : max;
  return max;
}

// The maximum of |x[i]| over n values.
inline float MaxMagnitude(const float* x, int32_t n) {
  Vec maxima = {};
  int32_t k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    const Vec v = Load(x + k);
    maxima = Max(maxima, Max(v, -v));
  }
  float max = MaxLane(maxima);
  for (; k < n; ++k) {
    const float magnitude = x[k] < 0 ? -x[k] : x[k];
    max = magnitude > max ? magnitude : max;
  }
  return max;
}

// Whether any lane of v is greater than x.
inline bool AnyAbove(Vec v, float x) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(v, Broadcast(x), _CMP_GT_OQ) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps(reinterpret_cast<__m256>(v > x)) != 0;
#else
  const IntVec above = v > x;
  int32_t any = 0;
  for (int i = 0; i < kLanes; ++i) any |= above[i];
  return any != 0;
#endif
}

// Each lane of a and b holds two integers of 16 bits. Returns the sum of their
// two products in each lane.
inline IntVec MultiplyPairs(IntVec a, IntVec b) {
#if defined(__AVX512BW__)
  return reinterpret_cast<IntVec>(_mm512_madd_epi16(
      reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<IntVec>(_mm256_madd_epi16(
      reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#else
  return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
#endif
}

// e^x with a relative error below 2e-7. x is clamped to [-87, 88], so e^-inf is
// 1.6e-38, and no result is denormal or infinite. With x = n ln 2 + r, e^r is
// 1 + r + r^2 p(r), where p is the polynomial of degree 3 that minimizes the
// maximum relative error (1.1e-7) for |r| <= ln(2) / 2.
inline Vec Exp(Vec x) {
  x = Max(Min(x, Broadcast(88.0f)), Broadcast(-87.0f));
  const Vec shifted = x * 1.44269504088896341f + kRounder;
  const Vec n = shifted - kRounder;
  const Vec r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  Vec p = r * 8.3124302e-3f + 4.1890986e-2f;
  p = p * r + 1.6667119e-1f;
  p = p * r + 4.9999225e-1f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // Multiplies by 2^n by adding n to the exponent.
  return reinterpret_cast<Vec>(reinterpret_cast<IntVec>(p) +
                               (reinterpret_cast<IntVec>(shifted) << 23));
}

// cap * tanh(x / cap), which is cap - 2 cap / (1 + e^(2 x / cap)), with an
// absolute error below 3e-7 * cap.
inline Vec SoftCap(Vec x, float cap) {
  return cap - 2.0f * cap / (1.0f + Exp(x * (2.0f / cap)));
}

}  // namespace
}  // namespace sheaf::kernels
