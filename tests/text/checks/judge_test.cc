// SPDX-License-Identifier: Apache-2.0

#include "text/checks/judge.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "text/checks/protected_spans.h"
#include "text/checks/repetition.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using enum SegmentWarning;

std::vector<SegmentWarning> Judge(const std::string& source,
                                  const std::string& target,
                                  const std::string& target_language = "de") {
  const std::vector<TextRange> spans = FindProtectedSpans(source, {});
  return JudgeSegment({.source = source,
                       .target = target,
                       .source_language = "en",
                       .target_language = target_language,
                       .protected_spans = spans});
}

TEST(JudgeTest, GoodTranslationsHaveNoWarning) {
  EXPECT_THAT(Judge("The 3 files in {x} are open.",
                    "Die 3 Dateien in {x} sind geöffnet."),
              IsEmpty());
  EXPECT_THAT(Judge("OK", "In Ordnung"), IsEmpty());
  EXPECT_THAT(Judge("It is very, very, very far.", "Es ist sehr, sehr weit."),
              IsEmpty());
  EXPECT_THAT(Judge("Please enter your name here.", "请在此输入姓名。", "zh"),
              IsEmpty());
}

TEST(JudgeTest, EachWarningHasItsCause) {
  EXPECT_THAT(Judge("of", ""), ElementsAre(kEmpty));
  EXPECT_THAT(Judge("Open {x} now.", "Öffne x jetzt."),
              ElementsAre(kProtectedSpan));
  EXPECT_THAT(Judge("It has 5 parts.", "Es hat 6 Teile."),
              ElementsAre(kNumber));
  EXPECT_THAT(Judge("It is cold.", "Es ist \xEF\xBF\xBD kalt."),
              ElementsAre(kUnknownCharacter));
  EXPECT_THAT(Judge("It is here now.", "Es ist hier Es ist hier"),
              ElementsAre(kRepetition));
  EXPECT_THAT(Judge("This is a long sentence, and its second half is lost "
                    "although it says what matters most.",
                    "Dies ist ein langer Satz."),
              ElementsAre(kTooShort));
  EXPECT_THAT(Judge("It is short.",
                    "Es ist zwar kurz, doch die Übersetzung hört gar nicht "
                    "mehr auf zu erzählen."),
              ElementsAre(kTooLong));
  EXPECT_THAT(Judge("THE FILE IS OPEN.", "THE FILE IS OPEN."),
              ElementsAre(kUntranslated));
  EXPECT_THAT(JudgeSegment({.source = "a b", .target = "a", .is_cut = true}),
              ElementsAre(kCut));
}

TEST(JudgeTest, CharactersThatTheModelLacksMustBeCopied) {
  const std::string source = "The word 中文 is new.";
  const std::vector<TextRange> unknown = {{9, 15}};
  EXPECT_THAT(JudgeSegment({.source = source,
                            .target = "Das Wort x ist neu.",
                            .unknown = unknown}),
              ElementsAre(kUnknownCharacter));
  EXPECT_THAT(JudgeSegment({.source = source,
                            .target = "Das Wort 中文 ist neu.",
                            .unknown = unknown}),
              IsEmpty());
}

TEST(JudgeTest, NamesMayStayAsTheyAre) {
  EXPECT_THAT(
      Judge("Microsoft Visual Studio Code", "Microsoft Visual Studio Code"),
      IsEmpty());
  EXPECT_THAT(Judge("Please open the file", "Please open the file", "en-GB"),
              IsEmpty());
}

TEST(JudgeTest, FewerWarningsAreBetterThanProbability) {
  const std::vector<SegmentWarning> none,
      number = {kNumber}, span = {kProtectedSpan}, two = {kNumber, kTooShort};
  EXPECT_TRUE(IsBetter({none, -2}, {number, -1}));
  EXPECT_TRUE(IsBetter({two, -2}, {span, -1}));
  EXPECT_TRUE(IsBetter({number, -1}, {number, -2}));
  EXPECT_FALSE(IsBetter({number, -1}, {number, -1}));
}

TEST(RepetitionTest, PhrasesThatFollowThemselves) {
  EXPECT_EQ(NumRepeatedWords("ha ha ha"), 0);
  EXPECT_EQ(NumRepeatedWords("ha ha Ha ha"), 3);
  EXPECT_EQ(NumRepeatedWords("so la so la so la so la"), 6);
  EXPECT_EQ(NumRepeatedWords("it is here it is"), 0);
  EXPECT_EQ(NumRepeatedWords("it is here it is here"), 3);
  EXPECT_EQ(NumRepeatedWords("– – – – – –"), 5);
  EXPECT_EQ(NumRepeatedWords("------ ......"), 0);
  EXPECT_EQ(NumRepeatedWords("很好很好很好很好"), 6);
  EXPECT_EQ(NumRepeatedWords(""), 0);
}

}  // namespace
}  // namespace sheaf
