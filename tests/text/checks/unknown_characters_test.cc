// SPDX-License-Identifier: Apache-2.0

#include "text/checks/unknown_characters.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The embedded model's, which has byte tokens for what it lacks.
const Tokenizer& EmbeddedTokenizer() {
  static const Tokenizer* const tokenizer = [] {
    absl::StatusOr<std::unique_ptr<const Tokenizer>> loaded =
        Tokenizer::Load(SHEAF_MODELS_DIR "/sheaf-small", 8064);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded->release();
  }();
  return *tokenizer;
}

std::vector<std::string> Unknown(const std::string& text) {
  std::vector<std::string> found;
  for (const TextRange& range : FindUnknown(text, EmbeddedTokenizer())) {
    found.emplace_back(Slice(text, range));
  }
  return found;
}

std::string Replaced(const std::string& text) {
  return ReplaceUnknown(text, FindUnknown(text, EmbeddedTokenizer()),
                        StandInKind::kIdentifier,
                        FindPlainSigns(text, EmbeddedTokenizer()))
      .source.text();
}

TEST(UnknownCharactersTest, SignsCountAloneAndLettersWithTheirWord) {
  EXPECT_THAT(Unknown("It costs 5 €, not 5 $."), ElementsAre("€"));
  EXPECT_THAT(Unknown("The word 中文 is new."), ElementsAre("中文"));
  EXPECT_THAT(Unknown("He said Привет мир, not äöü."),
              ElementsAre("Привет мир"));
  // The embedded model copies letters of the Latin script from bytes.
  EXPECT_THAT(Unknown("The old Škoda is at the café."), IsEmpty());
}

TEST(UnknownCharactersTest, TextsInAnotherLanguageHaveNone) {
  EXPECT_THAT(Unknown("Привет мир, a"), IsEmpty());
}

TEST(UnknownCharactersTest, CurrencySignsBecomeDollars) {
  EXPECT_EQ(Replaced("From €5 to 7 €."), "From $5 to 7 $.");
  EXPECT_EQ(Replaced("From €5.50 to 7£."), "From ID1 to ID2.");
  EXPECT_EQ(Replaced("A → B 😀 5 ×"), "A → B 😀 5 ×");
  EXPECT_EQ(Replaced("The word 中文 costs £5."), "The word ID1 costs $5.");
}

TEST(UnknownCharactersTest, QuotesAndDashesBecomePlain) {
  EXPECT_EQ(Replaced("It’s “new” – 5 €…"), "It’s “new\" - 5 $…");
  EXPECT_EQ(Replaced("Late—very late — ‘now’."), "Late - very late - 'now’.");
  EXPECT_THAT(Unknown("It’s “new” – 5 €…"), ElementsAre("€"));
}

TEST(UnknownCharactersTest, TheyReturnWithTheirStandIns) {
  const std::string source = "The word 中文 costs €5.";
  const StandInSource replaced =
      ReplaceUnknown(source, FindUnknown(source, EmbeddedTokenizer()),
                     StandInKind::kIdentifier);
  const std::optional<EditedText> restored =
      RestoreSpans(replaced, "Das Wort ID1 kostet 5 $.", {});
  ASSERT_TRUE(restored.has_value());
  EXPECT_EQ(restored->text, "Das Wort 中文 kostet 5 €.");
  EXPECT_FALSE(RestoreSpans(replaced, "Das Wort ID1 kostet 5.", {}));
}

TEST(UnknownCharactersTest, SignsInTheirPlaceAreReplaced) {
  const std::string source = "It costs 5 €.";
  const std::string target = "Es kostet 5 ✤.";
  const TextAlignment alignment = {{{0, 2}, {0, 2}},
                                   {{2, 9}, {3, 8}},
                                   {{9, 11}, {9, 10}},
                                   {{11, 15}, {11, 14}},
                                   {{15, 16}, {14, 15}}};
  const std::optional<EditedText> copied =
      CopyUnknown(source, {{11, 14}}, target, alignment);
  ASSERT_TRUE(copied.has_value());
  EXPECT_EQ(copied->text, "Es kostet 5 €.");
}

TEST(UnknownCharactersTest, BrokenCharactersAreRemoved) {
  const std::optional<EditedText> copied = CopyUnknown("a € b", {{2, 5}},
                                                       "a € \xEF\xBF\xBD\x03"
                                                       "b",
                                                       {});
  ASSERT_TRUE(copied.has_value());
  EXPECT_EQ(copied->text, "a € b");
}

}  // namespace
}  // namespace sheaf
