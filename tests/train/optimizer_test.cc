// SPDX-License-Identifier: Apache-2.0

// The trainer's optimizer against its definitions, on a small checkpoint's
// weights and gradients of our choice.

#include "train/uptrain/optimizer.h"

#include <cmath>
#include <string>

#include "gtest/gtest.h"
#include "train/uptrain/t5.h"
#include "train/uptrain/tensor_file.h"

namespace sheaf {
namespace {

bool HasBf16Products() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

class OptimizerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto config = ModelConfig::Load(SHEAF_TESTDATA_DIR "/gqa-2of8");
    ASSERT_TRUE(config.ok()) << config.error().message;
    at::manual_seed(1);
    model_ = std::make_unique<T5>(*config, at::kCPU);
    options_.clip = 1e9;
    before_ = model_->weights().clone();
    gradient_ = at::randn_like(before_);
    model_->gradients().copy_(gradient_);
  }

  at::Tensor Change(int64_t place, int64_t size) const {
    return (model_->weights() - before_).narrow(0, place, size);
  }

  std::unique_ptr<T5> model_;
  OptimizerOptions options_;
  at::Tensor before_, gradient_;
};

// Unbiased, the first moments are the gradient and its square: every weight
// moves by its rate against the gradient's sign.
TEST_F(OptimizerTest, TheFirstAdamStepIsTheSignOfTheGradient) {
  Optimizer(*model_).Step(*model_, options_, 1, /*gradient_scale=*/1, 0.9);
  const int64_t embedding = model_->size_of(WeightPart::kEmbedding);
  const at::Tensor sign = gradient_.sign();
  const int64_t rest = before_.numel() - embedding;
  EXPECT_LT((Change(0, embedding) + sign.narrow(0, 0, embedding) * 8e-3)
                .abs()
                .max()
                .item<double>(),
            1e-5);
  EXPECT_LT((Change(embedding, rest) + sign.narrow(0, embedding, rest) * 1e-3)
                .abs()
                .max()
                .item<double>(),
            1e-5);
  EXPECT_EQ(model_->gradients().abs().max().item<double>(), 0);
}

// Without a gradient nothing moves but the matrices, which decay alike under
// both methods; the average follows: at the first step it keeps 1 / 11.
TEST_F(OptimizerTest, MatricesAloneDecayAndTheAverageFollows) {
  options_.rate = 0.1;
  options_.weight_decay = 0.5;
  const int64_t begin = model_->size_of(WeightPart::kEmbedding);
  const int64_t size = model_->size_of(WeightPart::kMatrices);
  at::Tensor decayed = before_.clone();
  decayed.narrow(0, begin, size).mul_(0.95);
  for (const bool is_muon : {false, true}) {
    options_.is_muon = is_muon;
    model_->weights().copy_(before_);
    model_->gradients().zero_();
    Optimizer optimizer(*model_);
    optimizer.Step(*model_, options_, 1, /*gradient_scale=*/1, 0.9);
    EXPECT_TRUE(at::allclose(model_->weights(), decayed)) << is_muon;
    EXPECT_TRUE(
        at::allclose(optimizer.average, before_ / 11 + decayed * 10 / 11))
        << is_muon;
  }
}

class MuonTest : public OptimizerTest,
                 public ::testing::WithParamInterface<at::ScalarType> {};

INSTANTIATE_TEST_SUITE_P(Products, MuonTest,
                         ::testing::Values(at::kFloat, at::kBFloat16));

// A step's direction U has singular values near 1, and it comes from the
// gradient's own singular vectors, so that U^T gradient is symmetric.
TEST_P(MuonTest, AStepIsTheGradientWithSingularValuesNearOne) {
  options_.is_muon = true;
  options_.products = GetParam();
  if (GetParam() == at::kBFloat16 && !HasBf16Products()) {
    GTEST_SKIP() << "without products of bfloat16 libtorch 1.13 sums in it too";
  }
  const double asymmetry = GetParam() == at::kFloat ? 0.01 : 0.05;
  Optimizer(*model_).Step(*model_, options_, 1, /*gradient_scale=*/1, 0.9);
  ASSERT_FALSE(model_->matrices().empty());
  for (const auto& [place, shape] : model_->matrices()) {
    const int64_t rows = shape[0], columns = shape[1];
    const double size =
        options_.rate * 0.2 * std::sqrt(double(std::max(rows, columns)));
    at::Tensor u = Change(place, rows * columns).view(shape) / -size;
    at::Tensor gradient =
        gradient_.narrow(0, place, rows * columns).view(shape);
    const at::Tensor both = at::mm(u.t(), gradient);
    EXPECT_LT((both - both.t()).norm().item<double>(),
              asymmetry * both.norm().item<double>());
    EXPECT_GT(both.trace().item<double>(), 0);
    if (rows < columns) u = u.t();
    for (int i = 0; i < 20; ++i) {  // its narrow side has full rank
      const at::Tensor x = at::randn({u.size(1)});
      const double ratio = (at::mv(u, x).norm() / x.norm()).item<double>();
      EXPECT_GT(ratio, 0.6) << rows << " x " << columns;
      EXPECT_LT(ratio, 1.3) << rows << " x " << columns;
    }
  }
  // The other weights take Adam's step.
  const int64_t embedding = model_->size_of(WeightPart::kEmbedding);
  EXPECT_NEAR(Change(0, embedding).abs().mean().item<double>(), 8e-3, 1e-4);
}

}  // namespace
}  // namespace sheaf
