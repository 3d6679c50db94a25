// SPDX-License-Identifier: Apache-2.0

#include "text/checks/kept_spans.h"

#include <string>
#include <vector>

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

TEST(CutAtSpansTest, JoinedTranslationsKeepEverySpan) {
  const std::string source = "%s of %d files were copied to {x}.";
  const std::vector<TextRange> spans = FindProtectedSpans(source, {});
  const std::vector<TextRange> pieces = CutAtSpans(source, spans);
  EXPECT_EQ(JoinPieces(source, spans, pieces, {"von", "Dateien kopiert nach"}),
            "%s von %d Dateien kopiert nach {x}.");
  // A translation with a span of its own is not used.
  EXPECT_EQ(JoinPieces(source, spans, pieces, {"von %s", "Dateien nach"}),
            "%s of %d Dateien nach {x}.");
  EXPECT_EQ(JoinPieces(source, spans, pieces, {"", "Dateien nach"}),
            "%s of %d Dateien nach {x}.");
}

}  // namespace
}  // namespace sheaf
