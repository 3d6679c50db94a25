// SPDX-License-Identifier: Apache-2.0

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/text/documents/fake_translation.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Srt(std::string bytes,
                const FakeTranslation& translate = Capitals) {
  absl::StatusOr<std::string> out =
      TranslateDocument(DocumentFormat::kSrt, std::move(bytes), translate);
  return out.ok() ? *out : std::string(out.status().message());
}
std::string Vtt(std::string bytes,
                const FakeTranslation& translate = Capitals) {
  absl::StatusOr<std::string> out =
      TranslateDocument(DocumentFormat::kVtt, std::move(bytes), translate);
  return out.ok() ? *out : std::string(out.status().message());
}
FakeTranslation Say(std::string text) {
  return [text](const DocumentUnit&) { return text; };
}

constexpr char kTimes[] = "00:00:01,000 --> 00:00:02,500\n";

std::string Cue(const std::string& text) {
  return std::string("1\n") + kTimes + text + "\n";
}

TEST(SrtDocumentTest, LinesOfACueAreOneTextAndTheRestStays) {
  EXPECT_THAT(TextsOf(DocumentFormat::kSrt,
                      "1\n00:00:01,000 --> 00:00:02,500 X1:10\nHello,\nmy "
                      "friend.\n\n2\n00:00:03,000 --> 00:00:04,000\nBye."),
              ElementsAre("Hello, my friend.", "Bye."));
  EXPECT_EQ(Srt("1\r\n00:00:01,000 --> 00:00:02,500\r\nHello.\r\n\r\n2\r\n"
                "00:00:03,000 --> 00:00:04,000\r\nBye.\r\n"),
            "1\r\n00:00:01,000 --> 00:00:02,500\r\nHELLO.\r\n\r\n2\r\n"
            "00:00:03,000 --> 00:00:04,000\r\nBYE.\r\n");
  EXPECT_EQ(Vtt("WEBVTT\r\r00:01.000 --> 00:02.000\rHello,\rmy friend.\r\r"
                "00:03.000 --> 00:04.000\rBye.\r"),
            "WEBVTT\r\r00:01.000 --> 00:02.000\rHELLO,\rMY FRIEND.\r\r"
            "00:03.000 --> 00:04.000\rBYE.\r");
}

TEST(SrtDocumentTest, TheLinesOfACueStayItsNumberIfTheAuthorBrokeThem) {
  EXPECT_EQ(Srt(Cue("Hello,\nmy friend.")), Cue("HELLO,\nMY FRIEND."));
}

TEST(SrtDocumentTest, ALongTranslationIsBrokenIntoLinesOfAboutTheSameLength) {
  EXPECT_EQ(Srt(Cue("Short."),
                Say("These are more words than one line of a subtitle has.")),
            Cue("These are more words than\none line of a subtitle has."));
  // Two lines, unless the cue itself has more.
  EXPECT_EQ(Srt(Cue("Short."),
                Say("one two three four five six seven eight nine ten eleven "
                    "twelve thirteen fourteen fifteen sixteen.")),
            Cue("one two three four five six seven eight nine ten\neleven "
                "twelve thirteen fourteen fifteen sixteen."));
}

TEST(SrtDocumentTest, WideCharactersAreTwoColumnsAndNeedNoSpaces) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "\u6c49";
  EXPECT_EQ(Srt(Cue("Short."), Say(text)),
            Cue(text.substr(0, 45) + "\n" + text.substr(45)));
  EXPECT_THAT(TextsOf(DocumentFormat::kSrt, Cue("\u6c49\u6c49\n\u6c49")),
              ElementsAre("\u6c49\u6c49\u6c49"));
}

TEST(SrtDocumentTest, SpeakersOfADialogueAreTranslatedByThemselves) {
  const std::string in = Cue("- Are you there?\n- Yes, I am\nright here.");
  EXPECT_THAT(TextsOf(DocumentFormat::kSrt, in),
              ElementsAre("Are you there?", "Yes, I am right here."));
  EXPECT_EQ(Srt(in), Cue("- ARE YOU THERE?\n- YES, I AM\nRIGHT HERE."));
}

TEST(SrtDocumentTest, ASentenceOfSeveralCuesIsOneText) {
  const std::string first = "1\n00:00:01,000 --> 00:00:02,000\n";
  const std::string second = "\n2\n00:00:02,000 --> 00:00:03,000\n";
  const std::string third = "\n3\n00:00:03,000 --> 00:00:04,000\n";
  const std::string in = first + "When I came home,\n" + second +
                         "the door was open\n" + third + "Nobody was there.\n";
  EXPECT_THAT(
      TextsOf(DocumentFormat::kSrt, in),
      ElementsAre("When I came home, the door was open", "Nobody was there."));
  EXPECT_EQ(Srt(in,
                [](const DocumentUnit& unit) -> std::string {
                  return unit.text[0] == 'N'
                             ? "Niemand war da."
                             : "Als ich heimkam, stand die T\u00fcr "
                               "offen";
                }),
            first + "Als ich heimkam,\n" + second +
                "stand die T\u00fcr offen\n" + third + "Niemand war da.\n");
  EXPECT_EQ(Srt(in, SameText), in);
  // One word for two cues leaves one of them empty.
  EXPECT_EQ(Srt(in, Say("Ja.")),
            first + "Ja.\n" + second + "\n" + third + "Ja.\n");
}

TEST(SrtDocumentTest, TagsAroundTheTextStayAndThoseWithinArePlaced) {
  EXPECT_THAT(TextsOf(DocumentFormat::kSrt, Cue("{\\an8}<i>Far away</i>")),
              ElementsAre("Far away"));
  EXPECT_EQ(Srt(Cue("{\\an8}<i>Far away</i>")), Cue("{\\an8}<i>FAR AWAY</i>"));
  EXPECT_THAT(TextsOf(DocumentFormat::kSrt, Cue("Far <i>away</i> now")),
              ElementsAre("Far <span id=\"1\">away</span> now"));
  EXPECT_EQ(Srt(Cue("Far <i>away</i> now"), Reversed),
            Cue(" now<i>away</i> Far"));
  EXPECT_EQ(Srt(Cue("<font color=\"red\">Stop"), Capitals),
            Cue("<font color=\"red\">STOP"));
}

TEST(SrtDocumentTest, ATranslationCannotEndItsCue) {
  EXPECT_EQ(Srt(Cue("Stop."), Say("A\n\nB")), Cue("A  B"));
}

TEST(SrtDocumentTest, TextBeforeTheFirstTimesIsAnError) {
  EXPECT_EQ(Srt("\n1\nHello\n"),
            "line 2, column 1: times (00:00:01,000 --> 00:00:02,000) are "
            "expected before a text");
  EXPECT_EQ(Srt(""), "");
}

TEST(VttDocumentTest, BlocksWithoutTimesStay) {
  const std::string in =
      "WEBVTT - a title\nKind: captions\n\nSTYLE\n::cue { color: red }\n\n"
      "NOTE a note\nof two lines\n\nREGION\nid:fred\n\nintro\n00:01.000 --> "
      "00:02.000 align:start\nHello.\n\n00:03.000 --> 00:04.000\n<v Fred "
      "Smith>Tom &amp; I.\n";
  EXPECT_THAT(TextsOf(DocumentFormat::kVtt, in),
              ElementsAre("Hello.", "Tom <code id=\"2\">&amp;</code> I."));
  std::string out = in;
  out.replace(out.find("Hello"), 5, "HELLO");
  out.replace(out.find("Tom"), 3, "TOM");
  EXPECT_EQ(Vtt(in), out);
}

TEST(VttDocumentTest, TimesInATextAreCodes) {
  EXPECT_THAT(TextsOf(DocumentFormat::kVtt,
                      "WEBVTT\n\n00:01.000 --> 00:02.000\nOne "
                      "<00:01.500>two <c.red>three</c>\n"),
              ElementsAre("One <img id=\"1\">two <span id=\"3\">three</span>"));
}

TEST(VttDocumentTest, AnArrowInATranslationIsNoTime) {
  EXPECT_EQ(Vtt("WEBVTT\n\n00:01.000 --> 00:02.000\nGo.\n", Say("a --> b")),
            "WEBVTT\n\n00:01.000 --> 00:02.000\na \u2192 b\n");
}

TEST(VttDocumentTest, TheHeaderIsNeeded) {
  EXPECT_EQ(Vtt("00:01.000 --> 00:02.000\nHello.\n"),
            "line 1, column 1: the file does not begin with WEBVTT");
  EXPECT_THAT(TextsOf(DocumentFormat::kVtt, "WEBVTT\n"), IsEmpty());
}

}  // namespace
}  // namespace sheaf
