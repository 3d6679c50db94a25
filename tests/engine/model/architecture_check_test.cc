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
  architecture.has_source_embedding = features.has_source_embedding;
  architecture.has_embedding_norm = features.has_embedding_norm;
  architecture.has_final_norm = features.has_final_norm;
  architecture.has_biases = features.has_biases;
  architecture.norm = features.norm;
  architecture.norm_place = features.norm_place;
  architecture.positions.kind = features.positions;
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
  constexpr int kNumCombinations = 1 << 12;
  for (int bits = 0; bits < kNumCombinations; ++bits) {
    const auto has = [&](int bit) { return (bits >> bit & 1) != 0; };
    const Features features = {
        .is_gated = has(0),
        .is_tied = has(1),
        .has_grouped_encoder = has(2),
        .has_unequal_stacks = has(3),
        .has_source_embedding = has(4),
        .has_embedding_norm = has(5),
        .has_final_norm = has(6),
        .has_biases = has(7),
        .norm = has(8) ? NormKind::kLayer : NormKind::kRms,
        .norm_place = has(9) ? NormPlace::kAfter : NormPlace::kBefore,
        .positions = static_cast<PositionKind>(bits >> 10)};
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
                                   .has_source_embedding = true,
                                   .has_embedding_norm = true,
                                   .has_final_norm = false,
                                   .has_biases = true,
                                   .norm = NormKind::kLayer,
                                   .norm_place = NormPlace::kAfter,
                                   .positions = PositionKind::kLearned}))
          .message(),
      AllOf(HasSubstr("some-type"), HasSubstr("gated feed-forward layers"),
            HasSubstr("a separate head"),
            HasSubstr("grouped KV heads in the encoder"),
            HasSubstr("stacks of different sizes"), HasSubstr("layer norms"),
            HasSubstr("norms after the sub-layers"), HasSubstr("no final norm"),
            HasSubstr("a norm of the embeddings"), HasSubstr(", biases"),
            HasSubstr("learned positions"),
            HasSubstr("an embedding table of the encoder")));
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
