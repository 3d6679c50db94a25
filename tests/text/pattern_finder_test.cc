// SPDX-License-Identifier: Apache-2.0

#include "text/pattern_finder.h"

#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace sheaf {
namespace {

using Triple = std::pair<std::pair<size_t, size_t>, int32_t>;

std::vector<Triple> Find(const std::vector<std::string>& patterns,
                         const std::string& text) {
  const std::vector<absl::string_view> views(patterns.begin(), patterns.end());
  std::vector<Triple> out;
  for (const PatternFinder::Match& m : PatternFinder(views).FindAll(text)) {
    out.push_back({{m.begin, m.end}, m.pattern});
  }
  return out;
}

// The definition: the longest pattern at each place, and then the next one from
// its end.
std::vector<Triple> FindNaively(const std::vector<std::string>& patterns,
                                const std::string& text) {
  std::vector<Triple> out;
  for (size_t at = 0; at < text.size();) {
    int32_t best = -1;
    for (size_t i = 0; i < patterns.size(); ++i) {
      if (text.compare(at, patterns[i].size(), patterns[i]) == 0 &&
          (best < 0 || patterns[i].size() > patterns[best].size())) {
        best = static_cast<int32_t>(i);
      }
    }
    if (best < 0) {
      ++at;
      continue;
    }
    out.push_back({{at, at + patterns[best].size()}, best});
    at += patterns[best].size();
  }
  return out;
}

TEST(PatternFinderTest, NoPatternIsFoundNowhere) {
  EXPECT_TRUE(Find({}, "abc").empty());
  EXPECT_TRUE(Find({"abcd"}, "abc").empty());
  EXPECT_TRUE(Find({"a"}, "").empty());
}

TEST(PatternFinderTest, RandomPatternsAreFoundAsDefined) {
  std::mt19937 random(1);
  const auto random_text = [&](size_t size) {
    std::string text(size, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 3);
    return text;
  };
  for (int round = 0; round < 2000; ++round) {
    std::set<std::string> chosen;
    for (size_t i = random() % 8; i > 0; --i) {
      chosen.insert(random_text(1 + random() % 5));
    }
    const std::vector<std::string> patterns(chosen.begin(), chosen.end());
    const std::string text = random_text(random() % 40);
    ASSERT_EQ(Find(patterns, text), FindNaively(patterns, text)) << text;
  }
}

// Each pattern ends the next, and none occurs in the text, so that a walk from
// every place would take 1000 steps per byte.
TEST(PatternFinderTest, LongRepeatsTakeLinearTime) {
  std::vector<std::string> patterns;
  for (size_t size = 1; size <= 1000; ++size) {
    patterns.push_back(std::string(size, 'a').insert(0, 1, 'b'));
    patterns.push_back(std::string(size, 'a').append(1, 'c'));
  }
  const std::string text(size_t{1} << 20, 'a');
  EXPECT_TRUE(Find(patterns, text).empty());
  EXPECT_EQ(Find(patterns, text + "c").size(), 1u);
}

}  // namespace
}  // namespace sheaf
