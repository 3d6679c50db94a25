// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <random>
#include <string>
#include <vector>

#include "base/bf16.h"
#include "engine/kernels/kernels.h"
#include "gtest/gtest.h"
#include "tests/support/emulated_tiles.h"

// Shared by the tests of kernels: the compilations to test, and random inputs.
namespace sheaf::kernels {

#if defined(__x86_64__)
extern const Kernels kAvx512Kernels;
#endif

inline std::vector<float> Random(std::mt19937& rng, size_t n) {
  std::normal_distribution<float> normal;
  std::vector<float> x(n);
  for (float& v : x) v = normal(rng);
  return x;
}

// How a product is stored.
inline constexpr struct {
  bool accumulate, has_bias;
} kStores[] = {{false, false}, {false, true}, {true, false}, {true, true}};

// Panels of 16 columns and pairs of k, of any type.
template <typename T>
std::vector<T> PackGroups(const std::vector<T>& w, int K, int N, int group) {
  const int groups = (K + group - 1) / group;
  std::vector<T> panels((N + 15) / 16 * 16 * groups * group, T{0});
  for (int n = 0; n < N; ++n) {
    for (int k = 0; k < K; ++k) {
      panels[((n / 16 * groups + k / group) * 16 + n % 16) * group +
             k % group] = w[n * K + k];
    }
  }
  return panels;
}

// The words of a row, as quantize_rows writes them.
inline std::vector<int32_t> ToWords(const std::vector<int>& x, int group) {
  std::vector<int32_t> words(x.size() / group);
  for (size_t i = 0; i < x.size(); ++i) {
    const uint32_t bits = group == 4 ? static_cast<uint8_t>(x[i] + 128)
                                     : static_cast<uint16_t>(x[i]);
    words[i / group] |= static_cast<int32_t>(bits << (i % group * 32 / group));
  }
  return words;
}

// A compilation of the kernels.
struct Compilation {
  Isa isa;
  bool has_bf16_products;
};

inline void RoundAll(std::vector<float>& x) {
  for (float& v : x) v = FromBf16(ToBf16(v));
}

// Compares every kernel with the definition in double, for every Isa that this
// machine has or emulates.
class KernelsTest : public ::testing::TestWithParam<Compilation> {
 protected:
  void SetUp() override {
    if (!CanRun(GetParam().isa)) GTEST_SKIP() << "not on this processor";
    kernels_ = &KernelsFor(GetParam().isa);
#if defined(__x86_64__)
    // AVX-512 without products of bfloat16 is tested on every processor that
    // has AVX-512.
    if (GetParam().isa == Isa::kAvx512 && !GetParam().has_bf16_products) {
      kernels_ = &kAvx512Kernels;
    }
#endif
    if (kernels_->has_bf16_products != GetParam().has_bf16_products) {
      GTEST_SKIP() << "not on this processor";
    }
  }
  const Kernels& kernels() const { return *kernels_; }

  // Checks a product in int8, stored in every way. `is_extreme`: of the largest
  // values, so that sums are large. The sums of 32 bits are exact for all
  // values, and they are scaled as defined, so the bits are the same for every
  // Isa and in any batch.
  void ExpectInt8IsExact(int M, int N, int K, bool is_extreme = false);

  const Kernels* kernels_ = nullptr;
  std::mt19937 rng_{301};
};

inline void KernelsTest::ExpectInt8IsExact(int M, int N, int K,
                                           bool is_extreme) {
  SCOPED_TRACE(testing::Message() << M << " " << N << " " << K);
  const int ldy = N + 3, group = kernels().int8_group;
  std::vector<int> x(M * K);
  std::vector<int8_t> w(N * K);
  for (int& v : x) {
    v = is_extreme ? 127 : static_cast<int>(rng_() % 255) - 127;
  }
  for (int8_t& v : w) {
    v = static_cast<int8_t>(is_extreme ? (rng_() % 9 ? 127 : -127)
                                       : static_cast<int>(rng_() % 255) - 127);
  }
  std::vector<int32_t> sums(M * N), w_sums((N + 15) / 16 * 16);
  for (int i = 0; i < N * K; ++i) w_sums[i / K] += w[i];
  for (int m = 0; m < M; ++m) {
    for (int n = 0; n < N; ++n) {
      int32_t sum = 0;
      for (int k = 0; k < K; ++k) sum += x[m * K + k] * w[n * K + k];
      sums[m * N + n] = sum;
    }
  }
  const auto x_scales = Random(rng_, M), w_scales = Random(rng_, N);
  const auto before = Random(rng_, M * ldy), bias = Random(rng_, N);
  const auto panels = PackGroups(w, K, N, group);
  const auto words = ToWords(x, group);
  for (const auto& [accumulate, has_bias] : kStores) {
    auto y = before;
    kernels().gemm_int8({words.data(), K / group, x_scales.data(), M, K,
                         panels.data(), w_scales.data(), w_sums.data(), N,
                         y.data(), ldy, accumulate,
                         has_bias ? bias.data() : nullptr});
    for (int m = 0; m < M; ++m) {
      for (int n = 0; n < ldy; ++n) {
        volatile float expected = before[m * ldy + n];
        if (n < N) {
          // Volatile, so that each step is rounded by itself.
          volatile float value = static_cast<float>(sums[m * N + n]);
          value = value * x_scales[m];
          value = value * w_scales[n];
          if (has_bias) value = value + bias[n];
          expected = accumulate ? expected + value : value;
        }
        ASSERT_EQ(y[m * ldy + n], expected) << m << " " << n;
      }
    }
  }
}

inline auto AllCompilations() {
  return ::testing::Values(
      Compilation{Isa::kPortable, false}, Compilation{Isa::kAvx2, false},
      Compilation{Isa::kAvx512, false}, Compilation{Isa::kAvx512, true},
      Compilation{Isa::kAmx, true});
}

inline std::string CompilationName(
    const ::testing::TestParamInfo<Compilation>& info) {
  return std::string(IsaName(info.param.isa)) +
         (info.param.has_bf16_products ? "_bf16" : "");
}

}  // namespace sheaf::kernels
