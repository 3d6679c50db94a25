// SPDX-License-Identifier: Apache-2.0

#include "engine/model/head_finisher.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"
#include "tests/support/test_model.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

TEST(ComputeAnglesTest, PlaceAndPositionGiveTheAngle) {
  constexpr int32_t kDim = 10, kPositions = 50;
  for (const Rotation& rotation : {Rotation{.base = 10000, .factor = 1},
                                   Rotation{.base = 1000000, .factor = 8}}) {
    const std::vector<float> angles = ComputeAngles(rotation, kDim, kPositions);
    ASSERT_EQ(angles.size(), size_t{kDim * kPositions});
    for (int32_t position = 0; position < kPositions; ++position) {
      for (int32_t i = 0; i < kDim / 2; ++i) {
        const double angle =
            position /
            (std::pow(double{rotation.base}, 2.0 * i / kDim) * rotation.factor);
        const float* row = &angles[position * kDim];
        EXPECT_NEAR(row[i], std::cos(angle), 1e-5);
        EXPECT_NEAR(row[kDim / 2 + i], std::sin(angle), 1e-5);
      }
    }
  }
}

TEST(DistinctRotationsTest, AreInTheOrderOfTheLayers) {
  StackShape shape;
  const Rotation a = {.base = 10000, .factor = 1};
  const Rotation b = {.base = 1000000, .factor = 8};
  shape.rotations = {b, a, a, b};
  EXPECT_THAT(DistinctRotations(shape), ElementsAre(b, a));
}

// x / rms(x) * factors.
std::vector<float> Normed(std::vector<float> x,
                          const std::vector<float>& factors, float epsilon) {
  double squares = 0;
  for (float value : x) squares += double{value} * value;
  const double rms =
      std::sqrt(squares / static_cast<double>(x.size()) + epsilon);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(x[i] / rms * factors[i]);
  }
  return x;
}

// Position 0 turns nothing, so only the norm is left; keys of the source have
// no position.
TEST(HeadFinisherTest, HeadsAreNormedBeforeTheyTurn) {
  const auto model = TestModel::Load(TestdataDir("t5gemma2"), {});
  const Weights& weights = model->weights();
  const int32_t dim = model->architecture().decoder.head_dim;
  const float epsilon = model->architecture().norm_epsilon;
  const HeadFinisher finisher(weights, Stack::kDecoder, *model->kernels,
                              /*max_len=*/8);
  EXPECT_FALSE(finisher.is_idle());
  std::vector<float> head(dim);
  for (int32_t i = 0; i < dim; ++i) head[i] = 0.3f * static_cast<float>(i) - 1;
  const HeadNorms& norms = weights.decoder[1].head_norms;
  const std::vector<float> key = Normed(head, norms.key, epsilon);

  std::vector<float> out = head;
  finisher.FinishQueries(/*layer=*/1, /*position=*/0, out.data(), 1);
  EXPECT_THAT(out,
              Pointwise(FloatNear(1e-5f), Normed(head, norms.query, epsilon)));
  out = head;
  finisher.NormKeys(/*layer=*/1, out.data(), 1);
  EXPECT_THAT(out, Pointwise(FloatNear(1e-5f), key));
  out = head;
  finisher.FinishKeys(/*layer=*/1, /*position=*/5, out.data(), 1);
  std::vector<float> turned = key;
  const std::vector<float> angles =
      ComputeAngles(model->architecture().decoder.rotations[1], dim, 8);
  model->kernels->rotate(turned.data(), 1, dim, &angles[5 * dim]);
  EXPECT_THAT(out, Pointwise(FloatNear(1e-5f), turned));
}

TEST(HeadFinisherTest, ManyModelsHaveNothingToDo) {
  const auto model = TestModel::Load(TestdataDir("wide-heads"), {});
  EXPECT_TRUE(HeadFinisher(model->weights(), Stack::kEncoder, *model->kernels,
                           /*max_len=*/8)
                  .is_idle());
}

}  // namespace
}  // namespace sheaf
