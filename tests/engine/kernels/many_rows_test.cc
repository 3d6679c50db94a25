// SPDX-License-Identifier: Apache-2.0

// Products of narrow types with the numbers of rows, columns and inputs at
// which the kernels change how they divide them: groups of 16 rows, panels that
// stay in a cache, and tiles of 32 or 64 k.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tests/engine/kernels/kernels_test.h"

namespace sheaf::kernels {
namespace {

class ManyRowsTest : public KernelsTest {
 protected:
  // The product of x [M, K] and weights of small integers as rows [N, K], in
  // bfloat16.
  std::vector<float> MultiplyBf16(const std::vector<float>& x, int M, int K,
                                  const std::vector<float>& w, int N) {
    std::vector<uint16_t> halves(w.size());
    for (size_t i = 0; i < w.size(); ++i) halves[i] = ToBf16(w[i]);
    const auto panels = PackGroups(halves, K, N, 2);
    std::vector<int32_t> words(M * ((K + 1) / 2));
    std::vector<float> y(M * N);
    kernels().gemm_bf16({x.data(), K, M, K, panels.data(), N, y.data(), N,
                         /*accumulate=*/false, words.data()});
    return y;
  }
};

INSTANTIATE_TEST_SUITE_P(AllIsas, ManyRowsTest, AllCompilations(),
                         CompilationName);

TEST_P(ManyRowsTest, Int8IsExactForAnyNumberOfRows) {
  for (int K : {64, 192, 260}) {
    for (int M : {1, 3, 4, 9, 15, 16, 17, 31, 32, 33, 47, 49, 64, 70, 100}) {
      for (int N : {7, 16, 50}) ExpectInt8IsExact(M, N, K);
    }
  }
}

TEST_P(ManyRowsTest, Int8IsExactForMoreColumnsThanStayInACache) {
  for (int K : {1024, 4096}) {
    ExpectInt8IsExact(/*M=*/33, /*N=*/150, K);
    ExpectInt8IsExact(/*M=*/70, /*N=*/7, K);
  }
}

// All values are integers, whose products and sums are exact.
TEST_P(ManyRowsTest, Bf16OfIntegersIsExactForAnyNumberOfRows) {
  for (int K : {32, 36, 96, 512}) {
    for (int N : {7, 16, 50}) {
      std::vector<float> w(N * K);
      for (float& v : w) v = static_cast<float>(rng_() % 17) - 8;
      for (int M : {1, 2, 15, 16, 17, 32, 33, 50, 70}) {
        std::vector<float> x(M * K);
        for (float& v : x) v = static_cast<float>(rng_() % 17) - 8;
        const auto y = MultiplyBf16(x, M, K, w, N);
        for (int m = 0; m < M; ++m) {
          for (int n = 0; n < N; ++n) {
            float expected = 0;
            for (int k = 0; k < K; ++k) expected += x[m * K + k] * w[n * K + k];
            ASSERT_EQ(y[m * N + n], expected)
                << M << " " << N << " " << K << ": " << m << " " << n;
          }
        }
      }
    }
  }
}

TEST_P(ManyRowsTest, Bf16GivesARowTheSameBitsInAnyBatch) {
  constexpr int N = 50, M = 70;
  for (int K : {32, 37, 96, 768}) {
    const auto x = Random(rng_, M * K), w = Random(rng_, N * K);
    const auto together = MultiplyBf16(x, M, K, w, N);
    for (int rows : {1, 2, 7, 16, 17, 33}) {
      for (int first = 0; first + rows <= M; first += 9) {
        const std::vector<float> some(&x[first * K], &x[first * K] + rows * K);
        const auto y = MultiplyBf16(some, rows, K, w, N);
        ASSERT_TRUE(std::equal(y.begin(), y.end(), &together[first * N]))
            << K << " " << rows << " " << first;
      }
    }
  }
}

}  // namespace
}  // namespace sheaf::kernels
