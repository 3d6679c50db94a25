// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <random>
#include <string>
#include <vector>

#include "base/bf16.h"
#include "engine/kernels/kernels.h"
#include "gtest/gtest.h"

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

// A compilation of the kernels.
struct Compilation {
  Isa isa;
  bool has_bf16_products;
};

inline void RoundAll(std::vector<float>& x) {
  for (float& v : x) v = FromBf16(ToBf16(v));
}

// Compares every kernel with the definition in double, for every Isa that this
// machine has.
class KernelsTest : public ::testing::TestWithParam<Compilation> {
 protected:
  void SetUp() override {
    if (GetParam().isa > DetectIsa()) GTEST_SKIP() << "not on this processor";
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
      Compilation{Isa::kAvx512, false}, Compilation{Isa::kAvx512, true});
}

inline std::string CompilationName(
    const ::testing::TestParamInfo<Compilation>& info) {
  return std::string(IsaName(info.param.isa)) +
         (info.param.has_bf16_products ? "_bf16" : "");
}

}  // namespace sheaf::kernels
