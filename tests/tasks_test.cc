#include "server/text/tasks.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/text/languages.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kT5[] = R"({"task_specific_params": {
  "summarization": {"prefix": "summarize: ", "max_length": 200,
    "min_length": 30, "num_beams": 4, "length_penalty": 2.0,
    "no_repeat_ngram_size": 3, "early_stopping": true},
  "translation_en_to_de": {"prefix": "translate English to German: ",
    "max_length": 300},
  "translation_en_to_fr": {"prefix": "translate English to French: "},
  "translation_ro_to_fr": {"prefix": "translate Romanian to French: "},
  "cola": {"prefix": "cola sentence: "}}})";

ModelTasks Parse(const std::string& config, const std::string& generation = "",
                 const std::string& tasks = "") {
  absl::StatusOr<ModelTasks> parsed =
      ParseModelTasks(config, generation, tasks);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *std::move(parsed) : ModelTasks();
}

TEST(ModelTasksTest, ReadsT5sOwnTasks) {
  const ModelTasks model = Parse(kT5);
  ASSERT_THAT(model.tasks, SizeIs(4));
  const Task* summarization = model.summarization();
  ASSERT_NE(summarization, nullptr);
  EXPECT_EQ(summarization->prefix, "summarize: ");
  // Hugging Face's lengths count the start token.
  EXPECT_EQ(summarization->defaults.max_new_tokens, 199);
  EXPECT_EQ(summarization->defaults.min_new_tokens, 29);
  EXPECT_EQ(summarization->defaults.beam_size, 4);
  EXPECT_EQ(summarization->defaults.length_penalty, 2.0f);
  EXPECT_EQ(summarization->defaults.no_repeat_ngram_size, 3);
  EXPECT_EQ(summarization->defaults.early_stopping, EarlyStopping::kYes);
  EXPECT_EQ(summarization->defaults.temperature, std::nullopt);
  ASSERT_THAT(model.warnings, SizeIs(1));
  EXPECT_THAT(model.warnings[0], HasSubstr("cola"));
}

TEST(ModelTasksTest, TheModelsDefaultsFillATasksGaps) {
  const ModelTasks model =
      Parse(kT5, R"({"num_beams": 2, "max_new_tokens": 40, "max_length": 9,
               "do_sample": true, "temperature": 0.5, "top_k": 7})");
  EXPECT_EQ(model.defaults.max_new_tokens, 40);  // before max_length
  const auto task = model.FindTranslation("en", "fr");
  ASSERT_TRUE(task.ok());
  EXPECT_EQ((*task)->defaults.beam_size, 2);
  EXPECT_EQ((*task)->defaults.max_new_tokens, 40);
  EXPECT_EQ((*task)->defaults.temperature, 0.5f);
  EXPECT_EQ(model.summarization()->defaults.beam_size, 4);
}

TEST(ModelTasksTest, ATaskMayTurnTheModelsSamplingOff) {
  const ModelTasks model = Parse(R"({"task_specific_params": {"summarization":
                {"do_sample": false}}})",
                                 R"({"do_sample": true})");
  EXPECT_EQ(model.summarization()->defaults.temperature, 0.0f);
}

TEST(ModelTasksTest, ATasksFileStandsInForTheConfigs) {
  const ModelTasks model =
      Parse(kT5, "", R"({"translation_de_to_en": {"prefix": "de>en: "}})");
  ASSERT_THAT(model.tasks, SizeIs(1));
  EXPECT_EQ(model.tasks[0].prefix, "de>en: ");
  EXPECT_EQ(model.summarization(), nullptr);
}

TEST(ModelTasksTest, NoTasksAreFine) {
  EXPECT_THAT(Parse("{}").tasks, IsEmpty());
  EXPECT_THAT(Parse(R"({"task_specific_params": null})").tasks, IsEmpty());
}

TEST(ModelTasksTest, RefusalsNameFileKeyValueAndWhatIsAllowed) {
  struct Case {
    const char *config, *generation, *message;
  };
  for (const Case& each : {
           Case{"[]", "", "config.json: is not a JSON object"},
           Case{"{", "", "config.json: not valid JSON at byte 2"},
           Case{"{}", R"({"num_beams": 2, "num_beams": 3})", "twice"},
           Case{R"({"task_specific_params": 3})", "", "not an object"},
           Case{R"({"task_specific_params": {"summarization": 3}})", "",
                "config.json: summarization: no object"},
           Case{R"({"task_specific_params": {"summarization":
                {"prefix": 3}}})",
                "", "summarization: prefix is 3; allowed is a text"},
           Case{"{}", R"({"num_beams": 0})",
                "generation_config.json: num_beams is 0; allowed is a whole "
                "number from 1"},
           Case{"{}", R"({"num_beams": 1e9})", "num_beams is 1000000000.0"},
           Case{"{}", R"({"num_beams": 99999999999999999999})", "num_beams"},
           Case{"{}", R"({"top_p": 2, "do_sample": true})", "top_p is 2"},
           Case{"{}", R"({"early_stopping": "maybe"})", "\"maybe\""},
           // What no request may ask for.
           Case{"{}", R"({"length_penalty": 11})",
                "length_penalty is 11; allowed is a number from -10 to 10"},
           Case{"{}", R"({"repetition_penalty": 0.001})",
                "allowed is a number from 0.01 to 100"},
           Case{"{}", R"({"no_repeat_ngram_size": 65})",
                "allowed is a whole number from 0 to 64"},
           Case{"{}", R"({"temperature": 101, "do_sample": true})",
                "temperature is 101"},
       }) {
    const absl::Status status =
        ParseModelTasks(each.config, each.generation, "").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(each.message));
  }
}

TEST(FindTranslationTest, LooksAtTheLanguageOfATag) {
  const ModelTasks model = Parse(kT5);
  for (const char* target : {"de", "DE", "de-AT", "deu"}) {
    const auto task = model.FindTranslation("en-US", target);
    ASSERT_TRUE(task.ok()) << target << " " << task.status();
    EXPECT_EQ((*task)->name, "translation_en_to_de");
  }
}

TEST(FindTranslationTest, AnEmptySourceIsTheOneThereIs) {
  const ModelTasks model = Parse(kT5);
  EXPECT_TRUE(model.FindTranslation("", "de").ok());
  const absl::Status several = model.FindTranslation("", "fr").status();
  EXPECT_EQ(several.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(several.message()), HasSubstr("source_language"));
}

TEST(FindTranslationTest, AKnownPairThatTheModelLacksIsUnimplemented) {
  const absl::Status status = Parse(kT5).FindTranslation("de", "en").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), HasSubstr("en to de"));
}

TEST(FindTranslationTest, WhatIsNoLanguageIsAnInvalidArgument) {
  const ModelTasks model = Parse(kT5);
  for (const char* tag : {"", "xx", "klingon", "d", "de\n", "de AT", "..."}) {
    const absl::Status status = model.FindTranslation("en", tag).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << tag;
    EXPECT_THAT(std::string(status.message()), HasSubstr("target_language"));
  }
}

TEST(ParseLanguageTest, GivesTheShortestForm) {
  EXPECT_EQ(*ParseLanguage("f", "EN-us"), "en");
  EXPECT_EQ(*ParseLanguage("f", "deu"), "de");
  EXPECT_EQ(*ParseLanguage("f", "zh-Hant-TW"), "zh");
}

}  // namespace
}  // namespace sheaf
