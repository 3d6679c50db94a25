// SPDX-License-Identifier: Apache-2.0

#include "tests/engine/kernels/kernels_test.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"

namespace sheaf::kernels {

namespace {

INSTANTIATE_TEST_SUITE_P(AllIsas, KernelsTest, AllCompilations(),
                         CompilationName);

std::vector<float> PackPanels(const std::vector<float>& w, int K, int N) {
  std::vector<float> panels((N + 15) / 16 * 16 * K, 99.0f);
  for (int n = 0; n < N; ++n) {
    for (int k = 0; k < K; ++k) {
      panels[n / 16 * 16 * K + k * 16 + n % 16] = w[n * K + k];
    }
  }
  return panels;
}

TEST_P(KernelsTest, GemmMatchesTheDefinition) {
  for (int M : {1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 32}) {
    for (int N : {1, 15, 16, 17, 64, 83}) {
      SCOPED_TRACE(testing::Message() << "M " << M << ", N " << N);
      const int K = 37, ldx = K + 3, ldy = N + 5;
      const auto x = Random(rng_, M * ldx), w = Random(rng_, N * K);
      const auto panels = PackPanels(w, K, N);
      const auto before = Random(rng_, M * ldy), bias = Random(rng_, N);
      for (const auto& [accumulate, has_bias] : kStores) {
        auto y = before;
        kernels().gemm({x.data(), ldx, M, K, panels.data(), N, y.data(), ldy,
                        accumulate, has_bias ? bias.data() : nullptr});
        for (int m = 0; m < M; ++m) {
          for (int n = 0; n < ldy; ++n) {
            double expected = before[m * ldy + n];
            if (n < N) {
              if (!accumulate) expected = 0;
              if (has_bias) expected += bias[n];
              for (int k = 0; k < K; ++k)
                expected += double{x[m * ldx + k]} * w[n * K + k];
            }
            ASSERT_NEAR(y[m * ldy + n], expected, 2e-5) << m << " " << n;
          }
        }
      }
    }
  }
}

TEST_P(KernelsTest, GemmGivesARowTheSameBitsInAnyBatch) {
  const int K = 96, N = 80, M = 32;
  const auto x = Random(rng_, M * K);
  const auto panels = PackPanels(Random(rng_, N * K), K, N);
  std::vector<float> together(M * N), alone(N);
  kernels().gemm(
      {x.data(), K, M, K, panels.data(), N, together.data(), N, false});
  for (int m = 0; m < M; ++m) {
    kernels().gemm(
        {x.data() + m * K, K, 1, K, panels.data(), N, alone.data(), N, false});
    ASSERT_TRUE(std::equal(alone.begin(), alone.end(), &together[m * N])) << m;
  }
}

TEST_P(KernelsTest, GemmBf16MatchesTheDefinition) {
  for (int M : {1, 2, 3, 4, 5, 6, 7, 13}) {
    for (int N : {1, 16, 50, 83}) {
      for (int K : {1, 36, 37}) {
        SCOPED_TRACE(testing::Message() << M << " " << N << " " << K);
        const int ldy = N + 3;
        auto x = Random(rng_, M * K);
        if (kernels().has_bf16_products) RoundAll(x);
        const auto before = Random(rng_, M * ldy), bias = Random(rng_, N);
        std::vector<int32_t> words(M * ((K + 1) / 2));
        std::vector<uint16_t> w(N * K);
        for (uint16_t& v : w) {  // Any finite bfloat16 of about 1.
          v = static_cast<uint16_t>((rng_() & 0x81ff) | 0x3e00);
        }
        const auto value = [&](int n, int k) {
          const uint32_t bits = uint32_t{w[n * K + k]} << 16;
          float wide;
          std::memcpy(&wide, &bits, sizeof(wide));
          return double{wide};
        };
        const auto panels = PackGroups(w, K, N, 2);
        for (const auto& [accumulate, has_bias] : kStores) {
          auto y = before;
          kernels().gemm_bf16({x.data(), K, M, K, panels.data(), N, y.data(),
                               ldy, accumulate, words.data(),
                               has_bias ? bias.data() : nullptr});
          for (int m = 0; m < M; ++m) {
            for (int n = 0; n < ldy; ++n) {
              double expected = before[m * ldy + n];
              if (n < N) {
                if (!accumulate) expected = 0;
                if (has_bias) expected += bias[n];
                for (int k = 0; k < K; ++k)
                  expected += x[m * K + k] * value(n, k);
              }
              ASSERT_NEAR(y[m * ldy + n], expected, 2e-5) << m << " " << n;
            }
          }
        }
      }
    }
  }
}

TEST_P(KernelsTest, GemmInt8IsExact) {
  for (int M : {1, 2, 4, 5, 7, 8, 11, 24}) {
    for (int N : {1, 16, 50, 64, 112}) {  // tiles of whole panels, and others
      for (bool is_extreme : {false, true}) {
        ExpectInt8IsExact(M, N, /*K=*/260, is_extreme);
      }
    }
  }
}

TEST_P(KernelsTest, QuantizedRowsAreTheNearestTiesToEven) {
  const int M = 3, K = 37, padded = 40, group = kernels().int8_group;
  auto x = Random(rng_, M * K);
  std::fill(x.begin() + K, x.begin() + 2 * K, 0.0f);
  x[2 * K] = 127.0f;  // With scale 1, halves are ties.
  for (int k = 1; k < K; ++k) x[2 * K + k] = static_cast<float>(k) - 18.5f;
  std::vector<int32_t> q(M * padded / group, 99);
  std::vector<float> scales(M);
  kernels().quantize_rows(x.data(), K, M, K, q.data(), padded / group,
                          scales.data());
  std::vector<int> expected(M * padded);
  for (int row = 0; row < M; ++row) {
    float max = 0;
    for (int k = 0; k < K; ++k) max = std::max(max, std::abs(x[row * K + k]));
    EXPECT_EQ(scales[row], max / 127.0f);
    for (int k = 0; max > 0 && k < K; ++k) {
      expected[row * padded + k] =
          static_cast<int>(std::nearbyint(x[row * K + k] * (127.0f / max)));
    }
  }
  EXPECT_EQ(q, ToWords(expected, group));
}

// Some columns of a row get the words that they have in the whole row.
TEST_P(KernelsTest, ColumnsAreQuantizedAsInTheWholeRow) {
  const int K = 55, padded = 56, group = kernels().int8_group;
  std::vector<float> x = Random(rng_, K);
  x[41] = -9.5f;
  EXPECT_EQ(kernels().max_magnitude(x.data(), K), 9.5f);
  EXPECT_EQ(kernels().max_magnitude(x.data() + 41, 1), 9.5f);
  EXPECT_EQ(kernels().max_magnitude(x.data(), 0), 0);
  std::vector<int32_t> row(padded / group), columns(padded / group, 99);
  float scale;
  kernels().quantize_rows(x.data(), K, 1, K, row.data(), padded / group,
                          &scale);
  for (const auto& [first, end] : {std::pair{20, K}, {4, 20}, {0, 4}}) {
    kernels().quantize_columns(x.data() + first, end - first, 9.5f,
                               columns.data() + first / group);
  }
  EXPECT_EQ(columns, row);
}

TEST_P(KernelsTest, RmsNormMatchesTheDefinition) {
  for (int dim : {1, 8, 40, 67}) {
    const auto x = Random(rng_, 3 * (dim + 2)), weight = Random(rng_, dim);
    std::vector<float> y(3 * dim);
    kernels().rms_norm(x.data(), dim + 2, 3, dim, weight.data(), 1e-3f,
                       y.data());
    for (int row = 0; row < 3; ++row) {
      double squares = 0;
      for (int i = 0; i < dim; ++i)
        squares += std::pow(x[row * (dim + 2) + i], 2);
      for (int i = 0; i < dim; ++i) {
        EXPECT_NEAR(y[row * dim + i],
                    x[row * (dim + 2) + i] / std::sqrt(squares / dim + 1e-3) *
                        weight[i],
                    1e-5);
      }
    }
  }
}

// The pair (x[i], x[dim / 2 + i]) turns by its angle; heads turn alike.
TEST_P(KernelsTest, RotateMatchesTheDefinition) {
  constexpr int kHeads = 3;
  for (int dim : {2, 6, 10, 12, 32, 64, 80, 256}) {
    const auto x = Random(rng_, kHeads * dim);
    const auto angles = Random(rng_, dim / 2);
    std::vector<float> table(dim), y = x;
    for (int i = 0; i < dim / 2; ++i) {
      table[i] = std::cos(angles[i]);
      table[dim / 2 + i] = std::sin(angles[i]);
    }
    kernels().rotate(y.data(), kHeads, dim, table.data());
    for (int head = 0; head < kHeads; ++head) {
      const float* from = &x[head * dim];
      const float* to = &y[head * dim];
      for (int i = 0; i < dim / 2; ++i) {
        const double a = from[i], b = from[dim / 2 + i], angle = angles[i];
        EXPECT_NEAR(to[i], a * std::cos(angle) - b * std::sin(angle), 2e-6);
        EXPECT_NEAR(to[dim / 2 + i], b * std::cos(angle) + a * std::sin(angle),
                    2e-6);
      }
    }
  }
}

TEST_P(KernelsTest, SoftCapMatchesTheDefinition) {
  std::vector<float> x;
  for (float v = -300.0f; v <= 300.0f; v += 0.37f) x.push_back(v);
  x.insert(x.end(), {0.0f, 1e-6f, -1e30f, 1e30f});
  for (float cap : {5.0f, 30.0f, 50.0f}) {
    std::vector<float> y = x;
    kernels().soft_cap(y.data(), y.size(), cap);
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_NEAR(y[i], cap * std::tanh(double{x[i]} / cap), 3e-7 * cap)
          << x[i];
    }
  }
}

TEST_P(KernelsTest, LayerNormMatchesTheDefinitionAlsoInPlace) {
  for (int dim : {1, 8, 40, 67}) {
    const auto x = Random(rng_, 3 * (dim + 2)), weight = Random(rng_, dim),
               bias = Random(rng_, dim);
    std::vector<float> y(3 * dim), in_place;
    kernels().layer_norm(x.data(), dim + 2, 3, dim, weight.data(), bias.data(),
                         1e-3f, y.data());
    for (int row = 0; row < 3; ++row) {
      const float* at = &x[row * (dim + 2)];
      double mean = 0, variance = 0;
      for (int i = 0; i < dim; ++i) mean += at[i] / static_cast<double>(dim);
      for (int i = 0; i < dim; ++i) {
        variance += std::pow(at[i] - mean, 2) / dim;
      }
      for (int i = 0; i < dim; ++i) {
        EXPECT_NEAR(
            y[row * dim + i],
            (at[i] - mean) / std::sqrt(variance + 1e-3) * weight[i] + bias[i],
            1e-5);
      }
      in_place.insert(in_place.end(), at, at + dim);
    }
    kernels().layer_norm(in_place.data(), dim, 3, dim, weight.data(),
                         bias.data(), 1e-3f, in_place.data());
    EXPECT_EQ(in_place, y);
  }
}

double Definition(Activation activation, double x) {
  switch (activation) {
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kGeluErf:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2)));
    case Activation::kGeluTanh:
      return 0.5 * x *
             (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  }
  return 0;
}

TEST_P(KernelsTest, ActivationsMatchTheirDefinitions) {
  std::vector<float> x;
  for (float v = -12.0f; v <= 12.0f; v += 0.037f) x.push_back(v);
  x.insert(x.end(), {-1000.0f, 1000.0f, 0.0f});
  const auto linear = Random(rng_, x.size());
  std::vector<float> y(x.size()), gated(x.size());
  for (Activation activation : {Activation::kRelu, Activation::kGeluTanh,
                                Activation::kGeluErf, Activation::kSilu}) {
    kernels().activate(activation, x.data(), nullptr, x.size(), y.data());
    kernels().activate(activation, x.data(), linear.data(), x.size(),
                       gated.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = Definition(activation, x[i]);
      ASSERT_NEAR(y[i], expected, 2e-6 + 1e-6 * std::abs(x[i])) << x[i];
      ASSERT_NEAR(gated[i], expected * linear[i], 1e-5 * (1 + std::abs(x[i])));
    }
  }
}

TEST_P(KernelsTest, MaxAndSumFindsTheFirstOfEqualsAndTheSoftmaxSum) {
  for (int n : {1, 7, 16, 100, 32128}) {
    auto x = Random(rng_, n);
    x[n / 3] = x[n - 1] = 5.0f;
    double sum = 0;
    for (float v : x) sum += std::exp(double{v} - 5.0);
    const MaxAndSum found = kernels().max_and_sum(x.data(), n);
    EXPECT_EQ(found.argmax, n / 3);
    EXPECT_EQ(found.max, 5.0f);
    EXPECT_NEAR(found.sum_exp / sum, 1.0, 1e-5);
  }
}

TEST_P(KernelsTest, ForbiddenLogitsCountForNothing) {
  std::vector<float> x(40, -std::numeric_limits<float>::infinity());
  x[17] = -3.0f;
  const MaxAndSum found = kernels().max_and_sum(x.data(), 40);
  EXPECT_EQ(found.argmax, 17);
  EXPECT_NEAR(found.sum_exp, 1.0, 1e-6);
}

}  // namespace
}  // namespace sheaf::kernels
