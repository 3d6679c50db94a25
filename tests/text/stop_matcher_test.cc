// SPDX-License-Identifier: Apache-2.0

#include "text/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace sheaf {
namespace {

// The part of `text` that is shown if the text arrives in one piece.
std::string Shown(const std::string& text,
                  const std::vector<std::string>& stops) {
  StopMatcher matcher(stops);
  std::string shown = matcher.Append(text);
  return shown + matcher.Finish();
}

TEST(StopMatcherTest, TheTextEndsBeforeTheStop) {
  EXPECT_EQ(Shown("one. two. three", {". t"}), "one");
  EXPECT_EQ(Shown("one", {". t"}), "one");
  EXPECT_EQ(Shown("STOP", {"STOP"}), "");
}

TEST(StopMatcherTest, TheStopThatIsCompleteFirstCounts) {
  EXPECT_EQ(Shown("abcd", {"abcd", "bc"}), "a");
  EXPECT_EQ(Shown("abcd", {"bc", "abc"}), "");  // the longer of the two
}

TEST(StopMatcherTest, WhatMayBecomeAStopIsHeldBack) {
  const std::vector<std::string> stops = {"###", "#!"};
  StopMatcher matcher(stops);
  EXPECT_EQ(matcher.Append("a#"), "a");
  EXPECT_EQ(matcher.Append("#"), "");
  EXPECT_EQ(matcher.Append("b"), "##b");
  EXPECT_EQ(matcher.Append("##"), "");
  EXPECT_EQ(matcher.Finish(), "##");
  EXPECT_FALSE(matcher.has_matched());
}

TEST(StopMatcherTest, NothingFollowsAMatch) {
  const std::vector<std::string> stops = {"x"};
  StopMatcher matcher(stops);
  EXPECT_EQ(matcher.Append("ax"), "a");
  EXPECT_TRUE(matcher.has_matched());
  EXPECT_EQ(matcher.Append("b"), "");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcherTest, WithoutStopsNothingIsHeldBack) {
  const std::vector<std::string> stops;
  StopMatcher matcher(stops);
  EXPECT_EQ(matcher.Append("abc"), "abc");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcherTest, PiecesDoNotMatter) {
  std::mt19937 random(7);
  const auto text_of = [&](int length) {
    std::string text;
    for (int i = 0; i < length; ++i)
      text += static_cast<char>('a' + random() % 3);
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> stops;
    for (unsigned i = 0; i < 1 + random() % 3; ++i) {
      stops.push_back(text_of(1 + random() % 6));
    }
    const std::string text = text_of(30);
    StopMatcher matcher(stops);
    std::string shown;
    for (size_t at = 0; at < text.size();) {
      const size_t n = 1 + random() % 4;
      shown += matcher.Append(text.substr(at, n));
      at += n;
      ASSERT_EQ(text.compare(0, shown.size(), shown), 0);
    }
    shown += matcher.Finish();
    ASSERT_EQ(shown, Shown(text, stops)) << text;
  }
}

}  // namespace
}  // namespace sheaf
