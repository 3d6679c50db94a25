// SPDX-License-Identifier: Apache-2.0

// The tasks that a model has although its files name none.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "text/tasks.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class OwnTasksTest : public ::testing::Test {
 protected:
  OwnTasksTest() {
    tokenizers_.source =
        Tokenizer::Load(SHEAF_MODELS_DIR "/sheaf-small", /*vocab_size=*/8064)
            .value();
    tokenizers_.target = tokenizers_.source;
  }

  void SetLanguages(const std::vector<std::string>& codes) {
    tokenizers_.languages.clear();
    int32_t id = 100;
    for (const std::string& code : codes) {
      tokenizers_.languages.push_back({code, id++});
    }
  }

  absl::StatusOr<ModelTasks> Read(const std::string& config = "{}") {
    const absl::StatusOr<ConfigFiles> files =
        ParseConfigFiles(config, std::nullopt, "dir");
    return ReadModelTasks(files.value(), {.tasks_json = tasks_json_,
                                          .pairs = pairs_,
                                          .family = &family_,
                                          .tokenizers = &tokenizers_,
                                          .model_name = name_});
  }

  static std::vector<std::string> NamesOf(const ModelTasks& model) {
    std::vector<std::string> names;
    names.reserve(model.tasks.size());
    for (const Task& task : model.tasks) names.push_back(task.name);
    return names;
  }

  // The ids of the language tokens, or the message.
  static std::string Found(const ModelTasks& model, const std::string& source,
                           const std::string& target) {
    const auto found = model.FindTranslation(source, target);
    if (!found.ok()) return std::string(found.status().message());
    const auto id = [](const LanguageToken* token) {
      return token != nullptr ? absl::StrCat(token->id) : std::string("none");
    };
    return absl::StrCat(id(found->source_token), " to ",
                        id(found->target_token), ", ", found->source_code);
  }

  std::string tasks_json_;
  std::vector<LanguagePair> pairs_;
  TextFamily family_ = {};
  Tokenizers tokenizers_;
  std::string name_ = "model";
};

TEST_F(OwnTasksTest, LanguagesOfTheTokenizerMakeAllPairs) {
  SetLanguages({"eng_Latn", "deu_Latn", "zho_Hans", "zho_Hant"});
  tokenizers_.places.source = LanguagePlaces::Source::kBeforeText;
  const auto model = Read(R"({"num_beams": 5})");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(NamesOf(*model), ElementsAre("translation"));
  EXPECT_EQ(model->tasks[0].defaults.beam_size, 5);
  EXPECT_EQ(Found(*model, "en", "de"), "100 to 101, en");
  EXPECT_EQ(Found(*model, "zh", "zh-TW"), "102 to 103, zh");
  EXPECT_EQ(Found(*model, "zho_Hant", "eng_Latn"), "103 to 100, zh");
  EXPECT_THAT(Found(*model, "", "de"),
              HasSubstr("set it to one of de, en, zh-Hans, zh-Hant"));
  EXPECT_THAT(Found(*model, "en", "fr"),
              HasSubstr("target_language is \"fr\", which the model does not "
                        "have; it has 4: de, en, zh-Hans, zh-Hant"));
}

TEST_F(OwnTasksTest, AModelThatReadsOnlyTheTargetHasTheSourcesOfItsName) {
  SetLanguages({"fra", "por", "por_BR"});
  name_ = "opus-mt-en-roa";
  const auto model = Read();
  EXPECT_EQ(Found(*model, "", "fr"), "none to 100, en");
  EXPECT_EQ(Found(*model, "en", "pt-BR"), "none to 102, en");
  EXPECT_EQ(Found(*model, "en", "pt-PT"), "none to 101, en");
  EXPECT_THAT(Found(*model, "de", "fr"),
              HasSubstr("source_language is \"de\", which the model does not "
                        "have; it has 1: en"));
  name_ = "opus-mt-mul-roa";
  const auto any = Read();
  EXPECT_EQ(Found(*any, "de", "fr"), "none to 100, de");
  EXPECT_EQ(Found(*any, "auto", "fr"), "none to 100, ");
  EXPECT_THAT(Found(*any, "klingon", "fr"), HasSubstr("source_language"));
}

TEST_F(OwnTasksTest, ANameOfOnePairIsItsTask) {
  name_ = "opus-mt-en-de";
  const auto model = Read();
  EXPECT_THAT(NamesOf(*model), ElementsAre("translation_en_to_de"));
  EXPECT_TRUE(model->targets.is_empty());
  name_ = "opus-mt-tc-big-cat_oci_spa-en";
  const auto several = Read();
  EXPECT_THAT(NamesOf(*several), ElementsAre("translation"));
  EXPECT_EQ(Found(*several, "ca", "en"), "none to none, ca");
  EXPECT_THAT(Found(*several, "fr", "en"), HasSubstr("it has 3: ca, es, oc"));
}

TEST_F(OwnTasksTest, AGroupOfTargetsWithoutTokensNeedsTheFlag) {
  name_ = "opus-mt-en-roa";
  const auto model = Read();
  EXPECT_THAT(model->tasks, IsEmpty());
  EXPECT_THAT(model->warnings,
              ElementsAre(HasSubstr("it is served with --languages only")));
}

TEST_F(OwnTasksTest, PairsThatAreNamedReplaceAllOthers) {
  SetLanguages({"en_XX", "ro_RO", "de_DE"});
  tokenizers_.places.source = LanguagePlaces::Source::kAfterEnd;
  const std::string config = R"({"task_specific_params": {
      "translation_en_to_ro": {"num_beams": 3}}})";
  const auto named = Read(config);
  EXPECT_THAT(NamesOf(*named), ElementsAre("translation_en_to_ro"));
  EXPECT_EQ(Found(*named, "en", "ro"), "100 to 101, en");
  EXPECT_THAT(Found(*named, "en", "de"), HasSubstr("it has: en to ro"));
  pairs_ = ParseLanguagePairs("f", "de-en").value();
  const auto flag = Read(config);
  EXPECT_THAT(NamesOf(*flag), ElementsAre("translation_de_to_en"));
  EXPECT_EQ(Found(*flag, "de", "en"), "102 to 100, de");
}

TEST_F(OwnTasksTest, APairMayHaveALanguageThatIcuDoesNotKnow) {
  pairs_ = ParseLanguagePairs("f", "en-acm").value();
  const auto model = Read();
  EXPECT_EQ(Found(*model, "en", "acm"), "none to none, en");
  EXPECT_THAT(Found(*model, "en", "acq"), HasSubstr("target_language is"));
  EXPECT_THAT(Found(*model, "acq", "acm"), HasSubstr("source_language is"));
}

TEST_F(OwnTasksTest, APairWithoutTokensIsRefusedOrLeftOut) {
  SetLanguages({"en_XX", "ro_RO"});
  const auto config = Read(R"({"task_specific_params": {
      "translation_en_to_de": {}}})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->warnings,
              Contains(AllOf(HasSubstr("config.json: translation_en_to_de: the "
                                       "target language is \"de\""),
                             HasSubstr("it is not served"))));
  tasks_json_ = R"({"translation_en_to_de": {}})";
  EXPECT_THAT(std::string(Read().status().message()),
              HasSubstr("the tasks file: translation_en_to_de: the target "
                        "language is \"de\", which the model does not have; it "
                        "has 2: en, ro"));
}

TEST_F(OwnTasksTest, TokensThatNameNoLanguageOfTheirOwnAreNamed) {
  SetLanguages({"deu", "de", "roa", "x-", "zho", "cmn_Hans"});
  const auto model = Read();
  EXPECT_THAT(model->targets.offers(), SizeIs(3));
  EXPECT_THAT(
      model->warnings,
      ElementsAre(HasSubstr("these languages of the tokenizer are not served, "
                            "because their codes are not those of one "
                            "language: roa, x-"),
                  HasSubstr("these languages of the tokenizer are not served, "
                            "because others before them mean the same: de")));
}

TEST_F(OwnTasksTest, TheFamilyTellsWhetherAModelSummarizes) {
  EXPECT_THAT(Read()->tasks, IsEmpty());
  family_.summaries = Summaries::kIfNamed;
  EXPECT_THAT(Read()->tasks, IsEmpty());
  name_ = "bart-large-cnn";
  const auto named = Read(R"({"prefix": " ", "max_length": 142})");
  ASSERT_THAT(NamesOf(*named), ElementsAre("summarization"));
  EXPECT_EQ(named->tasks[0].prefix, " ");
  EXPECT_EQ(named->tasks[0].defaults.max_new_tokens, 141);
  // Its own task counts.
  const auto own = Read(R"({"task_specific_params": {
      "summarization": {"max_length": 62}}})");
  ASSERT_THAT(own->tasks, SizeIs(1));
  EXPECT_EQ(own->tasks[0].defaults.max_new_tokens, 61);
  name_ = "model";
  family_.summaries = Summaries::kAlways;
  EXPECT_THAT(NamesOf(*Read()), ElementsAre("summarization"));
}

TEST_F(OwnTasksTest, WithoutATokenizerThereIsNone) {
  name_ = "opus-mt-en-de";
  family_.summaries = Summaries::kAlways;
  tokenizers_ = {};
  EXPECT_THAT(Read()->tasks, IsEmpty());
}

// The configuration of a published model.
TEST_F(OwnTasksTest, DefaultsOfASummarizerCountTheStartToken) {
  const auto model = Read(R"({"vocab_size": 50264, "forced_bos_token_id": 0,
      "forced_eos_token_id": 2, "task_specific_params": {"summarization": {
      "early_stopping": true, "length_penalty": 2.0, "max_length": 142,
      "min_length": 56, "no_repeat_ngram_size": 3, "num_beams": 4}}})");
  ASSERT_THAT(model->tasks, SizeIs(1));
  const DecodingDefaults& defaults = model->tasks[0].defaults;
  EXPECT_EQ(defaults.max_new_tokens, 141);
  EXPECT_EQ(defaults.min_new_tokens, 55);
  EXPECT_EQ(defaults.beam_size, 4);
  EXPECT_EQ(defaults.length_penalty, 2.0f);
  EXPECT_EQ(defaults.no_repeat_ngram_size, 3);
  EXPECT_EQ(defaults.early_stopping, EarlyStopping::kYes);
  EXPECT_EQ(defaults.forced_first_token, 0);
  EXPECT_EQ(defaults.forced_last_token, 2);
}

}  // namespace
}  // namespace sheaf
