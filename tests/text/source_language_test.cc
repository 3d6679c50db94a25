// SPDX-License-Identifier: Apache-2.0

#include "text/source_language.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_tasks.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

bool IsWanted() { return true; }

LanguageSet Offers(const std::vector<std::string>& tags) {
  std::vector<Language> languages;
  languages.reserve(tags.size());
  for (const std::string& tag : tags) {
    languages.push_back(ReadLanguage(tag).value());
  }
  return LanguageSet::Of(languages);
}

std::string Best(const std::vector<std::string>& offers,
                 absl::string_view text) {
  return GuessAmong(Offers(offers), text, IsWanted).front().tag;
}

constexpr char kGerman[] = "Wo möchten Sie heute hingehen?";
constexpr char kEnglish[] = "Where do you want to go today?";
constexpr char kFrench[] = "Où voulez-vous aller aujourd'hui ?";

TEST(GuessAmongTest, ChoosesAmongTheOffers) {
  EXPECT_EQ(Best({"en", "de", "fr"}, kGerman), "de");
  EXPECT_EQ(Best({"en", "fr"}, kFrench), "fr");
  // Those of NLLB, MBart and M2M100 that are written or named differently.
  EXPECT_EQ(Best({"nb", "en"}, "Jeg heter Ole og jeg bor i Norge."), "nb");
  EXPECT_EQ(Best({"da", "sv", "no"}, "Jeg heter Ole og jeg bor i Norge."),
            "no");
  EXPECT_EQ(Best({"en", "pt-BR"}, "Onde você gostaria de ir hoje à tarde?"),
            "pt");
  EXPECT_EQ(Best({"en", "tl"}, "Kumusta ka? Ako ay Pilipino."), "fil");
  EXPECT_EQ(Best({"en", "iw"}, "שלום, מה שלומך היום?"), "he");
  EXPECT_EQ(Best({"zh-Hans", "zh-Hant"}, "這是一個測試。"), "zh-Hant");
  EXPECT_EQ(Best({"zh-Hans", "zh-Hant"}, "这是一个测试。"), "zh-Hans");
  EXPECT_EQ(Best({"en", "zh"}, "這是一個測試。"), "zh");
  EXPECT_EQ(Best({"en", "zh-Hant"}, "这是一个测试。"), "zh-Hant");
}

TEST(GuessAmongTest, ASimilarLanguageCountsHalf) {
  const char kGalician[] =
      "O galego é unha lingua románica que se fala en Galicia e tamén nas "
      "terras veciñas, onde a xente aínda a emprega decote.";
  const std::vector<LanguageGuess> all = GuessLanguages(kGalician, IsWanted);
  ASSERT_FALSE(all.empty());
  ASSERT_EQ(all.front().tag, "gl");
  const std::vector<LanguageGuess> guesses =
      GuessAmong(Offers({"en", "de", "fr", "it", "pt"}), kGalician, IsWanted);
  EXPECT_EQ(guesses.front().tag, "pt");
  EXPECT_NEAR(guesses.front().confidence, all.front().confidence / 2, 0.05);
}

TEST(GuessAmongTest, WithoutAnyTheScriptDecides) {
  const auto fallback = [](const std::vector<std::string>& offers,
                           absl::string_view text) {
    const std::vector<LanguageGuess> guesses =
        GuessAmong(Offers(offers), text, IsWanted);
    EXPECT_THAT(guesses, SizeIs(1));
    EXPECT_EQ(guesses.front().confidence, 0) << text;
    return guesses.front().tag;
  };
  EXPECT_EQ(fallback({"de", "en", "fr"}, "12:30"), "en");
  EXPECT_EQ(fallback({"ja", "de", "fr"}, "12:30"), "de");
  EXPECT_EQ(fallback({"ja", "ru"}, "12:30"), "ja");
  EXPECT_EQ(fallback({"ja", "de", "ru"}, "नमस्ते, आप कैसे हैं?"), "ja");
  EXPECT_EQ(fallback({"ja", "de", "bg", "en"}, "\u0416"), "bg");
}

ModelTasks Translating(const std::vector<std::string>& pairs) {
  std::string tasks;
  for (const std::string& pair : pairs) {
    absl::StrAppend(&tasks, tasks.empty() ? "" : ", ", "\"translation_", pair,
                    "\": {\"prefix\": \"", pair, "\"}");
  }
  return ParseModelTasks("{}", "", absl::StrCat("{", tasks, "}")).value();
}

// The pair and what was detected, or the error.
std::string Found(const ModelTasks& tasks, absl::string_view text,
                  absl::string_view source, absl::string_view target) {
  const absl::StatusOr<TextTranslation> found =
      FindTranslationOf(text, tasks, source, target, IsWanted);
  if (!found.ok()) return std::string(found.status().message());
  return absl::StrCat(found->translation.task->prefix,
                      found->detected ? " detected " : "",
                      found->detected ? found->detected->tag : "");
}

TEST(FindTranslationOfTest, DetectsWhereThereAreSeveralSources) {
  const ModelTasks model =
      Translating({"en_to_de", "fr_to_de", "ru_to_de", "de_to_en"});
  for (const char* source : {"", "auto", "AUTO"}) {
    EXPECT_EQ(Found(model, kEnglish, source, "de"), "en_to_de detected en");
    EXPECT_EQ(Found(model, kFrench, source, "de"), "fr_to_de detected fr");
    EXPECT_EQ(Found(model, kFrench, source, "de-AT"), "fr_to_de detected fr");
    // There is one source only, whatever the text.
    EXPECT_EQ(Found(model, kFrench, source, "en"), "de_to_en");
    // Falls back.
    EXPECT_EQ(Found(model, "12", source, "de"), "en_to_de detected en");
  }
  // A source that is named counts, whatever the text.
  EXPECT_EQ(Found(model, kFrench, "en", "de"), "en_to_de");
  EXPECT_THAT(Found(model, kFrench, "auto", "it"),
              HasSubstr("does not translate to \"it\""));
  EXPECT_THAT(Found(model, kFrench, "auto", "?"),
              HasSubstr("target_language is \"?\""));
  EXPECT_THAT(Found(Translating({}), kFrench, "auto", "de"),
              HasSubstr("does not translate to \"de\""));
}

TEST(SourcesToTest, ListsEachSourceOnce) {
  const ModelTasks model =
      Translating({"en_to_pt-BR", "en_to_pt-PT", "fr_to_pt-PT", "de_to_en"});
  std::vector<std::string> tags;
  const LanguageSet sources = model.SourcesTo("pt").value();
  for (const LanguageSet::Offer& offer : sources.offers()) {
    tags.push_back(offer.tag);
  }
  EXPECT_THAT(tags, ElementsAre("en", "fr"));
}

bool IsInTarget(absl::string_view sentence, const std::string& source,
                const std::string& target, float text_confidence = 0) {
  TextTranslation found;
  found.translation.source_code = source;
  if (text_confidence > 0) found.detected = {source, text_confidence};
  return TargetLanguageTest(found, target).IsInTarget(sentence, IsWanted);
}

TEST(TargetLanguageTest, OnlyCertainSentencesAreInTheTarget) {
  EXPECT_TRUE(IsInTarget(kGerman, "en", "de"));
  EXPECT_TRUE(IsInTarget(kGerman, "en", "de-AT"));
  EXPECT_TRUE(IsInTarget(kGerman, "", "de"));
  EXPECT_FALSE(IsInTarget(kEnglish, "en", "de"));
  EXPECT_FALSE(IsInTarget(kFrench, "en", "de"));
  EXPECT_FALSE(IsInTarget("OK", "en", "de"));
  EXPECT_FALSE(IsInTarget("12", "en", "de"));
  // Another script is another text.
  EXPECT_TRUE(IsInTarget("這是一個測試。", "en", "zh-Hant"));
  EXPECT_FALSE(IsInTarget("這是一個測試。", "en", "zh-Hans"));
  EXPECT_FALSE(IsInTarget("Ўзбек тилида ёзилган матн.", "en", "uz"));
}

TEST(TargetLanguageTest, InATextOfTheTargetOnlyOtherLanguagesAreNot) {
  EXPECT_TRUE(IsInTarget("OK", "de", "de", /*text_confidence=*/0.9));
  EXPECT_FALSE(IsInTarget("OK", "de", "de", /*text_confidence=*/0.6));
  EXPECT_FALSE(IsInTarget("OK", "fr", "de", /*text_confidence=*/0.9));
  EXPECT_FALSE(IsInTarget(kEnglish, "de", "de", /*text_confidence=*/0.9));
  EXPECT_TRUE(IsInTarget(kGerman, "de", "de", /*text_confidence=*/0.9));
}

}  // namespace
}  // namespace sheaf
