// SPDX-License-Identifier: Apache-2.0

// Compares the scans of a row of logits with the definition in double, for
// every instruction set that this processor has.

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "engine/kernels/kernels.h"
#include "gtest/gtest.h"
#include "tests/support/emulated_tiles.h"

namespace sheaf::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class ScanKernelsTest : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!CanRun(GetParam())) GTEST_SKIP() << "not on this processor";
    kernels_ = &KernelsFor(GetParam());
  }
  // Sizes around those of a vector, a block, and several blocks.
  static constexpr int32_t kSizes[] = {1,  7,  8,   15,  16,  63,
                                       64, 65, 127, 128, 129, 1000};
  static std::vector<float> Row(int32_t size) {
    std::mt19937 rng(size);
    std::normal_distribution<float> normal(0.0f, 10.0f);
    std::vector<float> x(size);
    for (float& value : x) value = normal(rng);
    if (size > 3) x[size / 2] = -kInfinity;
    return x;
  }

  const Kernels* kernels_;
};

std::string Name(const ::testing::TestParamInfo<Isa>& info) {
  return std::string(IsaName(info.param));
}

INSTANTIATE_TEST_SUITE_P(All, ScanKernelsTest,
                         ::testing::Values(Isa::kPortable, Isa::kAvx2,
                                           Isa::kAvx512, Isa::kAmx),
                         Name);

TEST_P(ScanKernelsTest, BlockMaximaAreEachBlocksGreatest) {
  for (int32_t size : kSizes) {
    const std::vector<float> x = Row(size);
    std::vector<float> expected;
    for (int32_t at = 0; at < size; at += kScanBlock) {
      expected.push_back(*std::max_element(
          x.begin() + at, x.begin() + std::min(size, at + kScanBlock)));
    }
    std::vector<float> maxima(expected.size());
    kernels_->block_maxima(x.data(), size, maxima.data());
    EXPECT_EQ(maxima, expected) << size;
  }
}

TEST_P(ScanKernelsTest, ABlockOfForbiddenTokensHasNoMaximum) {
  const std::vector<float> x(70, -kInfinity);
  float maxima[2];
  kernels_->block_maxima(x.data(), 70, maxima);
  EXPECT_EQ(maxima[0], -kInfinity);
  EXPECT_EQ(maxima[1], -kInfinity);
}

TEST_P(ScanKernelsTest, ExpWeightsAreExponentialsAndTheirSum) {
  for (int32_t size : kSizes) {
    for (float scale : {0.1f, 1.0f, 3.0f}) {
      const std::vector<float> x = Row(size);
      const float max = *std::max_element(x.begin(), x.end());
      std::vector<float> weights(size);
      const double total =
          kernels_->exp_weights(x.data(), size, max, scale, weights.data());
      double expected_total = 0;
      for (int32_t i = 0; i < size; ++i) {
        const double power = (double{x[i]} - max) * scale;
        if (power < kLeastWeightPower * 1.001) {
          EXPECT_EQ(weights[i], 0.0f) << x[i];
          continue;
        }
        const double expected = std::exp(power);
        expected_total += expected;
        if (power < kLeastWeightPower * 0.999) continue;  // either is right
        // The power is rounded to f32, so its error grows with its size.
        EXPECT_NEAR(weights[i], expected, expected * (1e-6 - 3e-7 * power));
      }
      EXPECT_NEAR(total, expected_total, expected_total * 2e-6);
    }
  }
}

}  // namespace
}  // namespace sheaf::kernels
