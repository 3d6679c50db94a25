// SPDX-License-Identifier: Apache-2.0

#include "engine/model/relative_bias.h"

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace sheaf {
namespace {

// The reference's buckets for relative positions from -200 on, with the
// default of 32 buckets to 128 and with 16 to 40.
TEST(RelativePositionBucketTest, IsTheReferences) {
  struct Case {
    const char* fixture;
    int32_t num_buckets, max_distance;
  };
  for (const Case& each :
       {Case{"gqa-2of8", 32, 128}, Case{"asymmetric-depth", 16, 40}}) {
    std::ifstream file(std::string(SHEAF_TESTDATA_DIR "/") + each.fixture +
                       "/expected.json");
    const auto buckets = nlohmann::json::parse(file)["position_buckets"];
    for (bool is_bidirectional : {true, false}) {
      const auto expected =
          buckets[is_bidirectional ? "encoder" : "decoder_up_to_0"]
              .get<std::vector<int32_t>>();
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(RelativePositionBucket(static_cast<int32_t>(i) - 200,
                                         is_bidirectional, each.num_buckets,
                                         each.max_distance),
                  expected[i])
            << each.fixture << " " << i;
      }
    }
  }
}

TEST(RelativeBiasTest, AQueryFindsItsKeysInOrder) {
  // 4 buckets and 1 head: the bias is the bucket's number.
  const std::vector<float> table = {0, 1, 2, 3};
  const RelativeBias both(table, 1, {.num_buckets = 4, .max_distance = 8},
                          /*is_bidirectional=*/true, 10);
  const RelativeBias past(table, 1, {.num_buckets = 4, .max_distance = 8},
                          /*is_bidirectional=*/false, 10);
  for (int32_t query = 0; query < 10; ++query) {
    for (int32_t key = 0; key < 10; ++key) {
      EXPECT_EQ(both.ForQuery(0, query)[key],
                RelativePositionBucket(key - query, true, 4, 8));
      if (key <= query) {
        EXPECT_EQ(past.ForQuery(0, query)[key],
                  RelativePositionBucket(key - query, false, 4, 8));
      }
    }
  }
}

TEST(RelativeBiasTest, AWindowHidesWhatLiesOutsideInAllHeads) {
  constexpr int32_t kLen = 10;
  for (const bool is_bidirectional : {false, true}) {
    const RelativeBias bias(Window{.back = 3, .ahead = 2}, is_bidirectional,
                            kLen);
    EXPECT_EQ(bias.row_stride(), 0);
    for (int32_t query = 0; query < kLen; ++query) {
      const float* keys = bias.ForQuery(/*head=*/7, query);
      for (int32_t key = 0; key < (is_bidirectional ? kLen : query + 1);
           ++key) {
        const bool is_seen = query - key <= 3 && key - query <= 2;
        EXPECT_EQ(keys[key] == 0, is_seen) << query << " " << key;
        EXPECT_TRUE(is_seen || (keys[key] < -1e20f && keys[key] > -1e38f));
      }
    }
  }
}

TEST(LayerBiasesTest, LayersWithEqualWindowsShareOneRowAndOthersHaveNone) {
  Architecture architecture;
  architecture.positions.kind = PositionKind::kRotary;
  architecture.decoder.num_layers = 4;
  architecture.decoder.windows = {Window{5, 0}, std::nullopt, Window{5, 0},
                                  Window{6, 0}};
  const LayerBiases biases(architecture, Stack::kDecoder, /*tables=*/{},
                           /*max_len=*/20);
  EXPECT_EQ(biases.Of(1), nullptr);
  ASSERT_NE(biases.Of(0), nullptr);
  EXPECT_EQ(biases.Of(0), biases.Of(2));
  EXPECT_NE(biases.Of(0), biases.Of(3));
  EXPECT_LT(biases.Of(0)->ForQuery(0, 10)[4], 0);
  EXPECT_EQ(biases.Of(3)->ForQuery(0, 10)[4], 0);
}

TEST(LayerBiasesTest, OneTableServesAllLayers) {
  Architecture architecture;
  architecture.encoder.num_layers = 2;
  architecture.encoder.num_heads = 1;
  const std::vector<float> table(32, 1.0f), other(32, 2.0f);
  const LayerBiases shared(architecture, Stack::kEncoder, {table}, 4);
  EXPECT_EQ(shared.Of(0), shared.Of(1));
  const LayerBiases own(architecture, Stack::kEncoder, {table, other}, 4);
  EXPECT_EQ(own.Of(0)->ForQuery(0, 0)[0], 1.0f);
  EXPECT_EQ(own.Of(1)->ForQuery(0, 0)[0], 2.0f);
}

}  // namespace
}  // namespace sheaf
