// SPDX-License-Identifier: Apache-2.0

#include "engine/model/families/t5gemma.h"

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/model/checkpoint.h"
#include "engine/model/description.h"
#include "engine/model/families/t5gemma_config_keys.h"
#include "engine/model/tensor_match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/engine/model/families/key_tables.h"
#include "tests/support/model_files.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A config without keys that have defaults, then with `changes` (a merge
// patch).
json Config(const std::string& type, const std::string& changes = "{}") {
  json config = {{"model_type", type},
                 {"encoder", json::object()},
                 {"decoder", json::object()}};
  if (type == "t5gemma2") config["encoder"]["text_config"] = json::object();
  config.merge_patch(json::parse(changes));
  return config;
}

absl::StatusOr<ModelDescription> TryParse(const json& config) {
  absl::StatusOr<ConfigFiles> files =
      ParseConfigFiles(config.dump(), std::nullopt, "dir");
  if (!files.ok()) return files.status();
  return DescribeModel(*std::move(files));
}

ModelDescription Parse(const json& config) {
  absl::StatusOr<ModelDescription> description = TryParse(config);
  EXPECT_TRUE(description.ok()) << description.status();
  return description.value_or(ModelDescription());
}

// Sets one key of a stack, also to null, which a merge patch would remove.
ModelDescription ParseWith(const std::string& type, const std::string& stack,
                           const std::string& key, const json& value) {
  json config = Config(type);
  if (type == "t5gemma2" && stack == "encoder") {
    config["encoder"]["text_config"][key] = value;
  } else {
    config[stack][key] = value;
  }
  return Parse(config);
}

// The defaults of T5GemmaModuleConfig in transformers 5.24.0.
TEST(T5GemmaTest, AbsentKeysHaveTheDefaultsOfTheReference) {
  const Architecture model = Parse(Config("t5gemma")).architecture;
  EXPECT_EQ(model.label, "T5GemmaForConditionalGeneration");
  for (const StackShape* stack : {&model.encoder, &model.decoder}) {
    EXPECT_EQ(stack->num_layers, 26);
    EXPECT_EQ(stack->d_model, 2304);
    EXPECT_EQ(stack->d_ff, 9216);
    EXPECT_EQ(stack->num_heads, 8);
    EXPECT_EQ(stack->num_kv_heads, 4);
    EXPECT_EQ(stack->head_dim, 256);
    EXPECT_EQ(stack->score_scale, 1.0f / 16);
    EXPECT_EQ(stack->score_softcap, 50);
    EXPECT_EQ(stack->embedding_scale, 48);
    EXPECT_EQ(stack->rotations,
              std::vector<Rotation>(26, {.base = 1e4, .factor = 1}));
  }
  EXPECT_EQ(model.encoder.windows[0], (Window{4096, 4096}));
  EXPECT_EQ(model.decoder.windows[0], (Window{4095, 0}));
  EXPECT_EQ(model.decoder.windows[1], std::nullopt);
  EXPECT_EQ(model.vocab_size, 256000);
  EXPECT_EQ(model.source_vocab_size, 256000);
  EXPECT_EQ(model.num_cross_kv_heads, 4);
  EXPECT_EQ(model.logit_softcap, 30);
  EXPECT_EQ(model.activation, Activation::kGeluTanh);
  EXPECT_FLOAT_EQ(model.norm_epsilon, 1e-6f);
  EXPECT_EQ(model.trained_source_tokens, 8192);
  EXPECT_EQ(model.tokens.start_id, 2);
  EXPECT_EQ(model.tokens.pad_id, 0);
  EXPECT_THAT(model.tokens.eos_ids, ElementsAre(1));
  EXPECT_FALSE(model.has_merged_attention);
  EXPECT_EQ(model.own_vector_id, std::nullopt);
}

// Those of T5Gemma2TextConfig and T5Gemma2EncoderConfig.
TEST(T5GemmaTest, TheSecondVersionHasDefaultsOfItsOwn) {
  const Architecture model = Parse(Config("t5gemma2")).architecture;
  EXPECT_EQ(model.vocab_size, 262208);
  EXPECT_TRUE(model.has_merged_attention);
  EXPECT_TRUE(model.has_qk_norm);
  EXPECT_FALSE(model.has_source_embedding);
  EXPECT_EQ(model.own_vector_id, 256000);
  EXPECT_EQ(model.encoder.score_softcap, 0);
  EXPECT_EQ(model.logit_softcap, 0);
  EXPECT_EQ(model.encoder.windows[0], (Window{2047, 2048}));
  EXPECT_EQ(model.decoder.windows[4], (Window{4095, 0}));
  EXPECT_EQ(model.decoder.windows[5], std::nullopt);
  EXPECT_EQ(model.decoder.rotations[4], (Rotation{.base = 1e4, .factor = 1}));
  EXPECT_EQ(model.decoder.rotations[5], (Rotation{.base = 1e6, .factor = 1}));
}

TEST(T5GemmaTest, WindowsOfOddSizesAreThoseOfTheReference) {
  const auto window = [](const std::string& type, const std::string& stack) {
    const Architecture model =
        ParseWith(type, stack, "sliding_window", 5).architecture;
    return *(stack == "encoder" ? model.encoder : model.decoder).windows[0];
  };
  EXPECT_EQ(window("t5gemma", "encoder"), (Window{5, 5}));
  EXPECT_EQ(window("t5gemma2", "encoder"), (Window{2, 2}));
  EXPECT_EQ(window("t5gemma", "decoder"), (Window{4, 0}));
  EXPECT_EQ(window("t5gemma2", "decoder"), (Window{4, 0}));
}

// Null is no absent key here.
TEST(T5GemmaTest, ASoftCapOfNullIsNone) {
  EXPECT_EQ(ParseWith("t5gemma", "encoder", "attn_logit_softcapping", nullptr)
                .architecture.encoder.score_softcap,
            0);
  EXPECT_EQ(ParseWith("t5gemma", "decoder", "final_logit_softcapping", nullptr)
                .architecture.logit_softcap,
            0);
  EXPECT_EQ(ParseWith("t5gemma2", "decoder", "final_logit_softcapping", 20)
                .architecture.logit_softcap,
            20);
  // The reference does not cap these scores, whatever the key says.
  EXPECT_EQ(ParseWith("t5gemma2", "encoder", "attn_logit_softcapping", 50)
                .architecture.encoder.score_softcap,
            0);
}

// transformers 4 writes rope_theta and rope_scaling, 5 rope_parameters.
TEST(T5GemmaTest, RotationsMayHaveTheirOldNames) {
  const auto first = [](const std::string& key, const std::string& value) {
    return ParseWith("t5gemma", "encoder", key, json::parse(value))
        .architecture.encoder.rotations[0];
  };
  EXPECT_EQ(first("rope_theta", "500.0"), (Rotation{.base = 500, .factor = 1}));
  EXPECT_EQ(first("rope_scaling", R"({"type": "linear", "factor": 4.0})"),
            (Rotation{.base = 1e4, .factor = 4}));
  EXPECT_EQ(first("rope_scaling", R"({"rope_type": "linear", "factor": 2})"),
            (Rotation{.base = 1e4, .factor = 2}));
  EXPECT_EQ(first("rope_parameters", R"({"rope_theta": 7.0})"),
            (Rotation{.base = 7, .factor = 1}));

  json config = Config("t5gemma2");
  config["decoder"] = {
      {"rope_theta", 5e5},
      {"rope_local_base_freq", 2e4},
      {"rope_scaling", {{"rope_type", "linear"}, {"factor", 8.0}}}};
  const Architecture model = Parse(config).architecture;
  EXPECT_EQ(model.decoder.rotations[0], (Rotation{.base = 2e4, .factor = 1}));
  EXPECT_EQ(model.decoder.rotations[5], (Rotation{.base = 5e5, .factor = 8}));
}

TEST(T5GemmaTest, TokenIdsOfTheDecoderHoldUnlessTheModelHasItsOwn) {
  json config = Config("t5gemma");
  config["decoder"] = {
      {"eos_token_id", {1, 107}}, {"bos_token_id", 5}, {"pad_token_id", 4}};
  Architecture model = Parse(config).architecture;
  EXPECT_THAT(model.tokens.eos_ids, ElementsAre(1, 107));
  EXPECT_EQ(model.tokens.start_id, 5);
  EXPECT_EQ(model.tokens.pad_id, 4);
  config["eos_token_id"] = 9;
  config["bos_token_id"] = 8;
  model = Parse(config).architecture;
  EXPECT_THAT(model.tokens.eos_ids, ElementsAre(9));
  EXPECT_EQ(model.tokens.start_id, 8);
  config["decoder_start_token_id"] = 3;
  EXPECT_EQ(Parse(config).architecture.tokens.start_id, 3);
}

struct Row {
  const char* type;
  const char* changes;
  const char* message;
};

constexpr Row kRefusals[] = {
    {"t5gemma", R"({"encoder": null})",
     "dir/config.json: encoder is missing; allowed is an object"},
    {"t5gemma", R"({"decoder": 3})", "decoder is 3; allowed is an object"},
    {"t5gemma2", R"({"encoder": {"text_config": []}})",
     "encoder.text_config is []; allowed is an object"},
    {"t5gemma", R"({"encoder": {"head_dim": 5}})",
     "encoder.head_dim is 5; allowed is an even number"},
    {"t5gemma2", R"({"encoder": {"text_config": {"head_dim": 5}}})",
     "encoder.text_config.head_dim is 5"},
    {"t5gemma", R"({"decoder": {"num_key_value_heads": 3}})",
     "decoder.num_key_value_heads is 3; allowed is a number that divides "
     "num_attention_heads, 8"},
    {"t5gemma", R"({"decoder": {"hidden_activation": "mish"}})",
     "decoder.hidden_activation is \"mish\"; allowed is one of relu"},
    {"t5gemma", R"({"decoder": {"hidden_activation": "silu"}})",
     "decoder.hidden_activation is \"silu\"; allowed is the encoder's"},
    {"t5gemma", R"({"decoder": {"rms_norm_eps": 0.01}})",
     "decoder.rms_norm_eps is 0.01; allowed is the encoder's"},
    {"t5gemma", R"({"encoder": {"attention_bias": true}})",
     "encoder.attention_bias is true; allowed is false"},
    {"t5gemma", R"({"encoder": {"layer_types": ["full_attention"]}})",
     "encoder.layer_types is [\"full_attention\"]; allowed is a list of 26"},
    {"t5gemma",
     R"({"encoder": {"num_hidden_layers": 1, "layer_types": ["chunked"]}})",
     "encoder.layer_types is [\"chunked\"]; allowed is a list of 1 values"},
    {"t5gemma", R"({"encoder": {"sliding_window": 0}})",
     "encoder.sliding_window is 0"},
    {"t5gemma", R"({"encoder": {"query_pre_attn_scalar": 0}})",
     "encoder.query_pre_attn_scalar is 0"},
    {"t5gemma", R"({"decoder": {"attn_logit_softcapping": -1}})",
     "decoder.attn_logit_softcapping is -1"},
    {"t5gemma", R"({"decoder": {"eos_token_id": 256000}})",
     "decoder.eos_token_id is 256000; allowed is an integer in 0..255999"},
    {"t5gemma", R"({"decoder": {"rope_parameters": {"rope_type": "yarn"}}})",
     "decoder.rope_parameters.rope_type is \"yarn\"; allowed is \"default\" or "
     "\"linear\""},
    {"t5gemma", R"({"decoder": {"rope_parameters": {"rope_type": "linear"}}})",
     "decoder.rope_parameters.factor is missing"},
    {"t5gemma",
     R"({"decoder": {"rope_parameters": {"partial_rotary_factor": 0.5}}})",
     "decoder.rope_parameters.partial_rotary_factor is 0.5"},
    {"t5gemma", R"({"decoder": {"partial_rotary_factor": 0.5}})",
     "decoder.partial_rotary_factor is 0.5; allowed is none"},
    {"t5gemma",
     R"({"decoder": {"rope_parameters": {}, "rope_scaling": {"a": 1}}})",
     "decoder.rope_scaling is {\"a\":1}; allowed is none beside "
     "rope_parameters"},
    {"t5gemma2",
     R"({"decoder": {"rope_parameters": {"full_attention": {"type": "x"}}}})",
     "decoder.rope_parameters.full_attention.type is \"x\""},
    {"t5gemma2", R"({"decoder": {"hidden_size": 640}})",
     "decoder.hidden_size is 640; allowed is the encoder's, 2304"},
    {"t5gemma2", R"({"decoder": {"vocab_size": 300}})",
     "decoder.vocab_size is 300; allowed is the encoder's, 262208"},
    {"t5gemma", R"({"encoder": {"quantization_config": {"bits": 4}}})",
     "encoder.quantization_config is {\"bits\":4}"},
};

TEST(T5GemmaTest, EachRefusalNamesStackKeyValueAndWhatIsAllowed) {
  for (const Row& row : kRefusals) {
    const auto description = TryParse(Config(row.type, row.changes));
    EXPECT_EQ(description.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(description.status().message(), HasSubstr(row.message));
  }
}

// The keys of a stack that transformers 4.57.6 or 5.24.0 saves, in addition to
// the common ones.
constexpr char kStackKeys[] = R"(
vocab_size hidden_size intermediate_size num_hidden_layers
num_attention_heads num_key_value_heads head_dim hidden_activation
max_position_embeddings initializer_range rms_norm_eps use_cache
pad_token_id eos_token_id bos_token_id tie_word_embeddings rope_parameters
rope_theta attention_bias attention_dropout query_pre_attn_scalar
sliding_window layer_types final_logit_softcapping attn_logit_softcapping
is_decoder dropout_rate cross_attention_hidden_size)";

TEST(T5GemmaTest, TheTablesHaveEachKeyOnceWithItsReason) {
  ExpectKeyTables(T5GemmaConfigKeys(), "");
  ExpectKeyTables(T5Gemma2EncoderKeys(), "");
  ExpectKeyTables(T5GemmaStackKeys(), kStackKeys);
}

TEST(T5GemmaTest, TheTensorsOfImagesAreIgnored) {
  const Family& family = T5GemmaFamily();
  for (const absl::string_view name :
       {"model.encoder.vision_tower.vision_model.embeddings.x.weight",
        "model.encoder.multi_modal_projector.mm_soft_emb_norm.weight",
        "model.decoder.embed_tokens.eoi_embedding"}) {
    EXPECT_TRUE(family.is_ignored(name)) << name;
  }
  for (const absl::string_view name :
       {"model.encoder.text_model.embed_tokens.eoi_embedding",
        "model.encoder.layers.0.mlp.x.weight"}) {
    EXPECT_FALSE(family.is_ignored(name)) << name;
  }
}

// A model that no fixture covers is refused by its features.
TEST(T5GemmaTest, ScoresWithoutASoftCapAreRefused) {
  json config = json::parse(FileBytes(TestdataDir("t5gemma") + "/config.json"));
  config["encoder"]["attn_logit_softcapping"] = nullptr;
  config["decoder"]["attn_logit_softcapping"] = nullptr;
  ModelDescription description = Parse(config);
  EXPECT_THAT(description.warnings, IsEmpty());
  const auto checkpoint = Checkpoint::Open(TestdataDir("t5gemma"));
  ASSERT_TRUE(checkpoint.ok());
  EXPECT_THAT(MatchTensors(*checkpoint, description).message(),
              AllOf(HasSubstr("t5gemma"), HasSubstr("a soft cap of logits"),
                    HasSubstr("is not supported")));
}

}  // namespace
}  // namespace sheaf
