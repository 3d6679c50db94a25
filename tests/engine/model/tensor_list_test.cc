// SPDX-License-Identifier: Apache-2.0

#include "engine/model/tensor_list.h"

#include <cstdint>
#include <map>
#include <set>
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

using Shapes = std::map<std::string, std::vector<int64_t>>;

std::vector<std::string> AllModels() {
  std::vector<std::string> models = {SHEAF_MODELS_DIR "/sheaf-small"};
  for (const std::string& fixture : TestdataModels()) {
    models.push_back(TestdataDir(fixture));
  }
  return models;
}

// The tensors in the files, without copies of the embedding, computed positions
// and leftovers.
Shapes StoredTensors(const Checkpoint& checkpoint,
                     const ModelDescription& description) {
  std::set<std::string> copies;
  for (const std::string& name : description.family->names(
           description.architecture, {Slot::kEmbedding})) {
    copies.insert(name);
  }
  if (description.architecture.is_tied) copies.insert("lm_head.weight");
  if (description.architecture.positions.is_computed()) {
    copies.insert("model.encoder.embed_positions.weight");
    copies.insert("model.decoder.embed_positions.weight");
  }
  copies.erase(description.tensors.at({Slot::kEmbedding}));
  Shapes shapes;
  for (const std::string& name : checkpoint.Names()) {
    if (copies.count(name) > 0 || description.family->is_ignored(name)) {
      continue;
    }
    shapes[name] = checkpoint.Shape(name).value();
  }
  return shapes;
}

TEST(TensorListTest, TheListEqualsTheTensorsOfEveryModel) {
  for (const std::string& model : AllModels()) {
    SCOPED_TRACE(model);
    absl::StatusOr<ModelDescription> description = ReadDescription(model);
    const absl::StatusOr<Checkpoint> checkpoint = Checkpoint::Open(model);
    ASSERT_TRUE(description.ok()) << description.status();
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    ASSERT_EQ(MatchTensors(*checkpoint, *description), absl::OkStatus());
    Shapes listed;
    int64_t num_parameters = 0;
    for (const TensorSpec& spec : ListTensors(description->architecture)) {
      std::vector<int64_t> shape = {spec.rows};
      if (spec.columns > 0) shape.push_back(spec.columns);
      const std::string& name = description->tensors.at(spec.place);
      EXPECT_TRUE(listed.emplace(name, shape).second) << name;
      num_parameters += spec.num_elements();
    }
    EXPECT_EQ(listed, StoredTensors(*checkpoint, *description));
    EXPECT_EQ(listed.size(), description->tensors.size());
    EXPECT_EQ(NumParameters(description->architecture), num_parameters);
  }
}

TEST(TensorListTest, EachPlaceOccursOnce) {
  Architecture architecture;
  architecture.encoder = {.num_layers = 3,
                          .d_model = 8,
                          .d_ff = 16,
                          .num_heads = 4,
                          .num_kv_heads = 4,
                          .head_dim = 2};
  architecture.decoder = architecture.encoder;
  architecture.is_gated = true;
  architecture.is_tied = false;
  std::set<TensorPlace> places;
  const std::vector<TensorSpec> tensors = ListTensors(architecture);
  for (const TensorSpec& spec : tensors) places.insert(spec.place);
  EXPECT_EQ(places.size(), tensors.size());
  // Embedding, head, and per stack position bias and final norm; per encoder
  // layer 5 + 4 tensors, per decoder layer 5 more.
  EXPECT_EQ(tensors.size(), 2u + 2 * 2 + 3 * 9 + 3 * 14);
}

TEST(TensorListTest, NormsProductsAndStacksHaveWhatTheArchitectureSays) {
  Architecture architecture;
  architecture.vocab_size = 100;
  architecture.source_vocab_size = 90;
  architecture.has_source_embedding = true;
  architecture.encoder = {.num_layers = 1,
                          .d_model = 8,
                          .d_ff = 16,
                          .num_heads = 4,
                          .num_kv_heads = 4,
                          .head_dim = 2};
  architecture.decoder = architecture.encoder;
  architecture.num_cross_kv_heads = 4;
  architecture.norm = NormKind::kLayer;
  architecture.has_embedding_norm = true;
  architecture.has_final_norm = false;
  architecture.has_biases = true;
  architecture.has_logit_bias = true;
  architecture.positions = {.kind = PositionKind::kLearned,
                            .first_position = 2};
  architecture.max_positions = 50;
  std::map<TensorPlace, std::pair<int64_t, int64_t>> sizes;
  for (const TensorSpec& spec : ListTensors(architecture)) {
    sizes[spec.place] = {spec.rows, spec.columns};
  }
  using Size = std::pair<int64_t, int64_t>;
  EXPECT_EQ(sizes.at({Slot::kSourceEmbedding}), Size(90, 8));
  EXPECT_EQ(sizes.at({Slot::kLogitBias}), Size(1, 100));
  EXPECT_EQ(sizes.at({Slot::kPositions, Stack::kDecoder}), Size(52, 8));
  EXPECT_EQ(sizes.count({Slot::kPositionBias}), 0u);
  EXPECT_EQ(sizes.count({Slot::kFinalNorm}), 0u);
  const auto bias = [](Slot slot, Sublayer sublayer) {
    return TensorPlace{slot, Stack::kEncoder, sublayer, 0, /*is_bias=*/true};
  };
  EXPECT_EQ(sizes.at(bias(Slot::kEmbeddingNorm, Sublayer::kSelfAttention)),
            Size(8, 0));
  EXPECT_EQ(sizes.at(bias(Slot::kUp, Sublayer::kFeedForward)), Size(16, 0));
  // Tables and bias of the logits; per stack the positions and a norm of two;
  // per attention two of a norm and four products, per feed-forward layer two
  // of a norm and two products, each with a bias.
  EXPECT_EQ(sizes.size(), 3u + 2 * 3 + 3 * (2 + 2 * 4) + 2 * (2 + 2 * 2));
}

// Keys and values of cross-attention come from the encoder.
TEST(TensorListTest, EachStackHasItsOwnSizes) {
  Architecture architecture;
  architecture.vocab_size = 100;
  architecture.encoder = {.num_layers = 1,
                          .d_model = 6,
                          .d_ff = 10,
                          .num_heads = 4,
                          .num_kv_heads = 2,
                          .head_dim = 3};
  architecture.decoder = {.num_layers = 1,
                          .d_model = 8,
                          .d_ff = 12,
                          .num_heads = 2,
                          .num_kv_heads = 1,
                          .head_dim = 5};
  architecture.num_cross_kv_heads = 2;
  std::map<TensorPlace, std::pair<int64_t, int64_t>> sizes;
  for (const TensorSpec& spec : ListTensors(architecture)) {
    sizes[spec.place] = {spec.rows, spec.columns};
  }
  using Size = std::pair<int64_t, int64_t>;
  EXPECT_EQ(sizes.at({Slot::kEmbedding}), Size(100, 8));
  EXPECT_EQ(sizes.at({Slot::kKey}), Size(2 * 3, 6));
  EXPECT_EQ(sizes.at({Slot::kQuery, Stack::kDecoder}), Size(2 * 5, 8));
  EXPECT_EQ(sizes.at({Slot::kValue, Stack::kDecoder}), Size(1 * 5, 8));
  EXPECT_EQ(
      sizes.at({Slot::kValue, Stack::kDecoder, Sublayer::kCrossAttention}),
      Size(2 * 5, 6));
  EXPECT_EQ(sizes.at({Slot::kDown, Stack::kDecoder, Sublayer::kFeedForward}),
            Size(8, 12));
  EXPECT_EQ(sizes.at({Slot::kFinalNorm}), Size(6, 0));
}

}  // namespace
}  // namespace sheaf
