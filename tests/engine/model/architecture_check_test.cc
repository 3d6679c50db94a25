// SPDX-License-Identifier: Apache-2.0

#include "engine/model/architecture_check.h"

#include <string>
#include <vector>

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
using ::testing::Not;

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
  if (features.has_unequal_widths) architecture.decoder.d_model = 12;
  architecture.is_gated = features.is_gated;
  architecture.is_tied = features.is_tied;
  architecture.has_source_embedding = features.has_source_embedding;
  architecture.has_embedding_norm = features.has_embedding_norm;
  architecture.has_final_norm = features.has_final_norm;
  architecture.has_biases = features.has_biases;
  architecture.positions.is_per_layer = features.has_bias_per_layer;
  architecture.norms_add_one = features.norms_add_one;
  architecture.has_qk_norm = features.has_qk_norm;
  architecture.has_merged_attention = features.has_merged_attention;
  architecture.decoder.windows.resize(2);
  if (features.has_windows) architecture.decoder.windows[1] = {4, 0};
  if (features.has_score_softcap) architecture.encoder.score_softcap = 50;
  if (features.has_logit_softcap) architecture.logit_softcap = 30;
  if (features.has_own_vector) architecture.own_vector_id = 7;
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

// All features that differ in one property from `features`.
std::vector<Features> NeighborsOf(const Features& features) {
  std::vector<Features> neighbors;
  for (bool Features::*property :
       {&Features::is_gated, &Features::is_tied, &Features::has_grouped_encoder,
        &Features::has_unequal_widths, &Features::has_source_embedding,
        &Features::has_embedding_norm, &Features::has_final_norm,
        &Features::has_biases, &Features::has_bias_per_layer,
        &Features::norms_add_one, &Features::has_qk_norm,
        &Features::has_merged_attention, &Features::has_windows,
        &Features::has_score_softcap, &Features::has_logit_softcap,
        &Features::has_own_vector}) {
    neighbors.push_back(features);
    neighbors.back().*property = !(features.*property);
  }
  for (const NormKind norm : {NormKind::kRms, NormKind::kLayer}) {
    neighbors.push_back(features);
    neighbors.back().norm = norm;
  }
  for (const NormPlace place :
       {NormPlace::kBefore, NormPlace::kAfter, NormPlace::kBoth}) {
    neighbors.push_back(features);
    neighbors.back().norm_place = place;
  }
  for (const PositionKind kind :
       {PositionKind::kRelativeBias, PositionKind::kLearned,
        PositionKind::kSinusoidal, PositionKind::kSinusoidalToLast,
        PositionKind::kRotary}) {
    neighbors.push_back(features);
    neighbors.back().positions = kind;
  }
  return neighbors;
}

TEST(ArchitectureCheckTest, OnlyTestedCombinationsAreSupported) {
  for (const TestedCombination& tested : TestedCombinations()) {
    SCOPED_TRACE(tested.fixture);
    EXPECT_EQ(CheckSupported(WithFeatures(tested.features)), absl::OkStatus());
    for (const Features& features : NeighborsOf(tested.features)) {
      ASSERT_EQ(FeaturesOf(WithFeatures(features)), features);
      bool is_tested = false;
      for (const TestedCombination& other : TestedCombinations()) {
        is_tested = is_tested || other.features == features;
      }
      EXPECT_EQ(CheckSupported(WithFeatures(features)).code(),
                is_tested ? absl::StatusCode::kOk
                          : absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST(ArchitectureCheckTest, ARefusalNamesTheFeatures) {
  EXPECT_THAT(
      CheckSupported(WithFeatures({.is_gated = true,
                                   .is_tied = false,
                                   .has_grouped_encoder = true,
                                   .has_unequal_widths = true,
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
            HasSubstr("stacks of different widths"), HasSubstr("layer norms"),
            HasSubstr("norms after the sub-layers"), HasSubstr("no final norm"),
            HasSubstr("a norm of the embeddings"), HasSubstr(", biases"),
            HasSubstr("learned positions"),
            HasSubstr("an embedding table of the encoder")));
}

TEST(ArchitectureCheckTest, ARefusalNamesRareFeaturesOnlyIfTheModelHasThem) {
  const Features rare = {.has_bias_per_layer = true,
                         .norms_add_one = true,
                         .has_qk_norm = true,
                         .has_merged_attention = true,
                         .has_windows = true,
                         .has_score_softcap = true,
                         .has_logit_softcap = true,
                         .has_own_vector = true,
                         .norm_place = NormPlace::kBoth,
                         .positions = PositionKind::kRotary};
  const std::string with(CheckSupported(WithFeatures(rare)).message());
  const std::string without(
      CheckSupported(WithFeatures({.has_biases = true})).message());
  for (const absl::string_view name :
       {"a position bias in each layer", "norms that multiply by 1 + w",
        "norms of queries and keys", "merged attention", "windows",
        "a soft cap of scores", "a soft cap of logits",
        "a token with a vector of its own",
        "norms before and after the sub-layers", "rotary positions"}) {
    EXPECT_THAT(with, HasSubstr(name));
    EXPECT_THAT(without, Not(HasSubstr(name)));
  }
}

// Sizes that only one stack reads are no features.
TEST(ArchitectureCheckTest, OfTheSizesOnlyTheWidthTells) {
  const Architecture equal = WithFeatures({});
  Architecture architecture = equal;
  architecture.decoder.d_model *= 2;
  EXPECT_TRUE(FeaturesOf(architecture).has_unequal_widths);
  for (int32_t StackShape::*size :
       {&StackShape::d_ff, &StackShape::num_heads, &StackShape::head_dim,
        &StackShape::num_layers}) {
    architecture = equal;
    architecture.decoder.*size *= 2;
    EXPECT_EQ(FeaturesOf(architecture), FeaturesOf(equal));
  }
}

}  // namespace
}  // namespace sheaf
