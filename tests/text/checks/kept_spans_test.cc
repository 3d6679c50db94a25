// SPDX-License-Identifier: Apache-2.0

#include "text/checks/kept_spans.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "text/checks/cut_at_spans.h"
#include "text/checks/protected_spans.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;

bool Kept(const std::string& source, const std::string& target) {
  return AllKept(source, FindProtectedSpans(source, {}), target);
}

TEST(KeptSpansTest, SpansMustOccurAsOftenAsInTheSource) {
  EXPECT_TRUE(Kept("%s of %s in {x}", "{x}: %s von %s"));
  EXPECT_FALSE(Kept("%s of %s in {x}", "{x}: %s"));
  EXPECT_FALSE(Kept("%s of %s in {x}", "{x}: %s von %s %s"));
  EXPECT_FALSE(Kept("%s of %s in {x}", "{X}: %s von %s"));
  EXPECT_TRUE(Kept("no span", "kein Platzhalter %s"));
}

TEST(KeptSpansTest, LongerSpansAreCountedFirst) {
  EXPECT_TRUE(Kept("`{x}` and {x}", "{x} und `{x}`"));
  EXPECT_FALSE(Kept("`{x}` and {x}", "`{x}` und `{x}`"));
}

TEST(KeptSpansTest, PartsOfLongerNamesDoNotCount) {
  EXPECT_FALSE(Kept("Version 1.2.3 is here.", "Version 1.2.34 ist da."));
  EXPECT_FALSE(Kept("Open /etc/host now.", "Öffne /etc/hosts jetzt."));
  EXPECT_FALSE(Kept("See https://a.org now.", "Siehe https://a.org/b."));
  EXPECT_FALSE(Kept("Thanks to @ann.", "Danke an @anna."));
  EXPECT_TRUE(Kept("See https://a.org now.", "Siehe https://a.org."));
  EXPECT_TRUE(Kept("%d pixels", "%dpx"));
}

std::vector<std::string> Pieces(const std::string& source) {
  std::vector<std::string> pieces;
  for (const TextRange& piece :
       CutAtSpans(source, FindProtectedSpans(source, {}))) {
    pieces.emplace_back(Slice(source, piece));
  }
  return pieces;
}

TEST(CutAtSpansTest, PiecesHaveALetterAndNoSpan) {
  EXPECT_THAT(Pieces("%s of %d files were copied to {x}."),
              ElementsAre("of", "files were copied to"));
  EXPECT_THAT(Pieces("{x}, %s!"), ElementsAre());
  EXPECT_THAT(Pieces("plain"), ElementsAre("plain"));
}

// The translations joined, each aligned to its piece as a whole.
EditedText Join(const std::string& source,
                const std::vector<std::string>& translations) {
  const std::vector<TextRange> spans = FindProtectedSpans(source, {});
  const std::vector<TextRange> pieces = CutAtSpans(source, spans);
  std::vector<EditedText> texts;
  for (size_t i = 0; i < translations.size(); ++i) {
    texts.push_back({translations[i],
                     {{{0, translations[i].size()}, {0, pieces[i].size()}}}});
  }
  return JoinPieces(source, spans, pieces, texts);
}

TEST(CutAtSpansTest, JoinedTranslationsKeepEverySpan) {
  const std::string source = "%s of %d files were copied to {x}.";
  EXPECT_EQ(Join(source, {"von", "Dateien kopiert nach"}).text,
            "%s von %d Dateien kopiert nach {x}.");
  // A translation with a span of its own is not used.
  EXPECT_EQ(Join(source, {"von %s", "Dateien nach"}).text,
            "%s of %d Dateien nach {x}.");
  EXPECT_EQ(Join(source, {"", "Dateien nach"}).text,
            "%s of %d Dateien nach {x}.");
  // One that continues a span leaves the source as it is.
  EXPECT_EQ(Join("/etc/a now", {"/b"}).text, "/etc/a /b");
  EXPECT_EQ(Join("%1 x", {"x"}).text, "%1 x");
}

TEST(CutAtSpansTest, JoinedTranslationsAreAlignedToTheSource) {
  const std::string source = "Open {x} now.";
  const EditedText joined = Join(source, {"Offen", "nun."});
  ASSERT_EQ(joined.text, "Offen {x} nun.");
  std::vector<std::string> pairs;
  for (const AlignedSpan& span : joined.alignment) {
    pairs.push_back(absl::StrCat(Slice(joined.text, span.target), "=",
                                 Slice(source, span.source)));
  }
  EXPECT_THAT(pairs, ElementsAre("Offen=Open", " {x} = {x} ", "nun.=now."));
}

}  // namespace
}  // namespace sheaf
