// SPDX-License-Identifier: Apache-2.0

#include "text/checks/put_back.h"

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "text/checks/kept_spans.h"
#include "text/checks/protected_spans.h"

namespace sheaf {
namespace {

// Aligns words by their indexes: "0 1 2" for the source's first three. "-" is
// not known. No token has a word's full stop.
TextAlignment AlignWords(const std::string& source, const std::string& target,
                         const std::string& indexes) {
  const auto words = [](const std::string& text) {
    std::vector<TextRange> ranges;
    for (absl::string_view word : absl::StrSplit(text, ' ')) {
      const size_t begin = word.data() - text.data();
      const bool has_stop = word.size() > 1 && word.back() == '.';
      ranges.push_back({begin, begin + word.size() - (has_stop ? 1 : 0)});
    }
    return ranges;
  };
  const std::vector<TextRange> from = words(source), to = words(target);
  const std::vector<std::string> sources = absl::StrSplit(indexes, ' ');
  EXPECT_EQ(sources.size(), to.size());
  TextAlignment alignment;
  for (size_t i = 0; i < to.size(); ++i) {
    AlignedSpan span = {to[i], {}};
    if (sources[i] != "-") span.source = from[std::stoi(sources[i])];
    alignment.push_back(span);
  }
  return alignment;
}

// The repaired text; "-" if there is none.
std::string Repair(const std::string& source, const std::string& target,
                   const std::string& indexes) {
  const std::vector<TextRange> spans = FindProtectedSpans(source, {});
  const TextAlignment alignment = AlignWords(source, target, indexes);
  const std::optional<EditedText> result =
      PutBack(source, spans, target, alignment);
  if (!result.has_value()) return "-";
  EXPECT_TRUE(AllKept(source, spans, result->text));
  size_t end = 0;
  for (const AlignedSpan& span : result->alignment) {
    EXPECT_LE(end, span.target.begin);
    EXPECT_LE(span.target.end, result->text.size());
    end = span.target.end;
  }
  return result->text;
}

TEST(PutBackTest, DamagedSpansAreReplaced) {
  EXPECT_EQ(Repair("You have %d new messages.",
                   "Sie haben %ierte neue Nachrichten.", "0 1 2 3 4"),
            "Sie haben %d neue Nachrichten.");
  EXPECT_EQ(Repair("Open /etc/hosts now.", "Öffne /etc/host jetzt.", "0 1 2"),
            "Öffne /etc/hosts jetzt.");
}

TEST(PutBackTest, LostSpansAreInsertedBetweenTheirNeighbours) {
  EXPECT_EQ(Repair("You have %d new messages.", "Sie haben neue Nachrichten.",
                   "0 1 3 4"),
            "Sie haben %d neue Nachrichten.");
  EXPECT_EQ(Repair("%s is here.", "ist da.", "1 2"), "%s ist da.");
  EXPECT_EQ(Repair("This is %s.", "Das ist.", "0 1"), "Das ist %s.");
}

TEST(PutBackTest, SurplusCopiesAreRemoved) {
  EXPECT_EQ(Repair("This is #release.", "Das ist #release #release #release.",
                   "0 1 - 2 2"),
            "Das ist #release.");
  EXPECT_EQ(Repair("{x} is here.", "{x} {x} ist da.", "0 0 1 2"),
            "{x} ist da.");
}

TEST(PutBackTest, UncertainPlacesAreNotRepaired) {
  // The neighbours do not stand next to each other.
  EXPECT_EQ(Repair("You have %d new messages.", "Neue haben Sie Nachrichten.",
                   "3 1 0 4"),
            "-");
  // The word that is aligned to the span is an ordinary one.
  EXPECT_EQ(Repair("Thanks to @ann for it.", "Danke nun für es.", "0 2 3 4"),
            "-");
  // It is not known which of two equal spans is missing.
  EXPECT_EQ(Repair("%s and %s x", "%s und x", "- 1 3"), "-");
}

TEST(PutBackTest, TranslatedWordsAreReplaced) {
  const std::string source = "Buy a Big Apple now.";
  const std::string target = "Kaufe jetzt einen großen Apfel.";
  const TextAlignment alignment = AlignWords(source, target, "0 4 1 2 3");
  const std::optional<EditedText> result =
      PutBack(source, {{6, 15}}, target, alignment);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->text, "Kaufe jetzt einen Big Apple.");
}

// For any target and any alignment, the result keeps all spans or is absent.
TEST(PutBackTest, NoSpanIsLostOrDoubled) {
  const std::vector<std::string> words = {
      "%s", "{x}", "a", "b", "c.", "%d", "{x", "(%s)", "https://a.b", "%i"};
  std::mt19937 random(1);
  const auto any_text = [&] {
    std::string text = words[random() % words.size()];
    for (size_t n = random() % 8; n > 0; --n) {
      absl::StrAppend(&text, " ", words[random() % words.size()]);
    }
    return text;
  };
  int num_repaired = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string source = any_text(), target = any_text();
    const size_t num_source = absl::c_count(source, ' ') + 1;
    const size_t num_target = absl::c_count(target, ' ') + 1;
    std::string indexes;
    for (size_t n = 0; n < num_target; ++n) {
      absl::StrAppend(
          &indexes, n > 0 ? " " : "",
          random() % 4 == 0 ? "-" : std::to_string(random() % num_source));
    }
    num_repaired += Repair(source, target, indexes) != "-";
  }
  EXPECT_GT(num_repaired, 1000);
}

}  // namespace
}  // namespace sheaf
