// SPDX-License-Identifier: Apache-2.0

#include "engine/model/architecture_check.h"

#include <string>

#include "engine/model/checkpoint.h"
#include "engine/model/description.h"
#include "engine/model/tensor_match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Architecture FixtureArchitecture(const std::string& fixture) {
  absl::StatusOr<ModelDescription> description =
      ReadDescription(TestdataDir(fixture));
  const absl::StatusOr<Checkpoint> checkpoint =
      Checkpoint::Open(TestdataDir(fixture));
  EXPECT_TRUE(description.ok()) << description.status();
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(MatchTensors(*checkpoint, *description), absl::OkStatus());
  return description->architecture;
}

Architecture WithFeatures(const Features& features) {
  Architecture architecture;
  architecture.family = "some-type";
  architecture.encoder = {.num_layers = 2,
                          .d_model = 8,
                          .d_ff = 16,
                          .num_heads = 4,
                          .num_kv_heads = features.has_grouped_encoder ? 2 : 4,
                          .head_dim = 2};
  architecture.decoder = architecture.encoder;
  if (features.has_unequal_stacks) architecture.decoder.d_ff = 24;
  architecture.is_gated = features.is_gated;
  architecture.is_tied = features.is_tied;
  architecture.positions.is_per_layer = features.has_bias_per_layer;
  return architecture;
}

TEST(ArchitectureCheckTest, EachTestedCombinationHasAFixtureOfExactlyThese) {
  for (const TestedCombination& tested : TestedCombinations()) {
    EXPECT_EQ(FeaturesOf(FixtureArchitecture(std::string(tested.fixture))),
              tested.features)
        << tested.fixture;
  }
}

TEST(ArchitectureCheckTest, EveryOtherCombinationIsRefused) {
  size_t num_supported = 0;
  for (int bits = 0; bits < 32; ++bits) {
    const Features features = {.is_gated = (bits & 1) != 0,
                               .is_tied = (bits & 2) != 0,
                               .has_grouped_encoder = (bits & 4) != 0,
                               .has_unequal_stacks = (bits & 8) != 0,
                               .has_bias_per_layer = (bits & 16) != 0};
    ASSERT_EQ(FeaturesOf(WithFeatures(features)), features);
    bool is_tested = false;
    for (const TestedCombination& tested : TestedCombinations()) {
      is_tested = is_tested || tested.features == features;
    }
    const absl::Status status = CheckSupported(WithFeatures(features));
    EXPECT_EQ(status.code(), is_tested ? absl::StatusCode::kOk
                                       : absl::StatusCode::kInvalidArgument);
    num_supported += status.ok() ? 1 : 0;
  }
  EXPECT_EQ(num_supported, TestedCombinations().size());
}

TEST(ArchitectureCheckTest, ARefusalNamesTheFeatures) {
  EXPECT_THAT(
      CheckSupported(WithFeatures({.is_gated = true,
                                   .is_tied = false,
                                   .has_grouped_encoder = true,
                                   .has_unequal_stacks = true,
                                   .has_bias_per_layer = true}))
          .message(),
      AllOf(HasSubstr("some-type"), HasSubstr("gated feed-forward layers"),
            HasSubstr("a separate head"),
            HasSubstr("grouped KV heads in the encoder"),
            HasSubstr("stacks of different sizes"),
            HasSubstr("a position bias in each layer")));
}

TEST(ArchitectureCheckTest, EveryWidthAndHeadCountTells) {
  const Architecture equal = WithFeatures({});
  for (int32_t StackShape::*size :
       {&StackShape::d_model, &StackShape::d_ff, &StackShape::num_heads,
        &StackShape::head_dim}) {
    Architecture architecture = equal;
    architecture.decoder.*size *= 2;
    EXPECT_TRUE(FeaturesOf(architecture).has_unequal_stacks);
  }
  Architecture architecture = equal;
  architecture.decoder.num_layers = 7;
  architecture.decoder.num_kv_heads = 1;
  EXPECT_FALSE(FeaturesOf(architecture).has_unequal_stacks);
}

}  // namespace
}  // namespace sheaf
