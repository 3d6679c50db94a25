// SPDX-License-Identifier: Apache-2.0

#include "engine/model/relative_bias.h"

#include <fstream>
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

}  // namespace
}  // namespace sheaf
