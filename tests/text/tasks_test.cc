// SPDX-License-Identifier: Apache-2.0

#include "text/tasks.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_tasks.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
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
  EXPECT_EQ(task->task->defaults.beam_size, 2);
  EXPECT_EQ(task->task->defaults.max_new_tokens, 40);
  EXPECT_EQ(task->task->defaults.temperature, 0.5f);
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
           Case{"[]", "", "config.json: must hold an object"},
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
           // Values that no request may ask for.
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
        ParseModelTasks(each.config, each.generation).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(each.message));
  }
}

// A model with these translations. The prompt of each is its name.
ModelTasks Translating(const std::vector<std::string>& pairs) {
  std::string tasks;
  for (const std::string& pair : pairs) {
    absl::StrAppend(&tasks, tasks.empty() ? "" : ", ", "\"translation_", pair,
                    "\": {\"prefix\": \"", pair, "\"}");
  }
  return Parse("{}", "", absl::StrCat("{", tasks, "}"));
}

// The pair that is found, or the message.
std::string Found(const ModelTasks& model, const std::string& source,
                  const std::string& target) {
  const auto task = model.FindTranslation(source, target);
  return task.ok() ? task->task->prefix : std::string(task.status().message());
}

TEST(FindTranslationTest, AScriptTellsTwoTasksApart) {
  const ModelTasks model = Translating({"en_to_zh-Hans", "en_to_zh-Hant"});
  EXPECT_THAT(model.tasks, SizeIs(2));
  EXPECT_THAT(model.warnings, IsEmpty());
  for (const char* tag : {"zh-Hant", "zh-TW", "zh_hk", "ZH-MO", "zho-Hant",
                          "zh-Hant-CN", "cmn-Hant"}) {
    EXPECT_EQ(Found(model, "en", tag), "en_to_zh-Hant") << tag;
  }
  for (const char* tag :
       {"zh", "zh-CN", "zh-SG", "zh-Hans", "zh_Hans_TW", "cmn", "zho"}) {
    EXPECT_EQ(Found(model, "en", tag), "en_to_zh-Hans") << tag;
  }
}

TEST(FindTranslationTest, AnotherScriptIsNotTakenForTheOneAskedFor) {
  const ModelTasks model = Translating({"en_to_zh-Hans"});
  EXPECT_EQ(Found(model, "en", "zh"), "en_to_zh-Hans");
  EXPECT_THAT(Found(model, "en", "zh-TW"),
              HasSubstr("does not translate \"en\" to \"zh-Hant-TW\"; it has: "
                        "en to zh-Hans"));
}

TEST(FindTranslationTest, ALanguageWithoutAScriptIsTheOneThereIs) {
  EXPECT_EQ(Found(Translating({"en_to_zh-Hant"}), "en", "zh"), "en_to_zh-Hant");
  EXPECT_THAT(Found(Translating({"en_to_zh-Hant"}), "en", "zh-CN"),
              HasSubstr("does not translate"));
}

TEST(FindTranslationTest, ATaskWithoutAScriptTakesAny) {
  const ModelTasks model = Translating({"en_to_zh"});
  EXPECT_EQ(Found(model, "en", "zh-Hant"), "en_to_zh");
  EXPECT_EQ(Found(model, "en", "zh-CN"), "en_to_zh");
  const ModelTasks two = Translating({"en_to_zh", "en_to_zh-Hant"});
  EXPECT_EQ(Found(two, "en", "zh-TW"), "en_to_zh-Hant");
  EXPECT_EQ(Found(two, "en", "zh-Hans"), "en_to_zh");
  EXPECT_EQ(Found(two, "en", "zh"), "en_to_zh");
}

TEST(FindTranslationTest, AnAmbiguousTagIsAnErrorThatListsThePairs) {
  const ModelTasks model = Translating({"en_to_zh-Hant", "en_to_zh-Latn"});
  const absl::Status status = model.FindTranslation("en", "zh").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("target_language is \"zh\""),
                    HasSubstr("en to zh-Hant, en to zh-Latn")));
  EXPECT_THAT(
      Found(Translating({"zh-Hant_to_en", "zh-Latn_to_en"}), "zh", "en"),
      HasSubstr("source_language is \"zh\""));
}

TEST(FindTranslationTest, ScriptsOfASourceTellTasksApartToo) {
  const ModelTasks model = Translating({"sr-Latn_to_en", "sr_to_en"});
  EXPECT_EQ(Found(model, "sr", "en"), "sr_to_en");
  EXPECT_EQ(Found(model, "sr-Cyrl", "en"), "sr_to_en");
  EXPECT_EQ(Found(model, "sh", "en"), "sr-Latn_to_en");
}

TEST(FindTranslationTest, NorwegianIsFoundByItsForms) {
  const ModelTasks no = Translating({"en_to_no"});
  for (const char* tag : {"no", "nb", "nn", "nb-NO", "nob", "nno", "nor"}) {
    EXPECT_EQ(Found(no, "en", tag), "en_to_no") << tag;
  }
  EXPECT_EQ(Found(Translating({"en_to_nb"}), "en", "no"), "en_to_nb");
  EXPECT_EQ(Found(Translating({"en_to_nn"}), "en", "no"), "en_to_nn");
  // Nynorsk is not Bokmål.
  EXPECT_THAT(Found(Translating({"en_to_nb"}), "en", "nn"),
              HasSubstr("does not translate"));
}

TEST(FindTranslationTest, AnExactLanguageGoesBeforeARelatedOne) {
  const ModelTasks model = Translating({"en_to_nb", "en_to_nn", "en_to_no"});
  for (const char* tag : {"nb", "nn", "no"}) {
    EXPECT_EQ(Found(model, "en", tag), absl::StrCat("en_to_", tag));
  }
  EXPECT_EQ(Found(Translating({"en_to_nb", "en_to_nn"}), "en", "no"),
            "en_to_nb");
}

TEST(FindTranslationTest, OldAndLongCodesMeanTheSame) {
  const std::vector<std::vector<std::string>> same = {
      {"he", "iw", "heb"},
      {"id", "in", "ind"},
      {"fil", "tl", "tgl"},
      {"zh", "cmn", "zho", "chi"},
      {"sr-Latn", "sh"},
      {"ro", "mo", "ron", "rum"},
      {"yi", "ji", "ydd"},
      {"jv", "jw"},
      {"de", "deu", "ger"},
      {"en", "eng"},
      {"fa", "pes", "fas", "per"},
      {"ar", "arb", "ara"},
      {"ms", "zsm", "msa"},
      {"sw", "swh"},
      {"ps", "pbt"},
      {"qu", "quy"},
      {"ff", "fuv"},
      {"uz", "uzn"},
      {"lv", "lvs"},
      {"sq", "als"},
  };
  for (const auto& tags : same) {
    for (const std::string& task : tags) {
      const ModelTasks model = Translating({"cy_to_" + task});
      for (const std::string& asked : tags) {
        EXPECT_EQ(Found(model, "cy", asked), "cy_to_" + task) << asked;
      }
    }
  }
}

TEST(FindTranslationTest, NamesAsNllbHasThemAreFound) {
  const ModelTasks model = Translating(
      {"eng_Latn_to_deu_Latn", "eng_Latn_to_zho_Hant", "EN_to_pt_BR"});
  EXPECT_THAT(model.tasks, SizeIs(3));
  EXPECT_EQ(Found(model, "en", "de-AT"), "eng_Latn_to_deu_Latn");
  EXPECT_EQ(Found(model, "en", "zh-TW"), "eng_Latn_to_zho_Hant");
  EXPECT_EQ(Found(model, "en_US", "PT"), "EN_to_pt_BR");
  EXPECT_EQ(Found(model, "eng", "pt-PT"), "EN_to_pt_BR");
}

TEST(FindTranslationTest, AutoIsTheOneSourceThereIs) {
  const ModelTasks model = Translating({"en_to_de", "en_to_fr", "ro_to_fr"});
  for (const char* source : {"", "auto", "AUTO"}) {
    EXPECT_EQ(Found(model, source, "de"), "en_to_de");
    const absl::Status status = model.FindTranslation(source, "fr").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("source_language is "),
                      HasSubstr("set it to one of \"en\", \"ro\"")));
    EXPECT_EQ(model.FindTranslation(source, "it").status().code(),
              absl::StatusCode::kUnimplemented);
  }
  EXPECT_THAT(Found(model, "en", "auto"), HasSubstr("target_language"));
}

TEST(FindTranslationTest, AutoTakesTheNearestTargetOfOneSource) {
  const ModelTasks model = Translating({"en_to_zh-Hans", "en_to_zh-Hant"});
  EXPECT_EQ(Found(model, "auto", "zh-TW"), "en_to_zh-Hant");
  EXPECT_THAT(Found(Translating({"en_to_no", "de_to_nb"}), "auto", "nb"),
              HasSubstr("set it to one of \"de\", \"en\""));
}

TEST(ModelTasksTest, ATaskThatIsThereTwiceIsNamedWithItsEffect) {
  const ModelTasks model = Translating({"en_to_de", "eng_to_deu"});
  EXPECT_THAT(model.tasks, SizeIs(1));
  ASSERT_THAT(model.warnings, SizeIs(1));
  EXPECT_THAT(model.warnings[0],
              AllOf(HasSubstr("translation_eng_to_deu is not served"),
                    HasSubstr("of translation_en_to_de"), HasSubstr("prompt")));
  // These regions have scripts of their own.
  const ModelTasks chinese = Translating({"en_to_zh_CN", "en_to_zh_TW"});
  EXPECT_THAT(chinese.warnings, IsEmpty());
  EXPECT_EQ(Found(chinese, "en", "zh"), "en_to_zh_CN");
  EXPECT_EQ(Found(chinese, "en", "zh-Hant"), "en_to_zh_TW");
  EXPECT_THAT(Found(Translating({"en_to_zh_CN"}), "en", "zh-Hant"),
              HasSubstr("does not translate"));
}

TEST(FindTranslationTest, ARegionChoosesOneOfSeveralVariants) {
  const ModelTasks two = Translating({"en_to_pt_BR", "en_to_pt_PT"});
  EXPECT_THAT(two.warnings, IsEmpty());
  EXPECT_EQ(Found(two, "en", "pt-BR"), "en_to_pt_BR");
  EXPECT_EQ(Found(two, "en", "pt-PT"), "en_to_pt_PT");
  // Most who write Portuguese are in Brazil.
  EXPECT_EQ(Found(two, "en", "pt"), "en_to_pt_BR");
  EXPECT_EQ(Found(two, "en", "pt-AO"), "en_to_pt_BR");
  const ModelTasks plain = Translating({"en_to_pt", "en_to_pt_BR"});
  EXPECT_EQ(Found(plain, "en", "pt"), "en_to_pt");
  EXPECT_EQ(Found(plain, "en", "pt-PT"), "en_to_pt");
  EXPECT_EQ(Found(plain, "en", "pt-BR"), "en_to_pt_BR");
  EXPECT_THAT(Found(Translating({"en_to_es_AR", "en_to_es_CL"}), "en", "es"),
              HasSubstr("en to es-AR, en to es-CL"));
}

TEST(ModelTasksTest, ATaskOfUnknownLanguagesIsNamedAndTheOthersServed) {
  const ModelTasks model = Translating({"XX_to_YY", "en_to_de"});
  EXPECT_THAT(model.tasks, SizeIs(1));
  EXPECT_THAT(model.warnings,
              ElementsAre(HasSubstr("translation_XX_to_YY is no task of this "
                                    "server")));
}

TEST(FindTranslationTest, LooksAtTheLanguageOfATag) {
  const ModelTasks model = Parse(kT5);
  for (const char* target : {"de", "DE", "de-AT", "deu"}) {
    const auto task = model.FindTranslation("en-US", target);
    ASSERT_TRUE(task.ok()) << target << " " << task.status();
    EXPECT_EQ(task->task->name, "translation_en_to_de");
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

}  // namespace
}  // namespace sheaf
