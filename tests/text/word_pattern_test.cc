// SPDX-License-Identifier: Apache-2.0

#include "text/word_pattern.h"

#include <unicode/regex.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Words(const std::string& text) {
  std::vector<std::string> words;
  SplitByWordPattern(text, [&](absl::string_view word) {
    words.emplace_back(word.data(), word.size());
  });
  return words;
}

// The matches of the pattern itself, whose \s is Unicode's White_Space.
std::vector<std::string> ByRegularExpression(const std::string& text) {
  UErrorCode error = U_ZERO_ERROR;
  icu::RegexMatcher matcher(
      uR"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+|)"
      uR"( ?[^\p{White_Space}\p{L}\p{N}]+|)"
      uR"(\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+)",
      0, error);
  const icu::UnicodeString input = icu::UnicodeString::fromUTF8(text);
  matcher.reset(input);
  std::vector<std::string> words;
  while (matcher.find(error)) {
    std::string word;
    matcher.group(error).toUTF8String(word);
    words.push_back(std::move(word));
  }
  EXPECT_TRUE(U_SUCCESS(error));
  return words;
}

TEST(WordPatternTest, WordsTakeOneSpaceBeforeThem) {
  EXPECT_THAT(
      Words("The  house, it's 42nd!"),
      ElementsAre("The", " ", " house", ",", " it", "'s", " 42", "nd", "!"));
  EXPECT_THAT(Words("a \n b  "), ElementsAre("a", " \n", " b", "  "));
  EXPECT_THAT(Words("'Sie''re"), ElementsAre("'", "Sie", "''", "re"));
  EXPECT_THAT(Words(""), ElementsAre());
}

TEST(WordPatternTest, RandomTextsAreSplitAsThePatternMatches) {
  const std::vector<std::string> parts = {" ",
                                          " ",
                                          "\n",
                                          "\t",
                                          "\xC2\xA0",
                                          "\xC2\x85",
                                          "\xE2\x80\xA8",
                                          "\xE3\x80\x80",
                                          "\xE2\x80\x8B",
                                          "a",
                                          "B",
                                          "\xC3\xA4",
                                          "\xE4\xB8\xAD",
                                          "\xC7\x85",
                                          "\xCA\xB0",
                                          "1",
                                          "\xD9\xA3",
                                          "\xE2\x85\xA7",
                                          "\xC2\xBD",
                                          "'",
                                          "s",
                                          "t",
                                          "re",
                                          "ve",
                                          "ll",
                                          "'d",
                                          "'m",
                                          ".",
                                          "_",
                                          "\xCC\x81",
                                          "\xF0\x9F\x98\x80",
                                          "\xE2\x80\x8D",
                                          std::string("\0", 1)};
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (size_t size = random() % 12; size > 0; --size) {
      text += parts[random() % parts.size()];
    }
    const std::vector<std::string> words = Words(text);
    EXPECT_EQ(words, ByRegularExpression(text)) << text;
    EXPECT_EQ(absl::StrJoin(words, ""), text);
  }
}

}  // namespace
}  // namespace sheaf
