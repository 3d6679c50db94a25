// SPDX-License-Identifier: Apache-2.0

// The effect of each key of transformers' GenerationConfig on a server.
#include "text/generation_config.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_tasks.h"
#include "text/tasks.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kConfig[] = R"({"vocab_size": 640})";

ModelTasks Parse(const std::string& generation,
                 const std::string& config = kConfig) {
  absl::StatusOr<ModelTasks> parsed = ParseModelTasks(config, generation);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *std::move(parsed) : ModelTasks();
}

std::string Object(const std::string& key, const std::string& value) {
  return absl::StrCat("{\"", key, "\": ", value, "}");
}

// The attributes of GenerationConfig() in transformers 4.57.6 and 5.24.0, each
// with a value that changes nothing there (the default) and one that may.
// `is_followed` says that the second gives no warning.
struct Row {
  const char *key, *neutral, *other;
  bool is_followed;
};
constexpr Row kRows[] = {
    {"_commit_hash", "null", "\"abc\"", true},
    {"_from_model_config", "false", "true", true},
    {"assistant_confidence_threshold", "0.4", "0.5", false},
    {"assistant_early_exit", "null", "2", false},
    {"assistant_ensemble_weight", "null", "0.5", false},
    {"assistant_lookbehind", "10", "5", false},
    {"bad_words_ids", "null", "[[5], [6, 7]]", true},
    {"begin_suppress_tokens", "null", "[5]", true},
    {"bos_token_id", "null", "5", true},
    {"cache_config", "null", "{\"nbits\": 4}", true},
    {"cache_implementation", "null", "\"static\"", false},
    {"compile_config", "null", "{\"mode\": \"default\"}", true},
    {"constraints", "null", "[[5]]", false},
    {"continuous_batching_config", "null", "{\"num_blocks\": 4}", true},
    {"decoder_start_token_id", "null", "0", true},
    {"disable_compile", "false", "true", true},
    {"diversity_penalty", "0.0", "0.5", false},
    {"do_sample", "false", "true", true},
    {"dola_layers", "null", "\"low\"", false},
    {"early_stopping", "false", "\"never\"", true},
    {"encoder_no_repeat_ngram_size", "0", "3", false},
    {"encoder_repetition_penalty", "1.0", "1.5", false},
    {"eos_token_id", "null", "[1, 2]", true},
    {"epsilon_cutoff", "0.0", "0.0003", false},
    {"eta_cutoff", "0.0", "0.0003", false},
    {"exponential_decay_length_penalty", "null", "[5, 1.5]", false},
    {"force_words_ids", "null", "[[5]]", false},
    {"forced_bos_token_id", "null", "5", true},
    {"forced_eos_token_id", "null", "1", true},
    {"guidance_scale", "null", "1.5", false},
    {"is_assistant", "false", "true", false},
    {"length_penalty", "1.0", "2.0", true},
    {"low_memory", "null", "true", false},
    {"max_cache_len", "null", "100", true},
    {"max_length", "20", "30", true},
    {"max_matching_ngram_size", "null", "3", false},
    {"max_new_tokens", "null", "30", true},
    {"max_time", "null", "2.5", false},
    {"min_length", "0", "3", true},
    {"min_new_tokens", "null", "3", true},
    {"min_p", "null", "0.1", false},  // without do_sample
    {"no_repeat_ngram_size", "0", "3", true},
    {"num_assistant_tokens", "20", "7", false},
    {"num_assistant_tokens_schedule", "\"constant\"", "\"other\"", false},
    {"num_beam_groups", "1", "2", false},
    {"num_beams", "1", "4", true},
    {"num_return_sequences", "1", "2", false},  // without beams
    {"output_attentions", "false", "true", true},
    {"output_hidden_states", "false", "true", true},
    {"output_logits", "null", "true", true},
    {"output_scores", "false", "true", true},
    {"pad_token_id", "null", "0", true},
    {"penalty_alpha", "null", "0.6", false},
    {"prefill_chunk_size", "null", "8", true},
    {"prompt_lookup_num_tokens", "null", "3", false},
    {"remove_invalid_values", "false", "true", true},
    {"renormalize_logits", "false", "true", true},
    {"repetition_penalty", "1.0", "1.5", true},
    {"return_dict_in_generate", "false", "true", true},
    {"return_legacy_cache", "null", "true", true},
    {"sequence_bias", "null", "[[[5], 1.5]]", false},
    {"speculation_type", "null", "\"dflash\"", false},
    {"stop_strings", "null", "[\"end\"]", false},
    {"suppress_tokens", "null", "[5]", true},
    {"target_lookbehind", "10", "5", false},
    {"temperature", "1.0", "0.5", false},  // without do_sample
    {"token_healing", "false", "true", false},
    {"top_h", "null", "0.5", false},
    {"top_k", "50", "5", false},     // without do_sample
    {"top_p", "1.0", "0.5", false},  // without do_sample
    {"transformers_version", "\"4.57.6\"", "\"5.24.0\"", true},
    {"typical_p", "1.0", "0.5", false},
    {"use_cache", "true", "false", true},
    {"use_mtp", "null", "true", false},
    {"watermarking_config", "null", "{\"bias\": 2.0}", false},
};

TEST(GenerationKeysTest, NeutralValuesNeverWarn) {
  for (const Row& row : kRows) {
    for (const std::string value : {row.neutral, "null"}) {
      EXPECT_THAT(Parse(Object(row.key, value)).warnings, IsEmpty());
      EXPECT_THAT(Parse("", absl::StrCat("{\"vocab_size\": 640, \"", row.key,
                                         "\": ", value, "}"))
                      .warnings,
                  IsEmpty());
    }
  }
}

TEST(GenerationKeysTest, WhatIsNotFollowedIsNamedWithValueAndEffect) {
  for (const Row& row : kRows) {
    const ModelTasks model = Parse(Object(row.key, row.other));
    if (row.is_followed) {
      EXPECT_THAT(model.warnings, IsEmpty()) << row.key;
      continue;
    }
    ASSERT_THAT(model.warnings, SizeIs(1)) << row.key;
    EXPECT_THAT(
        model.warnings[0],
        HasSubstr(absl::StrCat("generation_config.json: ", row.key, " is ")));
    EXPECT_THAT(model.warnings[0], Not(HasSubstr("not known")));
  }
}

TEST(GenerationKeysTest, KeysInATaskAreNamedWithTheTask) {
  for (const Row& row : kRows) {
    if (row.is_followed) continue;
    const ModelTasks model =
        Parse("", absl::StrCat(R"({"task_specific_params": {"summarization": )",
                               Object(row.key, row.other), "}}"));
    ASSERT_THAT(model.warnings, SizeIs(1)) << row.key;
    EXPECT_THAT(model.warnings[0],
                HasSubstr(absl::StrCat("config.json: summarization: ", row.key,
                                       " is ")));
  }
}

TEST(GenerationKeysTest, AKeyThatIsNotKnownIsNamed) {
  EXPECT_THAT(Parse(R"({"num_beam": 4})").warnings,
              ElementsAre(HasSubstr("num_beam is 4; this key is not known")));
  // In config.json such a key describes the model.
  EXPECT_THAT(Parse("", R"({"vocab_size": 640, "num_beam": 4})").warnings,
              IsEmpty());
}

TEST(GenerationKeysTest, AWarningIsOnePrintableLine) {
  const ModelTasks model =
      Parse(R"({"a\nb\u001b": "c\nd"})",
            R"({"vocab_size": 640, "task_specific_params": {"e\nf": {}}})");
  ASSERT_THAT(model.warnings, SizeIs(2));
  for (const std::string& warning : model.warnings) {
    for (char c : warning) EXPECT_GE(c, ' ') << warning;
  }
}

TEST(GenerationKeysTest, SamplingKeysCountWithDoSample) {
  const DecodingDefaults defaults =
      Parse(R"({"do_sample": true, "temperature": 0.5, "top_k": 7,
                "top_p": 0.9, "min_p": 0.1})")
          .defaults;
  EXPECT_EQ(defaults.temperature, 0.5f);
  EXPECT_EQ(defaults.top_k, 7);
  EXPECT_EQ(defaults.top_p, 0.9f);
  EXPECT_EQ(defaults.min_p, 0.1f);
}

TEST(GenerationKeysTest, DoSampleAloneIsTheReferencesSampling) {
  const DecodingDefaults defaults = Parse(R"({"do_sample": true})").defaults;
  EXPECT_EQ(defaults.temperature, 1.0f);
  EXPECT_EQ(defaults.top_k, 50);
  EXPECT_EQ(defaults.top_p, std::nullopt);
  EXPECT_EQ(Parse(R"({"do_sample": true, "top_k": 0})").defaults.top_k, 0);
}

TEST(GenerationKeysTest, WithoutDoSampleNothingIsSampled) {
  for (const char* file : {R"({"temperature": 0.5, "top_k": 7})",
                           R"({"do_sample": null, "temperature": 0.5})"}) {
    const DecodingDefaults defaults = Parse(file).defaults;
    EXPECT_EQ(defaults.temperature.value_or(0), 0);
    EXPECT_EQ(defaults.top_k, std::nullopt);
  }
}

TEST(GenerationKeysTest, ATasksDoSampleUsesTheModelsTemperature) {
  const ModelTasks model = Parse(
      R"({"temperature": 0.5})",
      R"({"task_specific_params": {"summarization": {"do_sample": true}}})");
  EXPECT_EQ(model.summarization()->defaults.temperature, 0.5f);
}

TEST(GenerationKeysTest, BeamsThatShouldSampleAreWarnedAbout) {
  EXPECT_THAT(
      Parse(R"({"do_sample": true, "num_beams": 4})").warnings,
      ElementsAre(HasSubstr("do_sample is true; do_sample has no effect")));
}

TEST(GenerationKeysTest, MoreBeamsThanASearchHasAreWarnedAbout) {
  EXPECT_THAT(Parse(R"({"num_beams": 17})").warnings,
              ElementsAre(HasSubstr("num_beams is 17; a search has at most")));
  EXPECT_THAT(Parse(R"({"num_beams": 16})").warnings, IsEmpty());
}

TEST(GenerationKeysTest, TokenRulesAreRead) {
  const DecodingDefaults defaults =
      Parse(R"({"forced_bos_token_id": 448, "forced_eos_token_id": [5, 1],
                "bad_words_ids": [[238], [7, 8, 9]],
                "suppress_tokens": [9, 7, 9, 700, -1],
                "begin_suppress_tokens": [3], "renormalize_logits": true})")
          .defaults;
  EXPECT_EQ(defaults.forced_first_token, 448);
  EXPECT_EQ(defaults.forced_last_token, 1);
  ASSERT_NE(defaults.bad_words, nullptr);
  EXPECT_THAT(*defaults.bad_words,
              ElementsAre(ElementsAre(238), ElementsAre(7, 8, 9)));
  // An id outside the vocabulary is never chosen anyway.
  EXPECT_THAT(defaults.suppressed_tokens, ElementsAre(7, 9));
  EXPECT_THAT(defaults.first_suppressed_tokens, ElementsAre(3));
  EXPECT_TRUE(defaults.is_renormalized);
}

TEST(GenerationKeysTest, ATasksNullTurnsTheModelsKeyOff) {
  const ModelTasks model =
      Parse(R"({"forced_bos_token_id": 448, "num_beams": 4})",
            R"({"vocab_size": 640, "task_specific_params": {"summarization":
          {"forced_bos_token_id": null}}})");
  EXPECT_EQ(model.defaults.forced_first_token, 448);
  EXPECT_EQ(model.summarization()->defaults.forced_first_token, std::nullopt);
  EXPECT_EQ(model.summarization()->defaults.beam_size, 4);
}

// Observed behaviour of transformers 4.57 and 5.24.
TEST(ModelConfigKeysTest, CountWithoutAGenerationConfig) {
  const ModelTasks model =
      Parse("", R"({"vocab_size": 640, "num_beams": 4, "length_penalty": 2.0,
                    "early_stopping": true, "no_repeat_ngram_size": 3,
                    "min_length": 5, "max_length": 30,
                    "bad_words_ids": [[238]], "forced_bos_token_id": 448,
                    "task_specific_params":
                        {"summarization": {"num_beams": 2}}})");
  EXPECT_EQ(model.defaults.beam_size, 4);
  EXPECT_EQ(model.defaults.length_penalty, 2.0f);
  EXPECT_EQ(model.defaults.early_stopping, EarlyStopping::kYes);
  EXPECT_EQ(model.defaults.no_repeat_ngram_size, 3);
  EXPECT_EQ(model.defaults.min_new_tokens, 4);   // without the start token
  EXPECT_EQ(model.defaults.max_new_tokens, 29);  // the same
  EXPECT_EQ(model.defaults.forced_first_token, 448);
  ASSERT_NE(model.defaults.bad_words, nullptr);
  EXPECT_EQ(model.summarization()->defaults.beam_size, 2);
  EXPECT_EQ(model.summarization()->defaults.length_penalty, 2.0f);
  EXPECT_THAT(model.warnings, IsEmpty());
}

TEST(ModelConfigKeysTest, AnOldKeyForcesTheFirstToken) {
  const char config[] = R"({"vocab_size": 640, "bos_token_id": 448,
                            "force_bos_token_to_be_generated": true})";
  EXPECT_EQ(Parse("", config).defaults.forced_first_token, 448);
  EXPECT_EQ(Parse("{}", config).defaults.forced_first_token, std::nullopt);
}

TEST(GenerationKeysTest, ATasksLengthCountsBeforeTheModels) {
  const ModelTasks model =
      Parse(R"({"max_new_tokens": 40, "max_length": 9, "min_length": 5})",
            R"({"task_specific_params": {"summarization":
          {"max_length": 200, "min_new_tokens": 3}}})");
  EXPECT_EQ(model.defaults.max_new_tokens, 40);
  EXPECT_EQ(model.summarization()->defaults.max_new_tokens, 199);
  EXPECT_EQ(model.summarization()->defaults.min_new_tokens, 3);
}

TEST(ModelConfigKeysTest, HaveNoEffectBesideAGenerationConfigAndAreNamed) {
  const ModelTasks model =
      Parse(R"({"length_penalty": 2.0, "max_length": 30})",
            R"({"num_beams": 4, "length_penalty": 2.0, "max_length": 40,
                "num_beam_groups": 2, "top_k": 50, "eos_token_id": 1})");
  EXPECT_EQ(model.defaults.beam_size, std::nullopt);
  EXPECT_EQ(model.defaults.max_new_tokens, 29);
  EXPECT_THAT(model.warnings,
              ElementsAre(AllOf(HasSubstr("config.json: max_length is 40"),
                                HasSubstr("no effect")),
                          HasSubstr("config.json: num_beam_groups is 2"),
                          AllOf(HasSubstr("config.json: num_beams is 4"),
                                HasSubstr("because there is a "
                                          "generation_config.json"))));
}

TEST(ModelConfigKeysTest, CountBelowAGenerationConfigThatWasMadeFromThem) {
  const ModelTasks model =
      Parse(R"({"_from_model_config": true, "max_length": 30})",
            R"({"num_beams": 4, "max_length": 40, "num_beam_groups": 2})");
  EXPECT_EQ(model.defaults.beam_size, 4);
  EXPECT_EQ(model.defaults.max_new_tokens, 29);
  EXPECT_THAT(model.warnings,
              ElementsAre(HasSubstr("max_length is 40; it has no effect"),
                          HasSubstr("num_beam_groups is 2; not followed"),
                          HasSubstr("num_beams is 4; it counts")));
}

TEST(ModelConfigKeysTest, ThePromptOfATaskWithoutOneIsTheModels) {
  const ModelTasks model = Parse("", R"({"prefix": "p: ",
      "task_specific_params": {"summarization": {"num_beams": 2},
                               "translation_en_to_de": {"prefix": ""}}})");
  EXPECT_EQ(model.summarization()->prefix, "p: ");
  EXPECT_EQ(model.tasks[1].prefix, "");
}

TEST(GenerationKeysTest, WrongValuesAreRefusedByName) {
  const std::map<std::string, std::vector<std::string>> wrong = {
      {"max_length", {"\"30\"", "0", "2.5", "true"}},
      {"max_new_tokens", {"0", "[]"}},
      {"min_length", {"-1", "\"3\""}},
      {"min_new_tokens", {"-1"}},
      {"num_beams", {"0", "\"4\"", "1.5", "99999999999999999999"}},
      {"num_return_sequences", {"0", "{}"}},
      {"early_stopping", {"1", "\"maybe\""}},
      {"do_sample", {"1", "\"true\""}},
      {"length_penalty", {"\"1\"", "11", "true"}},
      {"repetition_penalty", {"0", "[1]"}},
      {"no_repeat_ngram_size", {"-1", "65", "2.0"}},
      {"renormalize_logits", {"1", "\"true\""}},
      {"forced_bos_token_id", {"-1", "640", "\"5\"", "[5]", "1.0"}},
      {"forced_eos_token_id", {"-1", "640", "[1, 640]", "[\"1\"]"}},
      {"bad_words_ids",
       {"5", "[5]", "[[]]", "[[640]]", "[[-1]]", "[[\"5\"]]", "{}"}},
      {"suppress_tokens", {"5", "[\"5\"]", "[[5]]", "[1.5]"}},
      {"begin_suppress_tokens", {"5", "{}"}},
  };
  for (const auto& [key, values] : wrong) {
    for (const std::string& value : values) {
      const absl::Status status =
          ParseModelTasks(kConfig, Object(key, value)).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << value;
      EXPECT_THAT(
          std::string(status.message()),
          HasSubstr(absl::StrCat("generation_config.json: ", key, " is ")));
    }
  }
}

TEST(GenerationKeysTest, AForcedTokenThatIsSuppressedIsRefused) {
  const absl::Status status =
      ParseModelTasks(kConfig,
                      R"({"forced_bos_token_id": 5, "suppress_tokens": [5]})")
          .status();
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("forced_bos_token_id is 5; allowed is a token that "
                        "suppress_tokens does not have"));
}

}  // namespace
}  // namespace sheaf
