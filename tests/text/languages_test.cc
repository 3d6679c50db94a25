// SPDX-License-Identifier: Apache-2.0

#include "text/languages.h"

#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_files.h"
#include "text/language_codes.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Canonical(absl::string_view tag) {
  const std::optional<Language> language = ReadLanguage(tag);
  return language ? language->ToString() : "none";
}

TEST(ReadLanguageTest, GivesTheShortestForm) {
  EXPECT_EQ(Canonical("EN-us"), "en-US");
  EXPECT_EQ(Canonical("deu"), "de");
  EXPECT_EQ(Canonical("zh-TW"), "zh-Hant-TW");
  EXPECT_EQ(Canonical("zh-CN"), "zh-CN");
  EXPECT_EQ(Canonical("zh_Hant"), "zh-Hant");
}

TEST(ReadLanguageTest, ReadsTheCodesOfCheckpoints) {
  const std::map<std::string, std::string> cases = {
      {"zho_Hant", "zh-Hant"},
      {"zho_Hans", "zh-Hans"},
      {"arb_Arab", "ar-Arab"},
      {"por_Latn", "pt-Latn"},
      {"kor_Hang", "ko"},
      {"pbt_Arab", "ps-Arab"},
      {"quy_Latn", "qu-Latn"},
      {"fuv_Latn", "ff-Latn"},
      {"twi_Latn", "tw-Latn"},
      {"aka_Latn", "ak-Latn"},
      {"acm_Arab", "acm-Arab"},
      {"prs_Arab", "fa-Arab-AF"},
      {"pt_XX", "pt"},
      {"en_XX", "en"},
      {"de_DE", "de-DE"},
      {"zh_CN", "zh-CN"},
      {"ns", "nso"},
      {"iw", "he"},
      {"cmn_Hans", "zh-Hans"},
      {"cmn", "zh"},
      {"zho", "zh"},
      {"deu", "de"},
      {"por_BR", "pt-BR"},
      {"pt_br", "pt-BR"},
      {"pob", "pt-BR"},
      {"jap", "ja"},
      {"hbs", "sr-Latn"},
      {"srp_Cyrl", "sr-Cyrl"},
  };
  for (const auto& [code, tag] : cases) EXPECT_EQ(Canonical(code), tag) << code;
}

TEST(ReadLanguageTest, AGroupOfLanguagesIsNone) {
  for (const char* code : {"mul", "roa", "gmw", "ZLE", "roa-tara", "und"}) {
    EXPECT_EQ(Canonical(code), "none") << code;
  }
}

TEST(ReadLanguageTest, KnowsWhatIcuLists) {
  EXPECT_TRUE(ReadLanguage("tw")->is_known);
  EXPECT_FALSE(ReadLanguage("acm")->is_known);
  EXPECT_EQ(ParseLanguage("f", "acm").status().code(),
            absl::StatusCode::kInvalidArgument);
  for (const char* tag : {"", "d", "de\n", "de AT", "..."}) {
    EXPECT_EQ(Canonical(tag), "none") << tag;
    EXPECT_THAT(std::string(ParseLanguage("f", tag).status().message()),
                HasSubstr("a BCP 47 language tag is asked for"));
  }
}

std::vector<std::string> Tags(const std::vector<std::string>& codes) {
  std::vector<Language> languages;
  languages.reserve(codes.size());
  for (const std::string& code : codes) {
    languages.push_back(ReadLanguage(code).value());
  }
  return ShortestTags(languages);
}

TEST(ShortestTagsTest, HaveWhatTellsThemApart) {
  EXPECT_THAT(Tags({"deu_Latn", "eng_Latn"}), ElementsAre("de", "en"));
  EXPECT_THAT(Tags({"zho_Hans", "zho_Hant"}),
              ElementsAre("zh-Hans", "zh-Hant"));
  EXPECT_THAT(Tags({"zh", "zh_Hant"}), ElementsAre("zh", "zh-Hant"));
  EXPECT_THAT(Tags({"zho_Hans"}), ElementsAre("zh"));
  EXPECT_THAT(Tags({"zho_Hant"}), ElementsAre("zh-Hant"));
  EXPECT_THAT(Tags({"acm_Arab", "taq_Latn", "taq_Tfng"}),
              ElementsAre("acm", "taq-Latn", "taq-Tfng"));
  EXPECT_THAT(Tags({"de_DE", "pt_XX", "zh_CN"}), ElementsAre("de", "pt", "zh"));
  EXPECT_THAT(Tags({"pt", "pt_BR"}), ElementsAre("pt", "pt-BR"));
  EXPECT_THAT(Tags({"pt_BR", "pt_PT"}), ElementsAre("pt-BR", "pt-PT"));
  EXPECT_THAT(Tags({"pes_Arab", "prs_Arab"}), ElementsAre("fa", "fa-AF"));
}

// The tokens that the tokenizers of these fixtures list are those of the
// published models.
TEST(ShortestTagsTest, EveryLanguageOfTheMultilingualModelsHasItsOwn) {
  for (const char* fixture : {"nllb", "mbart50", "mbart-cc25", "m2m100"}) {
    const auto config = nlohmann::json::parse(
        FileBytes(TestdataDir(fixture) + "/tokenizer_config.json"));
    std::vector<std::string> codes;
    for (const std::string code : config["additional_special_tokens"]) {
      codes.push_back(code.front() == '_' ? code.substr(2, code.size() - 4)
                                          : code);
    }
    ASSERT_GE(codes.size(), 25u);
    std::vector<std::string> tags = Tags(codes);
    EXPECT_THAT(tags, Each(testing::Not(HasSubstr("_"))));
    for (size_t i = 0; i < tags.size(); ++i) {
      // The tag means this language, and no other of the model.
      const std::optional<Language> asked = ReadLanguage(tags[i]);
      ASSERT_TRUE(asked.has_value()) << tags[i];
      std::vector<std::string> nearest;
      int32_t least = 1 << 20;
      for (const std::string& code : codes) {
        const auto distance = LanguageDistance(*asked, *ReadLanguage(code));
        if (!distance || *distance > least) continue;
        if (*distance < least) nearest.clear();
        nearest.push_back(code);
        least = *distance;
      }
      EXPECT_THAT(nearest, ElementsAre(codes[i])) << tags[i];
    }
  }
}

}  // namespace
}  // namespace sheaf
