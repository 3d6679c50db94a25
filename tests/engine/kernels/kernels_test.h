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
  const Kernels* kernels_ = nullptr;
  std::mt19937 rng_{301};
};

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
