// SPDX-License-Identifier: Apache-2.0

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

// One token per character: its code point.
std::vector<int32_t> Characters(absl::string_view text) {
  std::vector<int32_t> ids;
  for (size_t at = 0; at < text.size();) ids.push_back(NextCharacter(text, at));
  return ids;
}

int64_t CountCharacters(absl::string_view text) {
  return static_cast<int64_t>(Characters(text).size());
}

absl::StatusOr<EncodedSource> EncodeCharacters(absl::string_view text) {
  return EncodedSource{CountCharacters(text), Characters(text)};
}

// One token per four bytes, and five of a prompt.
absl::StatusOr<EncodedSource> EncodeFast(absl::string_view text) {
  const std::vector<int32_t> ids(text.size() / 4 + 5);
  return EncodedSource{static_cast<int64_t>(ids.size()), ids};
}

SegmentedText Split(absl::string_view text, int64_t max_tokens = 1000) {
  return SplitForTranslation(text, {"en", max_tokens}, EncodeCharacters)
      .value();
}

SummaryParts SplitSummary(absl::string_view text, int64_t max_tokens) {
  return SplitForSummary(text, "en", max_tokens, EncodeCharacters).value();
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
  EXPECT_THAT(Split("Chapter 1 " + dashes + " page 12").segments,
              ElementsAre("Chapter 1", "page 12"));
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

TEST(SplitForTranslationTest, SentencesWithoutALetterAreGapsAndCounted) {
  for (const char* sentence : {"-",
                               "12",
                               "19:30",
                               "1,234.50",
                               "\u20ac 12.50",
                               "+49 (0)30 1234-567",
                               "2024-05-12",
                               "50 %",
                               "(1)",
                               "\u0661\u0662\u0663",
                               "\u2163",
                               "\u00bd",
                               "\u2460",
                               "\U0001F600",
                               "\U0001F1E9\U0001F1EA",
                               "1\ufe0f\u20e3",
                               "\u2139\ufe0f",
                               "\u2122",
                               "=>",
                               "..."}) {
    const SegmentedText alone = Split(sentence);
    EXPECT_THAT(alone.segments, IsEmpty()) << sentence;
    EXPECT_THAT(alone.gaps, ElementsAre(sentence));
    EXPECT_EQ(alone.copied.without_letter, 1) << sentence;
    const std::string text = absl::StrCat("One.\n", sentence, "\n\nTwo.");
    const SegmentedText within = Split(text);
    EXPECT_THAT(within.segments, ElementsAre("One.", "Two.")) << sentence;
    EXPECT_EQ(Join(within), text);
    EXPECT_EQ(within.copied.without_letter, 1) << sentence;
  }
  // White space is no sentence, and neither are marks beside words.
  EXPECT_EQ(Split(" \n\t\n").copied.without_letter, 0);
  EXPECT_EQ(Split("- Open ---------- 12").copied.without_letter, 0);
}

TEST(SplitForTranslationTest, OneLetterOfAnyScriptMakesASegment) {
  for (const char* text :
       {"5 km", "A4", "\u4e09", "1\u00ba", "\u03b1", "12\u0e01"}) {
    EXPECT_THAT(Split(text).segments, ElementsAre(text));
    EXPECT_EQ(Split(text).copied.without_letter, 0);
  }
}

TEST(SplitForTranslationTest, PartsWithoutALetterAreGaps) {
  const std::string dots(20, '.');
  const std::string text = "Chapter " + dots + " 12";
  EXPECT_THAT(Split(text).segments, ElementsAre("Chapter"));
  EXPECT_EQ(Join(Split(text)), text);
  // Also those of a sentence that is too long.
  const std::string digits = "abcdefgh 123456789 123456789 12345678";
  const SegmentedText split = Split(digits, /*max_tokens=*/10);
  EXPECT_THAT(split.segments, ElementsAre("abcdefgh"));
  EXPECT_EQ(Join(split), digits);
}

TEST(SplitForTranslationTest, SentencesThatAreToBeCopiedAreNotEncoded) {
  std::vector<std::string> encoded;
  const auto encode = [&](absl::string_view text) {
    if (!text.empty()) encoded.emplace_back(text);
    return EncodeCharacters(text);
  };
  TranslationSplit split = {"en", /*max_tokens=*/100};
  split.is_copied = [](absl::string_view sentence) {
    return absl::StrContains(sentence, "zwei");
  };
  const SegmentedText result =
      SplitForTranslation("One. Das sind zwei.\n12\nThree.", split, encode)
          .value();
  EXPECT_THAT(result.segments, ElementsAre("One.", "Three."));
  EXPECT_THAT(result.gaps, ElementsAre("", " Das sind zwei.\n12\n", ""));
  EXPECT_EQ(result.copied.in_target_language, 1);
  EXPECT_EQ(result.copied.without_letter, 1);
  EXPECT_THAT(encoded, ElementsAre("One.", "Three."));
}

TEST(SplitForSummaryTest, NumbersAloneAreRead) {
  EXPECT_THAT(SplitSummary("aaaa.\n1234.\nbbbb.", 6).parts,
              ElementsAre("aaaa.", "1234.", "bbbb."));
}

// Quadratic time would take minutes.
TEST(SplitForTranslationTest, AMegabyteOfAnyKindTakesLinearTime) {
  for (const char* unit :
       {"-",          ".",      ". ",           "! ",      ". - ",
        "x",          "\u6f22", "\u6f22\u3002", "\u0e01",  "\n",
        "\U0001F600", "...",    "\".\" ",       "(.) ",    "A. ",
        "1. ",        "a. b. ", "- x\n",        "\u0301",  " ",
        "a ? B ",     ".[1] ",  "x . . ",       "x ----- "}) {
    std::string text;
    while (text.size() < (1 << 20)) text += unit;
    const absl::Time begin = absl::Now();
    const SegmentedText split =
        SplitForTranslation(text, {"en", 512}, EncodeFast).value();
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
    ASSERT_EQ(split.sources.size(), split.segments.size());
    for (size_t k = 0; k < split.segments.size(); ++k) {
      const absl::string_view segment = split.segments[k];
      ASSERT_EQ(split.sources[k], Characters(segment)) << segment;
      ASSERT_FALSE(segment.empty());
      ASSERT_TRUE(IsValidUtf8(segment));
      ASSERT_TRUE(HasLetter(segment)) << segment;
      ASSERT_LE(CountCharacters(segment), max_tokens) << segment;
    }
  }
}

// Encoded bytes stand for time: a text of a megabyte must not be encoded over
// and over.
TEST(SplitForTranslationTest, EncodesALongTextFewTimesOver) {
  const std::string no_spaces(1 << 20, 'x');
  std::string sentences;
  while (sentences.size() < (1 << 20)) sentences += "This is a sentence. ";
  for (const std::string& text : {no_spaces, sentences}) {
    int64_t num_bytes = 0;
    const auto encode = [&](absl::string_view part) {
      num_bytes += static_cast<int64_t>(part.size());
      return EncodeFast(part);
    };
    const SegmentedText split =
        SplitForTranslation(text, {"en", 512}, encode).value();
    EXPECT_EQ(Join(split), text);
    EXPECT_LT(num_bytes, 8 * static_cast<int64_t>(text.size()));
    num_bytes = 0;
    EXPECT_TRUE(SplitForSummary(text, "en", 512, encode).ok());
    EXPECT_LT(num_bytes, 8 * static_cast<int64_t>(text.size()));
  }
}

// Remembers what it encodes, except for empty texts.
class EncodeRecorder {
 public:
  absl::StatusOr<EncodedSource> operator()(absl::string_view text) const {
    if (!text.empty()) texts_.emplace_back(text);
    return EncodeCharacters(text);
  }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  mutable std::vector<std::string> texts_;
};

TEST(SplitForTranslationTest, EncodesEachSentenceThatFitsOnce) {
  EncodeRecorder encode;
  EXPECT_TRUE(
      SplitForTranslation("One two. Three!\nFour?", {"en", 100}, encode).ok());
  EXPECT_THAT(encode.texts(), ElementsAre("One two.", "Three!", "Four?"));
}

TEST(SplitForTranslationTest, EncodesAPieceOnceMoreOnlyForABetterCut) {
  EncodeRecorder no_better;
  EXPECT_TRUE(
      SplitForTranslation("aaaabbbbccccdddd", {"en", 12}, no_better).ok());
  EXPECT_THAT(no_better.texts(),
              ElementsAre("aaaabbbbccccdddd", "aaaabbbbccc", "cdddd"));
  EncodeRecorder better;
  EXPECT_TRUE(
      SplitForTranslation("aaaabbb cccc dddd", {"en", 12}, better).ok());
  EXPECT_THAT(better.texts(), ElementsAre("aaaabbb cccc dddd", "aaaabbb ccc",
                                          "aaaabbb", "cccc dddd"));
}

TEST(SplitForSummaryTest, EncodesEachSentenceOnceAndEachPartOnce) {
  EncodeRecorder encode;
  const std::string text = "Aaaa bbbb. Cccc dddd. Eeee ffff.";
  EXPECT_TRUE(SplitForSummary(text, "en", 21, encode).ok());
  EXPECT_THAT(encode.texts(),
              ElementsAre(text, "Aaaa bbbb.", "Cccc dddd.", "Eeee ffff.",
                          "Aaaa bbbb. Cccc dddd."));
}

TEST(SplitTest, EndsAtTheFirstError) {
  std::string text;
  while (text.size() < (1 << 20)) text += "This is a sentence. ";
  for (const bool is_summary : {false, true}) {
    int num_calls = 0;
    const auto encode =
        [&](absl::string_view part) -> absl::StatusOr<EncodedSource> {
      if (++num_calls == 5) return absl::CancelledError("the client has left");
      return EncodeFast(part);
    };
    const absl::Status status =
        is_summary ? SplitForSummary(text, "en", 512, encode).status()
                   : SplitForTranslation(text, {"en", 512}, encode).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(num_calls, 5);
  }
}

TEST(SplitForSummaryTest, AShortDocumentIsOnePartAsItIs) {
  EXPECT_THAT(SplitSummary(" One.\n\nTwo. \n", 100).parts,
              ElementsAre("One.\n\nTwo."));
}

TEST(SplitForSummaryTest, ALongOneIsCutBetweenSentences) {
  EXPECT_THAT(SplitSummary("Aaaa bbbb. Cccc dddd. Eeee ffff.", 21).parts,
              ElementsAre("Aaaa bbbb. Cccc dddd.", "Eeee ffff."));
}

TEST(SplitForSummaryTest, PrefersTheEndOfAParagraph) {
  EXPECT_THAT(
      SplitSummary("Aaaa bbbb. Cccc dddd.\n\nEeee. Ffff gggg hhhh.", 30).parts,
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
    const SummaryParts split = SplitSummary(text, 40);
    ASSERT_EQ(split.sources.size(), split.parts.size());
    std::vector<std::string> found;
    for (size_t k = 0; k < split.parts.size(); ++k) {
      const absl::string_view part = split.parts[k];
      EXPECT_EQ(split.sources[k], Characters(part));
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
