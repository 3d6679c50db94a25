// SPDX-License-Identifier: Apache-2.0

#include "engine/model/families/t5.h"

#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/model/description.h"
#include "engine/model/families/registry.h"
#include "engine/model/tensor_list.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The keys that have no default, then `keys` ("" or ", \"key\": value...").
std::string Config(const std::string& keys, const std::string& type = "t5") {
  return absl::StrCat("{\"model_type\": \"", type,
                      R"(", "vocab_size": 100, "d_model": 16, "d_kv": 4,
                      "d_ff": 32, "num_layers": 2, "num_heads": 6)",
                      keys, "}");
}

absl::StatusOr<Architecture> Describe(absl::StatusOr<ConfigFiles> files) {
  if (!files.ok()) return files.status();
  absl::StatusOr<ModelDescription> description =
      DescribeModel(*std::move(files));
  if (!description.ok()) return description.status();
  return std::move(description)->architecture;
}

absl::StatusOr<Architecture> Load(const std::string& directory) {
  return Describe(ReadConfigFiles(directory));
}

Architecture Parse(const std::string& config,
                   std::optional<absl::string_view> generation = std::nullopt) {
  const auto result = Describe(ParseConfigFiles(config, generation, "dir"));
  EXPECT_TRUE(result.ok()) << result.status();
  return result.value_or(Architecture());
}

std::string Refusal(
    const std::string& config,
    std::optional<absl::string_view> generation = std::nullopt) {
  const auto result = Describe(ParseConfigFiles(config, generation, "dir"));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument)
      << config;
  return std::string(result.status().message());
}

TEST(T5Test, ReadsAFixture) {
  const auto config = Load(TestdataDir("asymmetric-depth"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->family, "t5");
  EXPECT_EQ(config->label, "T5ForConditionalGeneration");
  EXPECT_EQ(config->vocab_size, 197);
  EXPECT_EQ(config->encoder.d_model, 32);
  EXPECT_EQ(config->encoder.head_dim, 8);
  EXPECT_EQ(config->encoder.d_ff, 64);
  EXPECT_EQ(config->decoder.num_heads, 4);
  EXPECT_EQ(config->decoder.num_kv_heads, 4);
  EXPECT_EQ(config->num_cross_kv_heads, 4);
  EXPECT_EQ(config->encoder.num_layers, 1);
  EXPECT_EQ(config->decoder.num_layers, 3);
  EXPECT_FALSE(config->is_gated);
  EXPECT_EQ(config->activation, Activation::kRelu);
  EXPECT_FLOAT_EQ(config->norm_epsilon, 1e-3f);
  EXPECT_EQ(config->positions.num_buckets, 16);
  EXPECT_EQ(config->positions.max_distance, 40);
  EXPECT_EQ(config->logit_scale, 1);
  EXPECT_EQ(config->trained_source_tokens, std::nullopt);
  EXPECT_EQ(config->tokens.start_id, 0);
  EXPECT_EQ(config->tokens.pad_id, 0);
  EXPECT_THAT(config->tokens.eos_ids, ElementsAre(1));
}

TEST(T5Test, EveryFixtureLoads) {
  for (const std::string& model : TestdataModels()) {
    const auto config = Load(TestdataDir(model));
    EXPECT_TRUE(config.ok()) << config.status();
  }
}

TEST(T5Test, AnOldConfigGetsT5sDefaults) {
  const auto config = Load(TestdataDir("t5v10-relu-tied"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->label, "T5WithLMHeadModel");
  EXPECT_EQ(config->decoder.num_layers, 2);
  EXPECT_FALSE(config->is_gated);
  EXPECT_EQ(config->activation, Activation::kRelu);
  EXPECT_FLOAT_EQ(config->logit_scale,
                  1 / std::sqrt(static_cast<float>(config->encoder.d_model)));
  EXPECT_EQ(config->positions.num_buckets, 32);
  EXPECT_EQ(config->positions.max_distance, 128);
  EXPECT_EQ(config->trained_source_tokens, 512);
}

TEST(T5Test, AbsentAndNullKeysGetDefaults) {
  for (const std::string keys :
       {"", R"(, "num_decoder_layers": null, "feed_forward_proj": null,
               "tie_word_embeddings": null, "eos_token_id": null,
               "num_key_value_heads": null, "n_positions": null,
               "layer_norm_epsilon": null, "architectures": null)"}) {
    const Architecture config = Parse(Config(keys));
    EXPECT_EQ(config.label, "T5ForConditionalGeneration");
    EXPECT_EQ(config.decoder.num_layers, 2);
    EXPECT_FALSE(config.is_gated);
    EXPECT_FLOAT_EQ(config.logit_scale,
                    1 / std::sqrt(static_cast<float>(config.encoder.d_model)));
    EXPECT_EQ(config.decoder.num_kv_heads, 6);
    EXPECT_EQ(config.num_cross_kv_heads, 6);
    EXPECT_FLOAT_EQ(config.norm_epsilon, 1e-6f);
    EXPECT_EQ(config.positions.num_buckets, 32);
    EXPECT_EQ(config.positions.max_distance, 128);
    EXPECT_EQ(config.tokens.start_id, 0);
    EXPECT_THAT(config.tokens.eos_ids, ElementsAre(1));
    EXPECT_EQ(config.trained_source_tokens, std::nullopt);
  }
}

// The reference's class for mT5 has other defaults than the one for T5.
TEST(T5Test, Mt5HasDefaultsOfItsOwn) {
  const Architecture config = Parse(Config("", "mt5"));
  EXPECT_EQ(config.family, "mt5");
  EXPECT_EQ(config.label, "MT5ForConditionalGeneration");
  EXPECT_TRUE(config.is_gated);
  EXPECT_EQ(config.activation, Activation::kGeluTanh);
  EXPECT_EQ(config.logit_scale, 1);
}

// UMT5 has mT5's feed-forward layers and T5's rule of the output scale.
TEST(T5Test, Umt5HasABiasPerLayerAndDefaultsOfItsOwn) {
  const Architecture config = Parse(Config("", "umt5"));
  EXPECT_EQ(config.label, "UMT5ForConditionalGeneration");
  EXPECT_TRUE(config.positions.is_per_layer);
  EXPECT_TRUE(config.is_gated);
  EXPECT_EQ(config.activation, Activation::kGeluTanh);
  EXPECT_FLOAT_EQ(config.logit_scale,
                  1 / std::sqrt(static_cast<float>(config.decoder.d_model)));
  EXPECT_EQ(
      Parse(Config(R"(, "tie_word_embeddings": false)", "umt5")).logit_scale,
      1);
  for (const std::string type : {"t5", "mt5"}) {
    EXPECT_FALSE(Parse(Config("", type)).positions.is_per_layer);
  }
}

TEST(T5Test, GroupingKeysCount) {
  Architecture config = Parse(Config(R"(, "num_key_value_heads": 2)"));
  EXPECT_EQ(config.decoder.num_kv_heads, 2);
  EXPECT_EQ(config.num_cross_kv_heads, 2);
  config = Parse(
      Config(R"(, "num_key_value_heads": 3, "cross_num_key_value_heads": 1)"));
  EXPECT_EQ(config.decoder.num_kv_heads, 3);
  EXPECT_EQ(config.num_cross_kv_heads, 1);
  config = Parse(Config(R"(, "cross_num_key_value_heads": 2)"));
  EXPECT_EQ(config.decoder.num_kv_heads, 6);
  EXPECT_EQ(config.num_cross_kv_heads, 2);
}

TEST(T5Test, FeedForwardNamesAreT5s) {
  struct Case {
    std::string name;
    bool is_gated;
    Activation activation;
  };
  const Case kCases[] = {{"relu", false, Activation::kRelu},
                         {"gelu", false, Activation::kGeluErf},
                         {"gelu_new", false, Activation::kGeluTanh},
                         {"silu", false, Activation::kSilu},
                         {"gated-relu", true, Activation::kRelu},
                         {"gated-gelu", true, Activation::kGeluTanh},
                         {"gated-gelu_new", true, Activation::kGeluTanh},
                         {"gated-silu", true, Activation::kSilu}};
  for (const Case& c : kCases) {
    const Architecture config = Parse(
        Config(absl::StrCat(", \"feed_forward_proj\": \"", c.name, "\"")));
    EXPECT_EQ(config.is_gated, c.is_gated) << c.name;
    EXPECT_EQ(config.activation, c.activation) << c.name;
  }
}

// Found by comparing the reference's logits.
TEST(T5Test, TheSavedFormOfTheFeedForwardCountsBeforeItsName) {
  Architecture config = Parse(
      Config(R"(, "feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu")"));
  EXPECT_TRUE(config.is_gated);
  EXPECT_EQ(config.activation, Activation::kGeluErf);
  config = Parse(
      Config(R"(, "feed_forward_proj": "gated-gelu", "is_gated_act": false)"));
  EXPECT_FALSE(config.is_gated);
  EXPECT_EQ(config.activation, Activation::kGeluTanh);
  config = Parse(Config(R"(, "dense_act_fn": "swish", "is_gated_act": true)"));
  EXPECT_TRUE(config.is_gated);
  EXPECT_EQ(config.activation, Activation::kSilu);
}

TEST(T5Test, TheStartTokenIsTheBosTokenWhereThereIsNoOther) {
  const std::string bos = Config(R"(, "bos_token_id": 5)");
  EXPECT_EQ(Parse(bos).tokens.start_id, 5);
  EXPECT_EQ(Parse(bos, R"({"bos_token_id": 6})").tokens.start_id, 6);
  EXPECT_EQ(Parse(bos, R"({"decoder_start_token_id": 7})").tokens.start_id, 7);
  EXPECT_EQ(Parse(Config(R"(, "bos_token_id": -1)")).tokens.start_id, 0);
}

TEST(T5Test, GenerationConfigCountsFirst) {
  const std::string config = Config(
      R"(, "eos_token_id": 2, "pad_token_id": 3, "decoder_start_token_id": 4)");
  Architecture parsed = Parse(config);
  EXPECT_THAT(parsed.tokens.eos_ids, ElementsAre(2));
  EXPECT_EQ(parsed.tokens.pad_id, 3);
  EXPECT_EQ(parsed.tokens.start_id, 4);
  parsed = Parse(config, R"({"eos_token_id": [7, 8], "pad_token_id": 9})");
  EXPECT_THAT(parsed.tokens.eos_ids, ElementsAre(7, 8));
  EXPECT_EQ(parsed.tokens.pad_id, 9);
  EXPECT_EQ(parsed.tokens.start_id, 4);
}

TEST(T5Test, EachRefusalNamesFileKeyValueAndWhatIsAllowed) {
  EXPECT_EQ(Refusal(Config(R"(, "num_decoder_layers": -5)")),
            "dir/config.json: num_decoder_layers is -5; allowed is an integer "
            "in 1..512");
  const std::string allowed = absl::StrCat(
      "; allowed is one of the supported types: ", ModelTypeNames());
  EXPECT_THAT(allowed, HasSubstr(" t5, mt5, umt5, "));
  EXPECT_EQ(Refusal("{}"),
            absl::StrCat("dir/config.json: model_type is missing", allowed));
  for (const std::string type : {"longt5", "switch_transformers", "T5", ""}) {
    EXPECT_EQ(
        Refusal(Config("", type)),
        absl::StrCat("dir/config.json: model_type is \"", type, "\"", allowed));
  }
  EXPECT_EQ(Refusal(Config(""), R"({"eos_token_id": 100})"),
            "dir/generation_config.json: eos_token_id is 100; allowed is an "
            "integer in 0..99");
}

TEST(T5Test, EachKeyWithoutDefaultIsNeeded) {
  for (const std::string key :
       {"vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads"}) {
    std::string config = Config("");
    config.insert(config.find(absl::StrCat("\"", key, "\"")) + 1, "other_");
    EXPECT_THAT(Refusal(config), HasSubstr(key + " is missing; allowed is"));
  }
}

TEST(T5Test, ValuesOutOfBoundsAreRefused) {
  struct Case {
    std::string key;
    std::vector<std::string> values;
  };
  const Case kCases[] = {
      {"model_type", {"5", "[\"t5\"]"}},
      {"architectures", {"\"T5\"", "[5]", "{}"}},
      {"is_encoder_decoder", {"false", "1"}},
      {"tie_word_embeddings", {"\"true\"", "1"}},
      {"layer_norm_epsilon", {"0", "-1e-6", "1e-40", "2", "\"1e-6\""}},
      {"num_key_value_heads", {"0", "4", "7", "-1", "2.0"}},
      {"cross_num_key_value_heads", {"0", "5", "12"}},
      {"feed_forward_proj",
       {"\"gated\"", "\"tanh\"", "\"gated-x\"", "7", "\"\""}},
      {"relative_attention_num_buckets", {"0", "3", "4097", "256"}},
      {"relative_attention_max_distance", {"0", "16", "16777217"}},
      {"n_positions", {"0", "-1", "\"512\""}},
      {"decoder_start_token_id", {"-1", "100", "[0]"}},
      {"pad_token_id", {"-1", "100", "0.0"}},
      {"eos_token_id", {"-1", "100", "[]", "[1, 100]", "[[1]]", "{}", "true"}},
      {"num_decoder_layers",
       {"0", "513", "1.5", "\"2\"", "4294967297", "9223372036854775808",
        "18446744073709551615", "1e400", "[2]", "true"}},
  };
  for (const auto& [key, values] : kCases) {
    for (const std::string& value : values) {
      std::string config = Config("");
      if (key == "model_type") {
        config.replace(config.find("\"t5\""), 4, value);
      } else {
        config = Config(absl::StrCat(", \"", key, "\": ", value));
      }
      const std::string message = Refusal(config);
      // "relative_attention_num_buckets": 256 asks for more than the default
      // distance; 1e400 is no JSON number.
      if (value == "1e400") continue;
      EXPECT_THAT(message,
                  HasSubstr(value == "256" ? "relative_attention_max_distance"
                                           : key + " is "));
    }
  }
}

TEST(T5Test, TheLargestSizesDoNotOverflow) {
  Architecture config = Parse(
      R"({"model_type": "t5", "vocab_size": 4194304, "d_model": 65536,
          "d_kv": 1024, "d_ff": 1048576, "num_layers": 512, "num_heads": 1024,
          "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false})");
  config.is_tied = false;
  EXPECT_GT(NumParameters(config), int64_t{1} << 47);
  for (const std::string keys :
       {R"("vocab_size": 4194305)", R"("d_model": 65537)", R"("d_kv": 1025)",
        R"("d_ff": 1048577)", R"("num_layers": 513)", R"("num_heads": 1025)",
        R"("vocab_size": 1)", R"("d_model": 0)", R"("d_kv": 0)", R"("d_ff": 0)",
        R"("num_layers": 0)", R"("num_heads": 0)"}) {
    std::string text = Config("");
    const std::string key = keys.substr(0, keys.find(':'));
    const size_t begin = text.find(key);
    text.replace(begin, text.find_first_of(",}", begin) - begin, keys);
    EXPECT_THAT(Refusal(text), HasSubstr("allowed is an integer in "));
  }
}

TEST(T5Test, UnknownKeysAreHarmless) {
  Parse(Config(R"(, "task_specific_params": {"a": [1, {"b": null}]},
                    "layer_norm_eps": 7, "d_model_2": "x")"),
        R"({"num_beams": 4, "max_length": "x"})");
}

TEST(T5Test, FilesThatAreNotObjectsAreRefused) {
  for (const std::string text : {"", "[]", "{", "7", "{} {}"}) {
    EXPECT_THAT(Refusal(text), HasSubstr("dir/config.json: "));
    EXPECT_THAT(Refusal(Config(""), text),
                HasSubstr("dir/generation_config.json: "));
  }
  EXPECT_THAT(Refusal(Config(R"(, "d_kv": 5)")),
              HasSubstr("key \"d_kv\" occurs twice"));
}

TEST(T5Test, OnlyTheGenerationConfigMayBeAbsent) {
  TempDir dir;
  EXPECT_EQ(Load(dir.path()).status().code(), absl::StatusCode::kNotFound);
  dir.Write("config.json", Config(""));
  EXPECT_TRUE(Load(dir.path()).ok());
  dir.Write("generation_config.json", R"({"eos_token_id": 9})");
  EXPECT_THAT(Load(dir.path())->tokens.eos_ids, ElementsAre(9));
  dir.Write("generation_config.json", "");
  EXPECT_FALSE(Load(dir.path()).ok());
  std::filesystem::remove(dir.PathOf("generation_config.json"));
  std::filesystem::create_directory(dir.PathOf("generation_config.json"));
  EXPECT_FALSE(Load(dir.path()).ok());
}

// T5-small's published count, and the same with one KV head in the decoder.
TEST(T5Test, CountsParametersOfAKnownModel) {
  Architecture config = Parse(
      R"({"model_type": "t5", "vocab_size": 32128, "d_model": 512, "d_kv": 64,
          "d_ff": 2048, "num_layers": 6, "num_heads": 8})");
  EXPECT_EQ(NumParameters(config), 60'506'624);
  config.decoder.num_kv_heads = config.num_cross_kv_heads = 1;
  EXPECT_EQ(NumParameters(config), 60'506'624 - 2 * 6 * 2 * 7 * 64 * 512);
}

}  // namespace
}  // namespace sheaf
