// SPDX-License-Identifier: Apache-2.0

#include "text/sentences.h"

#include <chrono>
#include <fstream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "text/marks.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;

// The sentences of `text`, trimmed.
std::vector<std::string> Sentences(absl::string_view text,
                                   absl::string_view language = "en") {
  std::vector<std::string> sentences;
  size_t begin = 0;
  for (const size_t end : SentenceEnds(text, language)) {
    const TextRange range = Trim(text, {begin, end});
    if (range.size() > 0) sentences.emplace_back(Slice(text, range));
    begin = end;
  }
  return sentences;
}

void ExpectWhole(const std::vector<std::string>& texts,
                 absl::string_view language) {
  for (const std::string& text : texts) {
    EXPECT_THAT(Sentences(text, language), ElementsAre(text));
  }
}

// Texts of several sentences; see sentences/README.md.
std::vector<std::vector<std::string>> ReadTexts(const std::string& language) {
  std::ifstream file(absl::StrCat(SHEAF_SENTENCES_DIR, "/", language, ".txt"));
  std::vector<std::vector<std::string>> texts(1);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) {
      texts.back().push_back(line);
    } else if (!texts.back().empty()) {
      texts.emplace_back();
    }
  }
  return texts;
}

// The ends of the sentences, in bytes of the text that they form with `space`
// between them.
std::set<size_t> EndsOf(const std::vector<std::string>& sentences,
                        absl::string_view space) {
  std::set<size_t> ends;
  size_t at = 0;
  for (const std::string& sentence : sentences) {
    at += sentence.size();
    ends.insert(at);
    at += space.size();
  }
  return ends;
}

TEST(SentenceEndsTest, AtMostOneBoundaryInAHundredIsWrongInTwelveLanguages) {
  int num_boundaries = 0;
  int num_wrong = 0;
  for (const char* language : {"en", "de", "fr", "es", "it", "pt", "nl", "pl",
                               "ru", "uk", "ja", "zh"}) {
    const std::string name = language;
    const char* space = name == "ja" || name == "zh" ? "" : " ";
    const auto texts = ReadTexts(name);
    ASSERT_GT(texts.size(), 10) << name;
    for (const std::vector<std::string>& expected : texts) {
      const std::string text = absl::StrJoin(expected, space);
      const std::vector<std::string> found = Sentences(text, name);
      const std::set<size_t> right = EndsOf(expected, space);
      const std::set<size_t> seen = EndsOf(found, space);
      int wrong = 0;
      for (const size_t end : right) wrong += !seen.contains(end);
      for (const size_t end : seen) wrong += !right.contains(end);
      num_boundaries += static_cast<int>(right.size());
      num_wrong += wrong;
      if (wrong > 0) {
        std::printf("%s: %s\n", language, absl::StrJoin(found, " | ").c_str());
      }
    }
  }
  EXPECT_GE(num_boundaries, 400);
  EXPECT_LE(100 * num_wrong, num_boundaries) << num_wrong << " wrong";
}

TEST(SentenceEndsTest, TitlesInitialsAndAbbreviationsEndNoSentence) {
  ExpectWhole(
      {"Dr. Miller met Mrs. Jones at noon.",
       "The book by J. R. Weaver is long.", "He lives in St. Louis now.",
       "Gen. Brown called Sen. White.", "Samuel P. Stone and G. W. Hall agree.",
       "It is in the U.S. Army museum, i.e. Hall B, at 5 p.m. today.",
       "DR. MILLER MET MRS. JONES."},
      "en");
  ExpectWhole({"Wir fahren z. B. Bahn und d. h. Zug.",
               "Dipl.-Ing. Kurz wohnt in der Hauptstr. 5.",
               "Das war 50 v. Chr. Rom blieb."},
              "de");
  ExpectWhole({"Он живёт в г. Москве на ул. Ленина."}, "ru");
}

TEST(SentenceEndsTest, AnOpenerAfterAnAbbreviationBeginsASentence) {
  EXPECT_THAT(Sentences("He lives in the U.S. She does not."),
              ElementsAre("He lives in the U.S.", "She does not."));
  EXPECT_THAT(Sentences("It ends at 5 p.m. He left."),
              ElementsAre("It ends at 5 p.m.", "He left."));
  EXPECT_THAT(Sentences("I take vitamin C. It helps."),
              ElementsAre("I take vitamin C.", "It helps."));
  EXPECT_THAT(Sentences("Bring pens, etc. Students pay."),
              ElementsAre("Bring pens, etc.", "Students pay."));
}

TEST(SentenceEndsTest, AFullStopBeforeANumberDependsOnTheWordBefore) {
  ExpectWhole({"See No. 5, Fig. 3 and Vol. IV on Jan. 5.", "It is on p. 7."},
              "en");
  EXPECT_THAT(Sentences("He said no to No. 20 people came."),
              ElementsAre("He said no to No. 20 people came."));
  EXPECT_THAT(Sentences("He left. 20 people came."),
              ElementsAre("He left.", "20 people came."));
  EXPECT_THAT(Sentences("Yes. No. Maybe."),
              ElementsAre("Yes.", "No.", "Maybe."));
}

TEST(SentenceEndsTest, OrdinalsEndNoSentenceWhereTheyHaveAFullStop) {
  ExpectWhole({"Am 3. Oktober war es.", "Der 2. Weltkrieg endete.",
               "Es war der 3. 10. 1990 in Bonn.", "Heinrich VIII. König."},
              "de");
  EXPECT_THAT(Sentences("Er ist 12. Peter ist 10.", "de"),
              ElementsAre("Er ist 12.", "Peter ist 10."));
  EXPECT_THAT(Sentences("It ended World War II. Germany lost."),
              ElementsAre("It ended World War II.", "Germany lost."));
}

TEST(SentenceEndsTest, UrlsOperatorsAndPathsEndNoSentence) {
  ExpectWhole(
      {"Open https://example.org/find?q=tea&page=2 in a browser.",
       "Open https://example.org/#!/inbox in a browser.",
       "If x != y then stop.", "Write a ? b : c in the code.",
       "Write a ? B : C in the code.", "The pattern *.cpp?raw=1 is valid.",
       "The ! and ? are signs.", "Use ../lib/x.so.1 and v1.2.3 of it."},
      "en");
}

TEST(SentenceEndsTest, ALowerCaseWordContinuesTheSentence) {
  ExpectWhole({"\"Stop!\" he said.", "\"Why?\" John asked.", "Well... maybe.",
               "He (really!) came.", "Yahoo! is a name."},
              "en");
  ExpectWhole({"\u00ab Arr\u00eatez ! \u00bb dit-il.", "Ah ! que c'est beau."},
              "fr");
  EXPECT_THAT(Sentences("what? no! i am fine."),
              ElementsAre("what?", "no!", "i am fine."));
}

TEST(SentenceEndsTest, NamesThatBeginSmallMayBeginASentence) {
  EXPECT_THAT(Sentences("I like it. iPhones are good. `foo` is bad. "
                        "std::vector is a class."),
              ElementsAre("I like it.", "iPhones are good.", "`foo` is bad.",
                          "std::vector is a class."));
}

TEST(SentenceEndsTest, QuotesBracketsAndFootnotesBelongToTheSentenceBefore) {
  EXPECT_THAT(Sentences("He said \"Stop!\" Then he left.[12] (All left.) End."),
              ElementsAre("He said \"Stop!\"", "Then he left.[12]",
                          "(All left.)", "End."));
  ExpectWhole({"There were \"Yes!\" - Shouts."}, "en");
  EXPECT_THAT(
      Sentences("\"Yes.\" - \"No.\" He left. - She stayed."),
      ElementsAre("\"Yes.\"", "- \"No.\"", "He left.", "- She stayed."));
  EXPECT_THAT(Sentences("I said \"no.\" He said \"yes.\""),
              ElementsAre("I said \"no.\"", "He said \"yes.\""));
  EXPECT_THAT(Sentences("**Stop.** Now [...] Then (!) Go on."),
              ElementsAre("**Stop.**", "Now [...] Then (!) Go on."));
  EXPECT_THAT(Sentences("\u00ab Oui. \u00bb Puis il part.", "fr"),
              ElementsAre("\u00ab Oui. \u00bb", "Puis il part."));
}

TEST(SentenceEndsTest, NumbersOfListsBeginASentence) {
  ExpectWhole({"1. Open the file.", "a. Open the file.", "IV. Results",
               "Step 3. Open the file."},
              "en");
}

TEST(SentenceEndsTest, IdeographicPunctuationNeedsNoSpace) {
  EXPECT_THAT(Sentences("你好。我是学生！真的吗?是。", "zh"),
              ElementsAre("你好。", "我是学生！", "真的吗?", "是。"));
  ExpectWhole({"「行くぞ！」と彼は言った。", "値段は３．５です。"}, "ja");
  EXPECT_THAT(Sentences("वह आया।वह गया।", "hi"),
              ElementsAre("वह आया।", "वह गया।"));
}

TEST(SentenceEndsTest, LineBreaksEndSentences) {
  EXPECT_THAT(Sentences("Dr.\nMiller\r\nleft\u2028now"),
              ElementsAre("Dr.", "Miller", "left", "now"));
}

TEST(SentenceEndsTest, ScriptsAndRegionsDoNotChangeTheRules) {
  ExpectWhole({"Am 3. Oktober war es."}, "de-AT");
}

TEST(SentenceEndsTest, LanguagesWithoutATableHaveTheCommonAbbreviations) {
  ExpectWhole({"Dr. Berg och prof. Lind kom."}, "sv");
  ExpectWhole({"Dr. X"}, "");
}

TEST(SentenceEndsTest, GivesUpWhenTheTextIsNotWanted) {
  std::string text;
  while (text.size() < (1 << 20)) text += "One more. ";
  int num_questions = 0;
  const auto is_wanted = [&] { return ++num_questions < 5; };
  const std::vector<size_t> ends = SentenceEnds(text, "en", is_wanted);
  EXPECT_EQ(num_questions, 5);
  EXPECT_LT(ends.size(), (size_t{100} << 10) / 10);
  EXPECT_EQ(ends.back(), text.size());
}

}  // namespace
}  // namespace sheaf
