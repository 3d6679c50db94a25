// SPDX-License-Identifier: Apache-2.0

#include "engine/model/families/bart.h"

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "engine/model/description.h"
#include "engine/model/position_table.h"
#include "engine/model/tensor_match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/flat_weights.h"
#include "tests/support/model_files.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kTypes[] = {"bart", "mbart", "marian", "m2m_100",
                                  "pegasus"};

// A config of few and small numbers, of which `keys` replaces some.
std::string Config(const std::string& type, const std::string& keys = "") {
  json config = {{"model_type", type},
                 {"vocab_size", 30},
                 {"d_model", 8},
                 {"encoder_layers", 1},
                 {"decoder_layers", 1},
                 {"encoder_attention_heads", 2},
                 {"decoder_attention_heads", 2},
                 {"encoder_ffn_dim", 6},
                 {"decoder_ffn_dim", 6},
                 {"max_position_embeddings", 5},
                 {"pad_token_id", 1},
                 {"decoder_start_token_id", 2}};
  config.update(json::parse(absl::StrCat("{", keys, "}")));
  return config.dump();
}

absl::StatusOr<ModelDescription> TryParse(const std::string& config) {
  absl::StatusOr<ConfigFiles> files =
      ParseConfigFiles(config, std::nullopt, "dir");
  if (!files.ok()) return files.status();
  return DescribeModel(*std::move(files));
}

ModelDescription Parse(const std::string& config) {
  absl::StatusOr<ModelDescription> description = TryParse(config);
  EXPECT_TRUE(description.ok()) << description.status();
  return description.value_or(ModelDescription());
}

std::string Refusal(const std::string& config) {
  const auto description = TryParse(config);
  EXPECT_EQ(description.status().code(), absl::StatusCode::kInvalidArgument)
      << config;
  return std::string(description.status().message());
}

// The defaults of the configuration classes of transformers 4.57.6 and 5.24.0,
// which are the same.
struct Defaults {
  const char* type;
  int32_t vocab_size, pad_id, eos_id, start_id;
  Activation activation;
  bool scales_embedding;
};
constexpr Defaults kDefaults[] = {
    {"bart", 50265, 1, 2, 2, Activation::kGeluErf, false},
    {"mbart", 50265, 1, 2, 0, Activation::kGeluErf, false},
    {"marian", 58101, 58100, 0, 58100, Activation::kGeluErf, false},
    {"m2m_100", 128112, 1, 2, 2, Activation::kRelu, true},
    {"pegasus", 50265, 0, 1, 0, Activation::kGeluErf, false},
};

TEST(BartTest, AbsentKeysGetTheDefaultsOfTheReferencesClasses) {
  for (const Defaults& expected : kDefaults) {
    SCOPED_TRACE(expected.type);
    const Architecture model =
        Parse(absl::StrCat("{\"model_type\": \"", expected.type, "\"}"))
            .architecture;
    EXPECT_EQ(model.vocab_size, expected.vocab_size);
    EXPECT_EQ(model.source_vocab_size, expected.vocab_size);
    EXPECT_EQ(model.tokens.pad_id, expected.pad_id);
    EXPECT_THAT(model.tokens.eos_ids, ElementsAre(expected.eos_id));
    EXPECT_EQ(model.tokens.start_id, expected.start_id);
    EXPECT_EQ(model.activation, expected.activation);
    for (const StackShape& stack : {model.encoder, model.decoder}) {
      EXPECT_EQ(stack.num_layers, 12);
      EXPECT_EQ(stack.d_model, 1024);
      EXPECT_EQ(stack.d_ff, 4096);
      EXPECT_EQ(stack.num_heads, 16);
      EXPECT_EQ(stack.num_kv_heads, 16);
      EXPECT_EQ(stack.head_dim, 64);
      EXPECT_EQ(stack.score_scale, 0.125f);
      EXPECT_EQ(stack.embedding_scale, expected.scales_embedding ? 32 : 1);
    }
    EXPECT_EQ(model.num_cross_kv_heads, 16);
    EXPECT_EQ(model.trained_source_tokens, 1024);
    EXPECT_FALSE(model.has_source_embedding);
    EXPECT_FLOAT_EQ(model.norm_epsilon, 1e-5f);
  }
}

TEST(BartTest, TheTypeDecidesNormsPositionsAndLimits) {
  for (const std::string type : kTypes) {
    SCOPED_TRACE(type);
    const Architecture model = Parse(Config(type)).architecture;
    const bool is_normed_after = type == "bart" || type == "marian";
    const bool is_learned = type == "bart" || type == "mbart";
    EXPECT_EQ(model.norm, NormKind::kLayer);
    EXPECT_EQ(model.norm_place,
              is_normed_after ? NormPlace::kAfter : NormPlace::kBefore);
    EXPECT_EQ(model.has_final_norm, !is_normed_after);
    EXPECT_EQ(model.has_embedding_norm, is_learned);
    EXPECT_TRUE(model.has_biases);
    EXPECT_EQ(model.has_logit_bias, type != "m2m_100");
    EXPECT_EQ(model.max_positions, is_learned ? 5 : 0);
    EXPECT_EQ(model.positions.first_position,
              is_learned || type == "m2m_100" ? 2 : 0);
    EXPECT_EQ(model.positions.skips_padding, type == "m2m_100");
  }
}

// As models have it that were made from some layers of a larger one.
TEST(BartTest, NumHiddenLayersMayBeAnother) {
  const ModelDescription model =
      Parse(Config("bart", R"("num_hidden_layers": 12)"));
  EXPECT_EQ(model.architecture.encoder.num_layers, 1);
  EXPECT_THAT(model.warnings, IsEmpty());
}

TEST(BartTest, StacksMayDifferAndHeadsMayBeGrouped) {
  const Architecture model =
      Parse(Config("bart", R"("decoder_attention_heads": 4,
                   "decoder_ffn_dim": 10, "decoder_layers": 3,
                   "scale_embedding": true, "num_key_value_heads": 2,
                   "cross_num_key_value_heads": 1)"))
          .architecture;
  EXPECT_EQ(model.encoder.head_dim, 4);
  EXPECT_EQ(model.encoder.score_scale, 0.5f);
  EXPECT_EQ(model.encoder.num_kv_heads, 2);
  EXPECT_EQ(model.decoder.head_dim, 2);
  EXPECT_FLOAT_EQ(model.decoder.score_scale, 1 / std::sqrt(2.0f));
  EXPECT_EQ(model.decoder.d_ff, 10);
  EXPECT_EQ(model.decoder.num_layers, 3);
  EXPECT_EQ(model.decoder.num_kv_heads, 2);
  EXPECT_EQ(model.num_cross_kv_heads, 1);
  EXPECT_FLOAT_EQ(model.decoder.embedding_scale, std::sqrt(8.0f));
}

TEST(BartTest, OnlyMarianMayHaveTwoVocabularies) {
  const std::string keys =
      R"("share_encoder_decoder_embeddings": false,
         "decoder_vocab_size": 40)";
  Architecture model = Parse(Config("marian", keys)).architecture;
  EXPECT_TRUE(model.has_source_embedding);
  EXPECT_EQ(model.source_vocab_size, 30);
  EXPECT_EQ(model.vocab_size, 40);
  model = Parse(Config("bart", keys)).architecture;
  EXPECT_FALSE(model.has_source_embedding);
  EXPECT_EQ(model.vocab_size, 30);
}

TEST(BartTest, EachRefusalNamesTheKey) {
  struct Row {
    const char* type;
    const char* keys;
    const char* message;
  };
  for (const Row& row : std::vector<Row>{
           {"bart", R"("vocab_size": 2)", "vocab_size is 2"},
           {"bart", R"("vocab_size": 4194305)", "vocab_size is 4194305"},
           {"bart", R"("d_model": 9)",
            "encoder_attention_heads is 2; allowed is a number that divides "
            "d_model, 9"},
           {"marian", R"("d_model": 9, "encoder_attention_heads": 3)",
            "d_model is 9; allowed is an even number"},
           {"bart", R"("d_model": 65537)", "d_model is 65537"},
           {"bart", R"("encoder_layers": 0)", "encoder_layers is 0"},
           {"bart", R"("decoder_layers": 513)", "decoder_layers is 513"},
           {"bart", R"("decoder_ffn_dim": -1)", "decoder_ffn_dim is -1"},
           {"bart", R"("max_position_embeddings": 1048577)",
            "max_position_embeddings is 1048577"},
           {"bart", R"("activation_function": "mish")",
            "activation_function is \"mish\"; allowed is one of relu"},
           {"bart", R"("activation_function": 1)", "activation_function is 1"},
           {"bart", R"("scale_embedding": 1)", "scale_embedding is 1"},
           {"bart", R"("num_key_value_heads": 3)", "num_key_value_heads is 3"},
           {"bart", R"("hidden_size": 4)",
            "hidden_size is 4; allowed is the value of d_model"},
           {"bart", R"("normalize_before": "x")", "normalize_before is \"x\""},
           {"marian", R"("pad_token_id": null)",
            "pad_token_id is missing; allowed is an integer in 0..29"},
           {"marian", R"("decoder_start_token_id": null)",
            "decoder_start_token_id is missing"},
           {"marian", R"("share_encoder_decoder_embeddings": 0)",
            "share_encoder_decoder_embeddings is 0"},
       }) {
    EXPECT_THAT(Refusal(Config(row.type, row.keys)),
                HasSubstr(absl::StrCat("dir/config.json: ", row.message)))
        << row.keys;
  }
}

TEST(BartTest, AnOldKeyThatContradictsTheTypeWarns) {
  EXPECT_THAT(Parse(Config("bart", R"("normalize_before": false,
                           "normalize_embedding": true,
                           "add_final_layer_norm": false,
                           "static_position_embeddings": false)"))
                  .warnings,
              IsEmpty());
  EXPECT_THAT(Parse(Config("pegasus", R"("normalize_before": false)")).warnings,
              ElementsAre(AllOf(HasSubstr("normalize_before is false"),
                                HasSubstr("type pegasus"))));
}

TEST(BartTest, CopiesAndLeftoversAreAllowed) {
  ModelDescription description = Parse(Config("m2m_100"));
  FlatWeights weights(description);
  for (const char* copy :
       {"model.encoder.embed_tokens.weight",
        "model.decoder.embed_tokens.weight", "lm_head.weight"}) {
    weights.Add(copy, {30, 8}, 1);
  }
  weights.Add("model.encoder.embed_positions.weights", {7, 8}, 3);
  weights.Add("model.decoder.version", {1}, 3);
  EXPECT_EQ(MatchTensors(weights, description), absl::OkStatus());
  EXPECT_THAT(description.warnings, IsEmpty());
  weights.Add("model.encoder.embed_tokens.weight", {30, 8}, 2);
  EXPECT_THAT(MatchTensors(weights, description).message(),
              HasSubstr("\"model.encoder.embed_tokens.weight\" differs from "
                        "\"model.shared.weight\""));
}

TEST(BartTest, ATensorWithoutAPlaceIsRefused) {
  ModelDescription description = Parse(Config("bart"));
  FlatWeights weights(description);
  weights.Add("model.encoder.layer_norm.weight", {8}, 1);
  EXPECT_THAT(MatchTensors(weights, description).message(),
              HasSubstr("\"model.encoder.layer_norm.weight\" has no place"));
}

TEST(BartTest, AbsentBiasesOfTheLogitsAreZeros) {
  ModelDescription description = Parse(Config("bart"));
  FlatWeights weights(description);
  weights.Remove("final_logits_bias");
  EXPECT_EQ(MatchTensors(weights, description), absl::OkStatus());
  EXPECT_FALSE(description.architecture.has_logit_bias);
}

// The reference loads a model that was saved without its head, whose names have
// no prefix then. A checkpoint with both forms of names is none of those.
TEST(BartTest, AModelWithoutHeadHasNoPrefix) {
  for (const std::string type : kTypes) {
    SCOPED_TRACE(type);
    ModelDescription description = Parse(Config(type));
    FlatWeights weights(description);
    weights.Remove("final_logits_bias");
    for (const std::string& name : weights.Names()) {
      weights.Rename(name, std::string(absl::StripPrefix(name, "model.")));
    }
    weights.Add("encoder.version", {1}, 3);
    ASSERT_EQ(MatchTensors(weights, description), absl::OkStatus());
    EXPECT_FALSE(description.architecture.has_logit_bias);
    EXPECT_EQ(description.tensors.at({Slot::kEmbedding}), "shared.weight");
    EXPECT_THAT(description.warnings, IsEmpty());

    weights.Add("encoder.layers.1.fc1.weight", {6, 8}, 1);
    EXPECT_THAT(MatchTensors(weights, description).message(),
                HasSubstr("\"encoder.layers.1.fc1.weight\" has no place"));
    weights.Remove("encoder.layers.1.fc1.weight");
    weights.Rename("decoder.layers.0.fc2.bias",
                   "model.decoder.layers.0.fc2.bias");
    const absl::Status mixed = MatchTensors(weights, description);
    EXPECT_EQ(mixed.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(mixed.message(), HasSubstr("model.shared.weight"));
  }
}

TEST(BartTest, AHeadOfItsOwnIsRefused) {
  ModelDescription description = Parse(Config("bart"));
  FlatWeights weights(description);
  weights.Add("lm_head.weight", {30, 8}, 2);
  EXPECT_THAT(MatchTensors(weights, description).message(),
              HasSubstr("a separate head"));
}

TEST(BartTest, StoredPositionsMustBeThoseOfTheFormula) {
  const std::string name = "model.decoder.embed_positions.weight";
  for (const std::string type : {"marian", "pegasus"}) {
    ModelDescription description = Parse(Config(type));
    FlatWeights weights(description);
    std::vector<float> table =
        ComputePositions(description.architecture.positions, 5, 8);
    weights.AddRows(name, 8, table);
    EXPECT_EQ(MatchTensors(weights, description), absl::OkStatus());
    table[3 * 8 + 1] += 0.05f;
    weights.AddRows(name, 8, table);
    EXPECT_THAT(MatchTensors(weights, description).message(),
                AllOf(HasSubstr(name), HasSubstr("in row 3")));
    weights.AddRows(name, 4, table);
    EXPECT_THAT(MatchTensors(weights, description).message(),
                AllOf(HasSubstr(name), HasSubstr("is [10, 4]")));
  }
}

}  // namespace
}  // namespace sheaf
