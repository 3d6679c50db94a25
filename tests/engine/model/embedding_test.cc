// SPDX-License-Identifier: Apache-2.0

#include "engine/model/embedding.h"

#include <cmath>
#include <string>
#include <vector>

#include "engine/model/position_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_files.h"
#include "tests/support/test_model.h"

namespace sheaf {
namespace {

std::vector<float> Row(const StackEmbedding& embedding, int32_t id,
                       int32_t place, int64_t d_model) {
  std::vector<float> row(d_model);
  embedding.Embed(id, place, row.data());
  return row;
}

// The rows of a table without positions.
std::vector<float> Scaled(const Weights& weights, Stack stack, int32_t id) {
  const StackShape& shape = stack == Stack::kEncoder
                                ? weights.architecture.encoder
                                : weights.architecture.decoder;
  std::vector<float> row(shape.d_model);
  weights.ReadEmbedding(stack, id, row.data());
  for (float& value : row) value *= shape.embedding_scale;
  return row;
}

TEST(StackEmbeddingTest, PaddingHasNoPositionAndCountsForNothing) {
  const auto model = TestModel::Load(TestdataDir("m2m100"), {});
  const Architecture& architecture = model->architecture();
  const int32_t pad = architecture.tokens.pad_id;
  StackEmbedding::Counter counter(architecture, /*num_tokens=*/4);
  EXPECT_EQ(counter.Next(7), 4);
  EXPECT_EQ(counter.Next(pad), -1);
  EXPECT_EQ(counter.Next(pad), -1);
  EXPECT_EQ(counter.Next(7), 5);

  const StackEmbedding embedding(model->weights(), Stack::kDecoder,
                                 *model->kernels, /*max_len=*/10);
  const int64_t d_model = architecture.decoder.d_model;
  const std::vector<float> padding =
      Scaled(model->weights(), Stack::kDecoder, pad);
  EXPECT_EQ(Row(embedding, pad, -1, d_model), padding);
  std::vector<float> expected = Scaled(model->weights(), Stack::kDecoder, 7);
  std::vector<float> position(d_model);
  ComputePosition(architecture.positions, /*position=*/5 + 2,
                  architecture.decoder.d_model, position.data());
  for (int64_t i = 0; i < d_model; ++i) expected[i] += position[i];
  EXPECT_EQ(Row(embedding, 7, 5, d_model), expected);
}

TEST(StackEmbeddingTest, OtherModelsCountPaddingLikeAnyToken) {
  const auto model = TestModel::Load(TestdataDir("marian-opus"), {});
  StackEmbedding::Counter counter(model->architecture(), /*num_tokens=*/0);
  EXPECT_EQ(counter.Next(model->architecture().tokens.pad_id), 0);
  EXPECT_EQ(counter.Next(7), 1);
}

// The fixture's own id lies outside of its vocabulary.
TEST(StackEmbeddingTest, ATokenMayHaveAVectorOfItsOwnThatIsNotScaled) {
  constexpr int32_t kId = 9;
  TempDir dir;
  const std::string fixture = TestdataDir("t5gemma2");
  nlohmann::json config =
      nlohmann::json::parse(FileBytes(fixture + "/config.json"));
  config["encoder"]["eoi_token_index"] = kId;
  dir.Write("config.json", config.dump());
  dir.Write("model.safetensors", FileBytes(fixture + "/model.safetensors"));
  const auto model = TestModel::Load(dir.path(), {});
  const Weights& weights = model->weights();
  for (const Stack stack : {Stack::kEncoder, Stack::kDecoder}) {
    const StackEmbedding embedding(weights, stack, *model->kernels,
                                   /*max_len=*/10);
    const int64_t d_model = model->architecture().decoder.d_model;
    EXPECT_EQ(Row(embedding, kId, 0, d_model), weights.own_vector);
    EXPECT_EQ(Row(embedding, kId + 1, 0, d_model),
              Scaled(weights, stack, kId + 1));
    EXPECT_NE(weights.own_vector, Scaled(weights, stack, kId));
  }
}

TEST(StackEmbeddingTest, EachStackReadsItsOwnTable) {
  const auto model = TestModel::Load(TestdataDir("marian-separate-vocab"), {});
  const Weights& weights = model->weights();
  EXPECT_NE(Scaled(weights, Stack::kEncoder, 9),
            Scaled(weights, Stack::kDecoder, 9));
}

}  // namespace
}  // namespace sheaf
