// SPDX-License-Identifier: Apache-2.0

#include "text/model_languages.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string SideOf(const std::vector<Language>& languages) {
  return absl::StrJoin(languages, "+",
                       [](std::string* out, const Language& language) {
                         absl::StrAppend(out, language.ToString());
                       });
}

std::string Shown(const std::optional<ModelLanguages>& languages) {
  return languages ? absl::StrCat(SideOf(languages->sources), " to ",
                                  SideOf(languages->targets))
                   : "none";
}

TEST(LanguagesOfNameTest, AreTheLastTwoPartsOfTheName) {
  const std::map<std::string, std::string> cases = {
      {"opus-mt-en-de", "en to de"},
      {"Helsinki-NLP/opus-mt-zh-en", "zh to en"},
      {"/tmp/Helsinki-NLP/opus-mt-en-jap", "en to ja"},
      {"opus-tatoeba-en-ja", "en to ja"},
      {"opus-mt-tc-big-en-pt", "en to pt"},
      {"opus-mt-tc-big-cat_oci_spa-en", "ca+oc+es to en"},
      {"opus-mt-tc-bible-big-mul-deu_nld", " to de+nl"},
      {"opus-mt-en-ROMANCE", "en to "},
      {"opus-mt-en-zh_CN", "en to zh-CN"},
      {"opus-mt-mul-en", " to en"},
      {"opus-mt-tc-big-en-gmq", "en to "},
      {"opus-mt-fi-fse", "fi to fse"},
      {"opus-mt-NORTH_EU-NORTH_EU", "none"},
      {"opus-mt-mul-mul", "none"},
      {"opus-mt-de", "none"},
      {"t5-small-en-de", "none"},
      {"", "none"},
  };
  for (const auto& [name, languages] : cases) {
    EXPECT_EQ(Shown(LanguagesOfName(name)), languages) << name;
  }
}

class ReadModelLanguagesTest : public ::testing::Test {
 protected:
  std::string Read(const std::string& config_json,
                   absl::string_view model_name = "") {
    const absl::StatusOr<ConfigFiles> files =
        ParseConfigFiles(config_json, std::nullopt, dir_.path());
    const auto languages = ReadModelLanguages(files.value(), model_name);
    return languages.ok() ? Shown(*languages)
                          : std::string(languages.status().message());
  }

  TempDir dir_;
};

TEST_F(ReadModelLanguagesTest, TheTokenizersFileIsAskedFirst) {
  const std::string named = R"({"_name_or_path": "x/opus-mt-fr-es"})";
  EXPECT_EQ(Read("{}"), "none");
  EXPECT_EQ(Read("{}", "opus-mt-it-en"), "it to en");
  EXPECT_EQ(Read(named, "opus-mt-it-en"), "fr to es");
  EXPECT_EQ(Read(R"({"_name_or_path": 3})", "opus-mt-it-en"), "it to en");
  dir_.Write("tokenizer_config.json",
             R"({"source_lang": "en", "target_lang": "de"})");
  EXPECT_EQ(Read(named), "en to de");
  dir_.Write("tokenizer_config.json", R"({"source_lang": "en"})");
  EXPECT_EQ(Read(named), "en to ");
  dir_.Write("tokenizer_config.json", R"({"source_lang": 5})");
  EXPECT_EQ(Read(named), "fr to es");
}

TEST_F(ReadModelLanguagesTest, AFileThatIsNoJsonIsRefused) {
  dir_.Write("tokenizer_config.json", "{");
  EXPECT_THAT(Read("{}"), HasSubstr("tokenizer_config.json: not valid JSON"));
}

TEST(ParseLanguagePairsTest, ReadsAListOfPairs) {
  EXPECT_THAT(*ParseLanguagePairs("f", ""), IsEmpty());
  const auto pairs =
      ParseLanguagePairs("f", "en-de,en-pt_BR,zh_Hant-en,eng-acm");
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  std::string shown;
  for (const LanguagePair& pair : *pairs) {
    absl::StrAppend(&shown, pair.source.ToString(), " to ",
                    pair.target.ToString(), "; ");
  }
  EXPECT_EQ(shown, "en to de; en to pt-BR; zh-Hant to en; en to acm; ");
}

TEST(ParseLanguagePairsTest, RefusesWhatIsNone) {
  for (const char* text : {"en", "en-", "-de", "en-de-fr", "en-pt-BR", "en-de,",
                           ",", "en-klingon", "roa-en", "en de", "EN_to_DE"}) {
    const absl::Status status =
        ParseLanguagePairs("--languages", text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("allowed are pairs of languages"));
  }
}

TEST(IsNamedSummarizerTest, LooksForWordsOfTheName) {
  const auto is_one = [](const std::string& name) {
    return IsNamedSummarizer(
        ParseConfigFiles("{}", std::nullopt, "dir").value(), name);
  };
  for (const char* name :
       {"bart-large-cnn", "distilbart-cnn-12-6", "bart-large-xsum",
        "facebook/bart-large-CNN", "bart-base-samsum", "bart_summarizer",
        "text-summarization"}) {
    EXPECT_TRUE(is_one(name)) << name;
  }
  for (const char* name : {"bart-large", "bart-paraphrase", "cnnmodel", ""}) {
    EXPECT_FALSE(is_one(name)) << name;
  }
  EXPECT_TRUE(IsNamedSummarizer(
      ParseConfigFiles(R"({"_name_or_path": "facebook/bart-large-cnn"})",
                       std::nullopt, "dir")
          .value(),
      "model"));
}

}  // namespace
}  // namespace sheaf
