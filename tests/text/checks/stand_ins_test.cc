// SPDX-License-Identifier: Apache-2.0

#include "text/checks/stand_ins.h"

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "text/checks/kept_spans.h"
#include "text/checks/protected_spans.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;

StandInSource Replace(const std::string& source, StandInKind kind) {
  return ReplaceSpans(source, FindProtectedSpans(source, {}), kind);
}

std::string Restored(const StandInSource& stand_ins,
                     const std::string& target) {
  const std::optional<EditedText> text = RestoreSpans(stand_ins, target, {});
  return text.has_value() ? text->text : "-";
}

TEST(StandInsTest, EachSpanHasItsOwn) {
  const std::string source = "%s of {x} by %s.";
  EXPECT_EQ(Replace(source, StandInKind::kUnderscores).source.text(),
            "__1__ of __2__ by __3__.");
  EXPECT_EQ(Replace(source, StandInKind::kIdentifier).source.text(),
            "ID1 of ID2 by ID3.");
}

TEST(StandInsTest, SpansThatTouchHaveOneTogether) {
  EXPECT_EQ(Replace("Date: %Y-%m-%d.", StandInKind::kIdentifier).source.text(),
            "Date: ID1.");
}

TEST(StandInsTest, NumbersThatTheSourceHasAreSkipped) {
  EXPECT_EQ(
      Replace("ID1 and ID3: {x} {y}", StandInKind::kIdentifier).source.text(),
      "ID1 and ID3: ID2 ID4");
}

TEST(StandInsTest, SignsOutsideOfSpansAreReplacedForGood) {
  const std::string source = "a–b {x–y} c–";
  const StandInSource stand_ins =
      ReplaceSpans(source, {{6, 13}}, StandInKind::kIdentifier,
                   {{{1, 4}, "-"}, {{8, 11}, "-"}, {{15, 18}, "-"}});
  EXPECT_EQ(stand_ins.source.text(), "a-b ID1 c-");
  EXPECT_EQ(Restored(stand_ins, "d-e ID1."), "d-e {x–y}.");
}

TEST(StandInsTest, SpansReturnWhereTheirStandInsAre) {
  const StandInSource stand_ins =
      Replace("%s of {x} by %s.", StandInKind::kIdentifier);
  EXPECT_EQ(Restored(stand_ins, "ID2 von ID1 durch ID3."),
            "{x} von %s durch %s.");
}

TEST(StandInsTest, LostSurplusAndChangedStandInsAreRefused) {
  const StandInSource stand_ins =
      Replace("{x} by %s.", StandInKind::kIdentifier);
  EXPECT_EQ(Restored(stand_ins, "ID1 durch."), "-");
  EXPECT_EQ(Restored(stand_ins, "ID1 durch ID2 ID2."), "-");
  EXPECT_EQ(Restored(stand_ins, "ID1 durch ID23."), "-");
  EXPECT_EQ(Restored(stand_ins, "ID1 durch Id2."), "-");
}

TEST(StandInsTest, TheAlignmentIsThatOfTheOriginal) {
  const std::string source = "Open {name} now.";
  const StandInSource stand_ins = Replace(source, StandInKind::kIdentifier);
  ASSERT_EQ(stand_ins.source.text(), "Open ID1 now.");
  // "Jetzt ID1 öffnen."
  const std::optional<EditedText> text =
      RestoreSpans(stand_ins, "Jetzt ID1 offen.",
                   {{{0, 5}, {9, 12}}, {{5, 9}, {4, 8}}, {{9, 15}, {0, 4}}});
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(text->text, "Jetzt {name} offen.");
  std::vector<std::string> pairs;
  for (const AlignedSpan& span : text->alignment) {
    pairs.push_back(absl::StrCat(Slice(text->text, span.target), "=",
                                 Slice(source, span.source)));
  }
  // The token " ID1" is the space and the span.
  EXPECT_THAT(pairs, ElementsAre("Jetzt=now", " = {name}", "{name}={name}",
                                 " offen=Open"));
}

TEST(StandInsTest, PartsOfAStandInAreTheWholeSpan) {
  const StandInSource stand_ins =
      Replace("Open {name} now.", StandInKind::kIdentifier);
  ASSERT_EQ(stand_ins.source.text(), "Open ID1 now.");
  for (const TextRange& part : {TextRange{5, 6}, {6, 7}, {7, 8}, {5, 8}}) {
    const TextRange span = stand_ins.source.ToOriginal(part);
    EXPECT_EQ(span.begin, 5);
    EXPECT_EQ(span.end, 11);
  }
  const TextRange after = stand_ins.source.ToOriginal(TextRange{8, 13});
  EXPECT_EQ(after.begin, 11);
  EXPECT_EQ(after.end, 16);
}

// A translation that has the words of the source in any order keeps all spans.
TEST(StandInsTest, RestoredTextsKeepAllSpans) {
  const std::vector<std::string> words = {
      "{x}", "%s", "a", "ID1", "__2__", "A1.txt", "é", "%s/%d", "`c d`"};
  std::mt19937 random(1);
  for (int i = 0; i < 5000; ++i) {
    std::string source;
    for (size_t n = random() % 8; n > 0; --n) {
      absl::StrAppend(&source, words[random() % words.size()], " ");
    }
    const std::vector<TextRange> spans = FindProtectedSpans(source, {});
    for (const StandInKind kind :
         {StandInKind::kUnderscores, StandInKind::kIdentifier}) {
      const StandInSource stand_ins = ReplaceSpans(source, spans, kind);
      const std::optional<EditedText> text =
          RestoreSpans(stand_ins, stand_ins.source.text(), {});
      ASSERT_TRUE(text.has_value()) << source;
      ASSERT_EQ(text->text, source);
    }
  }
}

}  // namespace
}  // namespace sheaf
