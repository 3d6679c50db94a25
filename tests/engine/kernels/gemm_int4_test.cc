// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/bf16.h"
#include "gtest/gtest.h"
#include "tests/engine/kernels/kernels_test.h"

namespace sheaf::kernels {
namespace {

using Int4Test = KernelsTest;
INSTANTIATE_TEST_SUITE_P(AllIsas, Int4Test, AllCompilations(), CompilationName);

// Weights of [-8, 7] and their scales, and inputs of [-127, 127].
struct Product {
  int M, N, K;
  std::vector<int> x = {};           // [M, K]
  std::vector<int> w = {};           // [N, K]
  std::vector<float> scales = {};    // [N, K / kInt4Group], bfloat16
  std::vector<float> x_scales = {};  // [M]
  std::vector<uint8_t> panels = {};
  std::vector<int8_t> x_bytes = {};
  std::vector<int32_t> starts = {};
};

void Pack(Product& p) {
  const int units = p.K / kInt4Unit, groups = p.K / kInt4Group;
  p.panels.assign((p.N + 15) / 16 * units * kInt4UnitBytes, 0x5a);
  for (int n = 0; n < p.N; ++n) {
    for (int k = 0; k < p.K; ++k) {
      uint8_t* unit =
          &p.panels[(n / 16 * units + k / kInt4Unit) * kInt4UnitBytes];
      const uint16_t scale = ToBf16(p.scales[n * groups + k / kInt4Group]);
      std::memcpy(unit + n % 16 * 4 + k / kInt4Group % 2 * 2, &scale, 2);
      const int in_unit = k % kInt4Unit;
      uint8_t& byte = unit[64 + in_unit / 8 * 64 + n % 16 * 4 + in_unit % 4];
      const int shift = in_unit % 8 < 4 ? 0 : 4;
      byte = static_cast<uint8_t>((byte & ~(15 << shift)) |
                                  (p.w[n * p.K + k] + 8) << shift);
    }
  }
  p.x_bytes.assign(p.x.begin(), p.x.end());
  p.starts.assign(p.M * groups, 0);
  for (int i = 0; i < p.M * p.K; ++i) p.starts[i / kInt4Group] -= 8 * p.x[i];
}

Product RandomProduct(std::mt19937& rng, int M, int N, int K, bool is_extreme) {
  Product p = {.M = M, .N = N, .K = K};
  const auto between = [&](int low, int high) {
    return low + static_cast<int>(rng() % (high - low + 1));
  };
  for (int i = 0; i < M * K; ++i) {
    p.x.push_back(is_extreme ? (between(0, 30) ? 127 : -127)
                             : between(-127, 127));
  }
  for (int i = 0; i < N * K; ++i) {
    p.w.push_back(is_extreme ? (between(0, 30) ? -8 : 7) : between(-8, 7));
  }
  p.scales = Random(rng, N * K / kInt4Group);
  RoundAll(p.scales);
  p.x_scales = Random(rng, M);
  Pack(p);
  return p;
}

void Multiply(const Kernels& kernels, const Product& p, float* y, int ldy,
              bool accumulate, const float* bias) {
  kernels.gemm_int4({p.x_bytes.data(), p.K, p.starts.data(), p.K / kInt4Group,
                     p.x_scales.data(), p.M, p.K, p.panels.data(), p.N, y, ldy,
                     accumulate, bias});
}

// The definition, each step of which is rounded by itself.
float Expected(const Product& p, int m, int n, bool accumulate, float before,
               const float* bias) {
  volatile float total = 0;
  for (int group = 0; group < p.K / kInt4Group; ++group) {
    int sum = 0;
    for (int k = group * kInt4Group; k < (group + 1) * kInt4Group; ++k) {
      sum += p.x[m * p.K + k] * p.w[n * p.K + k];
    }
    volatile float scaled = static_cast<float>(sum);
    scaled = scaled * p.scales[n * (p.K / kInt4Group) + group];
    total = total + scaled;
  }
  total = total * p.x_scales[m];
  if (bias != nullptr) total = total + bias[n];
  if (accumulate) total = before + total;
  return total;
}

// So the bits are the same for every Isa and in any batch.
TEST_P(Int4Test, EachStepIsRoundedAsDefined) {
  for (const int M : {1, 2, 3, 4, 5, 7, 8, 9, 17}) {
    for (const int N : {1, 16, 50}) {
      for (const int K : {kInt4Unit, 5 * kInt4Unit}) {
        for (const bool is_extreme : {false, true}) {
          const Product p = RandomProduct(rng_, M, N, K, is_extreme);
          const int ldy = N + 3;
          const auto before = Random(rng_, M * ldy), bias = Random(rng_, N);
          for (const bool accumulate : {false, true}) {
            for (const float* b :
                 {static_cast<const float*>(nullptr), bias.data()}) {
              auto y = before;
              Multiply(kernels(), p, y.data(), ldy, accumulate, b);
              for (int m = 0; m < M; ++m) {
                for (int n = 0; n < ldy; ++n) {
                  const float old = before[m * ldy + n];
                  ASSERT_EQ(y[m * ldy + n],
                            n < N ? Expected(p, m, n, accumulate, old, b) : old)
                      << M << " " << N << " " << K << ": " << m << " " << n;
                }
              }
            }
          }
        }
      }
    }
  }
}

TEST_P(Int4Test, InputsAreTheQuantizedRows) {
  constexpr int kRows = 3, kK = 50, kPadded = kInt4Unit;
  constexpr int kGroups = kPadded / kInt4Group;
  const auto x = Random(rng_, kRows * kK);
  const int ldq = kPadded / kernels().int8_group + 1;
  std::vector<int32_t> words(kRows * ldq, 99);
  std::vector<float> scales(kRows);
  for (int row = 0; row < kRows; ++row) {
    kernels().quantize_rows(x.data() + row * kK, kK, 1, kK,
                            words.data() + row * ldq, ldq - 1, &scales[row]);
  }
  std::vector<int8_t> bytes(kRows * (kPadded + 1), 99);
  std::vector<int32_t> starts(kRows * (kGroups + 1), 99);
  kernels().int4_inputs(words.data(), ldq, kRows, kPadded, bytes.data(),
                        kPadded + 1, starts.data(), kGroups + 1);
  for (int row = 0; row < kRows; ++row) {
    std::vector<int> sums(kGroups);
    for (int k = 0; k < kPadded; ++k) {
      const int q = k < kK ? static_cast<int>(std::nearbyint(x[row * kK + k] *
                                                             (1 / scales[row])))
                           : 0;
      ASSERT_NEAR(bytes[row * (kPadded + 1) + k], q, k < kK ? 1 : 0);
      sums[k / kInt4Group] += bytes[row * (kPadded + 1) + k];
    }
    EXPECT_EQ(bytes[row * (kPadded + 1) + kPadded], 99);
    for (int group = 0; group < kGroups; ++group) {
      EXPECT_EQ(starts[row * (kGroups + 1) + group], -8 * sums[group]);
    }
    EXPECT_EQ(starts[row * (kGroups + 1) + kGroups], 99);
  }
}

}  // namespace
}  // namespace sheaf::kernels
