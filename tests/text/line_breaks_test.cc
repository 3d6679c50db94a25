// SPDX-License-Identifier: Apache-2.0

#include "text/line_breaks.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

std::string Paragraphs(absl::string_view text) {
  return JoinLines(text, LineBreaks::kParagraphs);
}

std::string Automatic(absl::string_view text) {
  return JoinLines(text, LineBreaks::kAutomatic);
}

// A paragraph as e-mail programs wrap it, and as one line.
constexpr char kWrapped[] =
    "We have looked at the plans that you sent us on Monday and we\n"
    "think that most of them can be carried out before the end of\n"
    "the year. A few questions are left, which we would like to\n"
    "discuss with you next week.\n";
constexpr char kUnwrapped[] =
    "We have looked at the plans that you sent us on Monday and we "
    "think that most of them can be carried out before the end of "
    "the year. A few questions are left, which we would like to "
    "discuss with you next week.\n";

TEST(JoinLinesTest, KeepChangesNothing) {
  EXPECT_EQ(JoinLines(kWrapped, LineBreaks::kKeep), kWrapped);
}

TEST(JoinLinesTest, LinesOfAParagraphAreJoinedByOneSpace) {
  EXPECT_EQ(Paragraphs("  One two \r\nthree\nfour.\n\n\nFive\nsix"),
            "  One two three four.\n\n\nFive six");
}

TEST(JoinLinesTest, StructureStays) {
  for (const char* text :
       {"# Title\ntext", "text\n# Title", "> one\n> two", "| a |\n| b |",
        "one\n---\ntwo", "- one\n- two\n* three", "1. one\n2. two\n(3) three",
        "text:\n    code\n    more code\ntext", "```\na\nb\n```\nc",
        "one  \ntwo", "one\\\ntwo", "Title\n=====\ntext",
        "-- \nA. Name\nA street", "- item\ntext"}) {
    EXPECT_EQ(Paragraphs(text), text);
  }
}

TEST(JoinLinesTest, AListItemIsJoinedWithItsIndentedLines) {
  EXPECT_EQ(Paragraphs("- one\n  two\n  three\n- four\n\n1. five\n   six\n"),
            "- one two three\n- four\n\n1. five six\n");
}

TEST(JoinLinesTest, AnIndentedLineBeginsAParagraph) {
  EXPECT_EQ(Paragraphs("  One\ntwo.\n  Three\nfour."),
            "  One two.\n  Three four.");
}

TEST(JoinLinesTest, CharactersWrittenWithoutSpacesAreJoinedWithoutOne) {
  EXPECT_EQ(Paragraphs("今日は\n雨です。"), "今日は雨です。");
  EXPECT_EQ(Paragraphs("สวัสดี\nครับ"), "สวัสดีครับ");
  EXPECT_EQ(Paragraphs("안녕\n하세요"), "안녕 하세요");
}

TEST(JoinLinesTest, AHyphenAtALinesEndIsTheWords) {
  EXPECT_EQ(Paragraphs("a well-\nknown man"), "a well-known man");
  EXPECT_EQ(Paragraphs("Vor-\nund Nachteile"), "Vor- und Nachteile");
  EXPECT_EQ(Paragraphs("a dash -\nand"), "a dash - and");
}

TEST(JoinLinesTest, AutomaticJoinsAHardWrappedParagraph) {
  EXPECT_EQ(Automatic(kWrapped), kUnwrapped);
  EXPECT_EQ(Automatic(absl::StrCat("Dear Ann,\n\n", kWrapped, "\nYours,\nTom")),
            absl::StrCat("Dear Ann,\n\n", kUnwrapped, "\nYours,\nTom"));
}

TEST(JoinLinesTest, AutomaticJoinsASentenceWrappedAtAFewColumns) {
  EXPECT_EQ(Automatic("The river that runs through our\n"
                      "town was so low last summer that\n"
                      "we could walk across it."),
            "The river that runs through our town was so low last summer that "
            "we could walk across it.");
}

TEST(JoinLinesTest, RandomTextsLoseAndGainNothingButWhiteSpace) {
  const std::vector<std::string> parts = {
      "word", " ",      "\n",     "\n",         "\r\n",   "- ",      "> ",
      "    ", "\t",     "# ",     "```",        "|",      "Capital", ". ",
      "-",    "\u00e9", "\u6f22", "--\u0020\n", "\u2028", "1. ",     ":"};
  const auto without_space = [](std::string text) {
    text.erase(std::remove_if(text.begin(), text.end(),
                              [](char c) { return absl::ascii_isspace(c); }),
               text.end());
    return text;
  };
  std::mt19937 rng(301);
  for (int i = 0; i < 1000; ++i) {
    std::string text;
    for (int n = static_cast<int>(rng() % 60); n > 0; --n) {
      text += parts[rng() % parts.size()];
    }
    for (const LineBreaks line_breaks :
         {LineBreaks::kAutomatic, LineBreaks::kParagraphs}) {
      const std::string joined = JoinLines(text, line_breaks);
      ASSERT_EQ(without_space(joined), without_space(text));
      ASSERT_LE(joined.size(), text.size());
    }
  }
}

TEST(JoinLinesTest, AutomaticKeepsWhatMayHaveItsOwnLines) {
  for (const char* text : {
           // Verses that begin with a capital.
           "The evening comes across the silent, open field tonight,\n"
           "And every bird is going to its nest in fading light,\n"
           "The mill is still, the water sleeps, the stars are coming out.",
           // Names, one on each line.
           "apples from the garden\npears from the market\nplums",
           // Messages from a program.
           "File not found.\nplease try again.\nDone.",
           // A word of the next line would have fitted in the first.
           "This line is short and\nthe one behind it is so long that nobody "
           "would have wrapped here.",
           // One sentence on each line.
           "This is the first of the sentences that stand on own lines.\n"
           "This is the second of the sentences that stand on own lines.\n"
           "This is the third of the sentences that stand on own lines.",
           "Title of the page\nsome text.",
           // Two entries in lower case.
           "copies the files of the old server to the new one and\n"
           "removes those that the new one does not need.",
           // No punctuation at the end.
           "Copies the files of the old server to the new one and\n"
           "removes those that the new one does not need",
           // A short line may end with its sentence.
           "The lamp is on when it is red.\nIt is off when it is white and\n"
           "when the cable is not there.",
           // One of five lines is continued, and the others are titles.
           "Rules for the use of the rooms in the old town house\n"
           "Prices of meals and drinks at the summer garden party\n"
           "Names of all members who have paid since last autumn\n"
           "List of the books that were lent and never came back\n"
           "and so on, as it was written down by the club's chair.",
           // Lines are not wrapped at a hundred columns.
           "This paragraph has lines that are much longer than those that any "
           "e-mail program would write here\nand it goes on with a second line "
           "that is nearly as long as the first line of it, and then ends.",
       }) {
    EXPECT_EQ(Automatic(text), text);
  }
}

TEST(JoinLinesTest, GivesUpWhenTheTextIsNotWanted) {
  std::string text;
  while (text.size() < (1 << 20)) text += "one line\n";
  int num_questions = 0;
  const auto is_wanted = [&] { return ++num_questions < 5; };
  const std::string joined = JoinLines(text, LineBreaks::kAutomatic, is_wanted);
  EXPECT_EQ(num_questions, 5);
  EXPECT_LT(joined.size(), size_t{100} << 10);
  EXPECT_EQ(joined, text.substr(0, joined.size()));
}

}  // namespace
}  // namespace sheaf
