#include "text/segmenter.h"

#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// One token a character, as for a model of characters.
int64_t CountCharacters(absl::string_view text) {
  int64_t n = 0;
  for (size_t at = 0; at < text.size(); ++n) NextCharacter(text, at);
  return n;
}

SegmentedText Split(absl::string_view text, int64_t max_tokens = 1000) {
  return SplitForTranslation(text, "en", max_tokens, CountCharacters);
}

std::string Join(const SegmentedText& split) {
  std::string text(split.gaps[0]);
  for (size_t i = 0; i < split.segments.size(); ++i) {
    absl::StrAppend(&text, split.segments[i], split.gaps[i + 1]);
  }
  return text;
}

TEST(SplitForTranslationTest, SentencesAreSegmentsAndSpacesAreGaps) {
  const SegmentedText split = Split("He is here.  I am not! Why?");
  EXPECT_THAT(split.segments, ElementsAre("He is here.", "I am not!", "Why?"));
  EXPECT_THAT(split.gaps, ElementsAre("", "  ", " ", ""));
}

TEST(SplitForTranslationTest, LineBreaksAndLayoutAreGaps) {
  const SegmentedText split =
      Split("\n  Title\r\n\r\n\t- one item\n---\nEnd.\n");
  EXPECT_THAT(split.segments, ElementsAre("Title", "one item", "End."));
  EXPECT_THAT(split.gaps, ElementsAre("\n  ", "\r\n\r\n\t- ", "\n---\n", "\n"));
}

TEST(SplitForTranslationTest, AbbreviationsEndNoSentence) {
  EXPECT_THAT(Split("Mr. Smith left. He ran.").segments,
              ElementsAre("Mr. Smith left.", "He ran."));
}

TEST(SplitForTranslationTest, WhitespaceAndSignsAloneAreOneGap) {
  for (const char* text : {" \n\t ", "***", "--- ...", "\u3000\u2028"}) {
    const SegmentedText split = Split(text);
    EXPECT_THAT(split.segments, IsEmpty());
    EXPECT_THAT(split.gaps, ElementsAre(text));
  }
}

TEST(SplitForTranslationTest, LongMarksAreGapsWhereverTheyStand) {
  const std::string dashes(2000, '-');
  for (const std::string& text :
       {"Hello. " + dashes, "Hello." + dashes, "Hello.\n" + dashes,
        "Hello.\n\n" + dashes + "\n"}) {
    const SegmentedText split = Split(text);
    EXPECT_THAT(split.segments, ElementsAre("Hello.")) << text.substr(0, 20);
    EXPECT_EQ(Join(split), text);
  }
  for (const std::string& text :
       {dashes + " Hello.", dashes + "Hello.", dashes + "\nHello.",
        std::string("* * * *\nHello."), std::string("===== Hello."),
        std::string("\u2192\u2192\u2192\u2192 Hello.")}) {
    const SegmentedText split = Split(text);
    EXPECT_THAT(split.segments, ElementsAre("Hello.")) << text.substr(0, 20);
    EXPECT_EQ(Join(split), text);
  }
  EXPECT_THAT(Split("Chapter 1 " + dashes + " 12").segments,
              ElementsAre("Chapter 1", "12"));
  EXPECT_THAT(Split("==== Title ====").segments, ElementsAre("Title"));
  EXPECT_THAT(Split("Hello. --- World. * * *").segments,
              ElementsAre("Hello.", "World."));
}

TEST(SplitForTranslationTest, ListMarksAndDashesBeforeASentenceAreGaps) {
  for (const char* mark :
       {"- ", "* ", "\u2022 ", "\u2013 ", "> ", "> > ", "## ", "\u2022\t"}) {
    const std::string text = absl::StrCat(mark, "Open");
    const SegmentedText split = Split(text);
    EXPECT_THAT(split.segments, ElementsAre("Open")) << mark;
    EXPECT_THAT(split.gaps, ElementsAre(mark, "")) << mark;
  }
}

TEST(SplitForTranslationTest, ShortMarksAreTextOfTheirSentence) {
  for (const char* text :
       {"-Open", "* [ ] Open", "#tag", "(\"Open\")...", "Really?!",
        "It costs 5 \u20ac", "\u00a1Hola!", "**Bold**", "\u00ab Oui ! \u00bb",
        "My name is ____ now.", "e\u0301"}) {
    EXPECT_THAT(Split(text).segments, ElementsAre(text));
  }
}

TEST(SplitForTranslationTest, OneOfManyTerminalMarksStays) {
  const SegmentedText split = Split("Stop!!!!!!! Go......");
  EXPECT_THAT(split.segments, ElementsAre("Stop!", "Go."));
  EXPECT_THAT(split.gaps, ElementsAre("", "!!!!!! ", "....."));
}

// Quadratic time would be minutes.
TEST(SplitForTranslationTest, AMegabyteOfAnyKindTakesLinearTime) {
  const auto count = [](absl::string_view part) {
    return static_cast<int64_t>(part.size() / 4) + 5;
  };
  for (const char* unit :
       {"-",          ".",      ". ",           "! ",      ". - ",
        "x",          "\u6f22", "\u6f22\u3002", "\u0e01",  "\n",
        "\U0001F600", "...",    "\".\" ",       "(.) ",    "A. ",
        "1. ",        "a. b. ", "- x\n",        "\u0301",  " ",
        "a ? B ",     ".[1] ",  "x . . ",       "x ----- "}) {
    std::string text;
    while (text.size() < (1 << 20)) text += unit;
    const absl::Time begin = absl::Now();
    const SegmentedText split = SplitForTranslation(text, "en", 512, count);
    EXPECT_LT(absl::Now() - begin, absl::Seconds(10)) << unit;
    EXPECT_EQ(Join(split), text) << unit;
  }
}

TEST(SplitForTranslationTest, ALongSentenceIsCutAfterAClauseElseAtASpace) {
  EXPECT_THAT(Split("aaaa bbbb cccc, dddd eeee ffff gggg", 20).segments,
              ElementsAre("aaaa bbbb cccc,", "dddd eeee ffff gggg"));
  EXPECT_THAT(Split("aaaa bbbb cccc dddd eeee", 12).segments,
              ElementsAre("aaaa bbbb", "cccc dddd", "eeee"));
}

TEST(SplitForTranslationTest, TextWithoutSpacesIsCutBetweenCharacters) {
  const std::string text(95, 'x');
  const SegmentedText split = Split(text, 40);
  for (absl::string_view segment : split.segments) {
    EXPECT_LE(segment.size(), 40);
  }
  EXPECT_EQ(Join(split), text);
}

TEST(SplitForTranslationTest, NothingIsLostAndNothingIsTooLong) {
  const std::vector<std::string> parts = {"Word",
                                          " ",
                                          ". ",
                                          "\n",
                                          "\u00e9",
                                          "\u6f22\u5b57",
                                          ", ",
                                          "Mr. ",
                                          "?",
                                          "  ",
                                          "\r\n",
                                          "\U0001F600",
                                          "e\u0301\u0301\u0301",
                                          "123.4",
                                          " - ",
                                          "\t",
                                          "Ende. ",
                                          "\u3002",
                                          "--------",
                                          "* ",
                                          "\u00bb ",
                                          "\" ",
                                          "(1) ",
                                          std::string(1, '\0')};
  std::mt19937 rng(301);
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (int n = static_cast<int>(rng() % 60); n > 0; --n) {
      text += parts[rng() % parts.size()];
    }
    const int64_t max_tokens = 1 + static_cast<int64_t>(rng() % 30);
    const SegmentedText split = Split(text, max_tokens);
    ASSERT_EQ(Join(split), text);
    for (absl::string_view segment : split.segments) {
      ASSERT_FALSE(segment.empty());
      ASSERT_TRUE(IsValidUtf8(segment));
      ASSERT_TRUE(HasLetterOrDigit(segment)) << segment;
      ASSERT_LE(CountCharacters(segment), max_tokens) << segment;
    }
  }
}

// Counted bytes stand for time: a text of a megabyte must not be tokenized
// over and over.
TEST(SplitForTranslationTest, CountsALongTextFewTimesOver) {
  const std::string no_spaces(1 << 20, 'x');
  std::string sentences;
  while (sentences.size() < (1 << 20)) sentences += "This is a sentence. ";
  for (const std::string& text : {no_spaces, sentences}) {
    int64_t counted = 0;
    const auto count = [&](absl::string_view part) {
      counted += static_cast<int64_t>(part.size());
      return static_cast<int64_t>(part.size() / 4) + 5;
    };
    const SegmentedText split = SplitForTranslation(text, "en", 512, count);
    EXPECT_EQ(Join(split), text);
    EXPECT_LT(counted, 8 * static_cast<int64_t>(text.size()));
    counted = 0;
    SplitForSummary(text, "en", 512, count);
    EXPECT_LT(counted, 8 * static_cast<int64_t>(text.size()));
  }
}

TEST(SplitForSummaryTest, AShortDocumentIsOnePartAsItIs) {
  EXPECT_THAT(SplitForSummary(" One.\n\nTwo. \n", "en", 100, CountCharacters),
              ElementsAre("One.\n\nTwo."));
}

TEST(SplitForSummaryTest, ALongOneIsCutBetweenSentences) {
  EXPECT_THAT(SplitForSummary("Aaaa bbbb. Cccc dddd. Eeee ffff.", "en", 21,
                              CountCharacters),
              ElementsAre("Aaaa bbbb. Cccc dddd.", "Eeee ffff."));
}

TEST(SplitForSummaryTest, PrefersTheEndOfAParagraph) {
  EXPECT_THAT(SplitForSummary("Aaaa bbbb. Cccc dddd.\n\nEeee. Ffff gggg hhhh.",
                              "en", 30, CountCharacters),
              ElementsAre("Aaaa bbbb. Cccc dddd.", "Eeee. Ffff gggg hhhh."));
}

TEST(SplitForSummaryTest, EveryWordIsInSomePartAndNoPartIsTooLong) {
  std::mt19937 rng(301);
  for (int i = 0; i < 100; ++i) {
    std::vector<std::string> words;
    for (int n = 0; n < 80; ++n) {
      words.push_back(absl::StrCat("w", n, rng() % 5 == 0 ? "." : ""));
    }
    const std::string text = absl::StrJoin(words, rng() % 2 ? " " : "\n");
    const auto parts = SplitForSummary(text, "en", 40, CountCharacters);
    std::vector<std::string> found;
    for (absl::string_view part : parts) {
      EXPECT_LE(CountCharacters(part), 40);
      for (absl::string_view word :
           absl::StrSplit(part, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
        found.emplace_back(word);
      }
    }
    EXPECT_EQ(found, words);
  }
}

}  // namespace
}  // namespace sheaf
