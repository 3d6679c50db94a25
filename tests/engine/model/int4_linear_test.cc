// SPDX-License-Identifier: Apache-2.0

// Products with weights in int4: how weights are rounded and laid out.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "base/bf16.h"
#include "engine/kernels/kernels.h"
#include "engine/model/int4_rounding.h"
#include "engine/model/linear.h"
#include "engine/thread_team.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

constexpr int kGroup = kernels::kInt4Group;

double SquaredError(const float (&weights)[kGroup],
                    const Int4Weights& rounded) {
  double error = 0;
  for (int i = 0; i < kGroup; ++i) {
    error += std::pow(
        weights[i] - double{FromBf16(rounded.scale)} * rounded.values[i], 2);
  }
  return error;
}

// The least squared error over many scales, of any precision.
double LeastSquaredError(const float (&weights)[kGroup]) {
  float largest = 0;
  for (const float w : weights) largest = std::max(largest, std::abs(w));
  double least = INFINITY;
  for (double divisor = 5; divisor < 12; divisor += 0.02) {
    for (const double sign : {-1, 1}) {
      const double scale = sign * largest / divisor;
      double error = 0;
      for (const float w : weights) {
        const double value = std::clamp(std::nearbyint(w / scale), -8.0, 7.0);
        error += std::pow(w - value * scale, 2);
      }
      least = std::min(least, error);
    }
  }
  return least;
}

TEST(Int4RoundingTest, TheErrorIsNearTheLeast) {
  std::mt19937 rng(301);
  std::normal_distribution<float> normal;
  double error = 0, least = 0, squares = 0;
  for (int group = 0; group < 500; ++group) {
    float weights[kGroup];
    for (float& w : weights) {
      w = normal(rng) * std::pow(10.0f, static_cast<float>(group % 9 - 4));
    }
    const double unit = std::pow(10.0, -2 * (group % 9 - 4));
    error += unit * SquaredError(weights, RoundToInt4(weights));
    least += unit * LeastSquaredError(weights);
    for (const float w : weights) squares += unit * w * w;
  }
  EXPECT_LT(std::sqrt(error / squares), 0.083);
  EXPECT_LT(std::sqrt(error / least), 1.01);
}

TEST(Int4RoundingTest, ValuesAreTheNearest) {
  std::mt19937 rng(302);
  std::normal_distribution<float> normal;
  for (int group = 0; group < 100; ++group) {
    float weights[kGroup];
    for (float& w : weights) w = normal(rng);
    const Int4Weights rounded = RoundToInt4(weights);
    const double scale = FromBf16(rounded.scale);
    for (int i = 0; i < kGroup; ++i) {
      double least = INFINITY;
      for (int value = -8; value <= 7; ++value) {
        least = std::min(least, std::abs(weights[i] - value * scale));
      }
      EXPECT_NEAR(std::abs(weights[i] - rounded.values[i] * scale), least,
                  1e-6);
    }
  }
}

TEST(Int4RoundingTest, MultiplesOfAScaleAreExact) {
  for (const float scale : {0.75f, -0.75f, 1e-30f, 1e30f}) {
    const float rounded_scale = FromBf16(ToBf16(scale));
    float weights[kGroup];
    for (int i = 0; i < kGroup; ++i) {
      weights[i] = static_cast<float>(i % 16 - 8) * rounded_scale;
    }
    const Int4Weights rounded = RoundToInt4(weights);
    EXPECT_EQ(SquaredError(weights, rounded), 0) << scale;
  }
}

TEST(Int4RoundingTest, ZerosAndDenormalNumbersHaveScaleZero) {
  for (const float weight : {0.0f, 1e-39f, -3e-40f}) {
    float weights[kGroup];
    std::fill(std::begin(weights), std::end(weights), weight);
    const Int4Weights rounded = RoundToInt4(weights);
    EXPECT_EQ(rounded.scale, 0);
  }
}

// A tensor of [rows, K] values that is given.
class GivenWeights : public WeightSource {
 public:
  GivenWeights(std::vector<float> values, int64_t K)
      : values_(std::move(values)), K_(K) {}
  std::vector<std::string> Names() const override { return {"w"}; }
  bool Has(absl::string_view) const override { return true; }
  absl::StatusOr<std::vector<int64_t>> Shape(absl::string_view) const override {
    return std::vector<int64_t>{static_cast<int64_t>(values_.size()) / K_, K_};
  }
  absl::Status ReadRows(absl::string_view, int64_t first_row, int64_t num_rows,
                        absl::Span<float> out) const override {
    std::copy_n(values_.begin() + first_row * K_, num_rows * K_, out.begin());
    return absl::OkStatus();
  }

 private:
  const std::vector<float> values_;
  const int64_t K_;
};

std::vector<float> Random(std::mt19937& rng, int64_t n) {
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(rng);
  return values;
}

// The weights [rows, K] as they are rounded.
std::vector<double> Rounded(const std::vector<float>& w, int64_t K) {
  std::vector<double> rounded;
  for (size_t row = 0; row < w.size(); row += K) {
    for (int64_t k = 0; k < K; k += kGroup) {
      const int64_t n = std::min<int64_t>(kGroup, K - k);
      float weights[kGroup] = {};
      std::copy_n(w.begin() + row + k, n, weights);
      const Int4Weights group = RoundToInt4(weights);
      for (int64_t i = 0; i < n; ++i) {
        rounded.push_back(double{FromBf16(group.scale)} * group.values[i]);
      }
    }
  }
  return rounded;
}

// A row of inputs [K] as it is rounded to int8.
std::vector<double> RoundedInputs(const float* x, int64_t K) {
  float max = 0;
  for (int64_t k = 0; k < K; ++k) max = std::max(max, std::abs(x[k]));
  std::vector<double> rounded(K);
  for (int64_t k = 0; k < K; ++k) {
    rounded[k] = std::nearbyint(x[k] * (127.0f / max)) * (max / 127.0f);
  }
  return rounded;
}

std::vector<kernels::Isa> Isas() {
  std::vector<kernels::Isa> isas;
  for (const kernels::Isa isa : {kernels::Isa::kPortable, kernels::Isa::kAvx2,
                                 kernels::Isa::kAvx512, kernels::Isa::kAmx}) {
    if (isa <= kernels::DetectIsa()) isas.push_back(isa);
  }
  return isas;
}

struct Shape {
  int64_t M, N, K;
};

TEST(Int4LinearTest, ProductsAreThoseOfTheRoundedWeightsAndInputs) {
  std::mt19937 rng(303);
  for (const auto& [M, N, K] : {Shape{1, 1, 1}, Shape{3, 40, 50},
                                Shape{70, 83, 96}, Shape{9, 256, 192}}) {
    SCOPED_TRACE(testing::Message() << M << " " << N << " " << K);
    const auto w = Random(rng, N * K), x = Random(rng, M * K);
    const auto bias = Random(rng, N), before = Random(rng, M * N);
    const GivenWeights source(w, K);
    const std::vector<double> rounded = Rounded(w, K);
    std::vector<std::vector<float>> results;
    for (const kernels::Isa isa : Isas()) {
      ThreadTeam team(2);
      const auto linear = Linear::Load(
          source, K, {{"w", 0, N, bias}},
          {&kernels::KernelsFor(isa), team.size(), WeightType::kInt4});
      ASSERT_TRUE(linear.ok()) << linear.status();
      std::vector<float> column(K);
      for (int64_t n = 0; n < N; ++n) {
        linear->ReadColumn(n, column.data());
        for (int64_t k = 0; k < K; ++k) {
          ASSERT_EQ(column[k], rounded[n * K + k]) << n << " " << k;
        }
      }
      auto& y = results.emplace_back(before);
      team.Run([&](const ThreadTeam::Member& member) {
        linear->Run(member, {x.data(), K}, static_cast<int32_t>(M), y.data(), N,
                    /*accumulate=*/true);
      });
      EXPECT_EQ(y, results.front()) << kernels::IsaName(isa);
      std::vector<float> alone(before.begin(), before.begin() + N);
      team.Run([&](const ThreadTeam::Member& member) {
        linear->Run(member, {x.data(), K}, 1, alone.data(), N,
                    /*accumulate=*/true);
      });
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(), y.begin()));
    }
    for (int64_t m = 0; m < M; ++m) {
      const std::vector<double> inputs = RoundedInputs(&x[m * K], K);
      for (int64_t n = 0; n < N; ++n) {
        double expected = double{before[m * N + n]} + bias[n];
        for (int64_t k = 0; k < K; ++k) {
          expected += inputs[k] * rounded[n * K + k];
        }
        ASSERT_NEAR(results.front()[m * N + n], expected, 5e-5)
            << m << " " << n;
      }
    }
  }
}

TEST(Int4LinearTest, TakesFourAndAHalfBitsPerWeight) {
  constexpr int64_t kN = 96, kK = 128;
  const GivenWeights source(std::vector<float>(kN * kK, 1.0f), kK);
  const auto linear = Linear::Load(
      source, kK, {{"w", 0, kN}},
      {&kernels::KernelsFor(kernels::Isa::kPortable), 1, WeightType::kInt4});
  ASSERT_TRUE(linear.ok());
  EXPECT_EQ(linear->bytes() * 8, kN * kK * 9 / 2);
}

}  // namespace
}  // namespace sheaf
