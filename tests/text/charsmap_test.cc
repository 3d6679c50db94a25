// SPDX-License-Identifier: Apache-2.0

#include "text/charsmap.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "tests/support/model_files.h"
#include "text/sentencepiece_model.h"

namespace sheaf {
namespace {

// The results of sentencepiece 0.2.3 for the table of text-end-to-end.
TEST(CharsMapTest, TheLongestRuleIsApplied) {
  const SentencePieceModel model =
      ReadSentencePieceModel(
          FileBytes(TestdataDir("text-end-to-end") + "/spiece.model"), 640)
          .value();
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"plain <text>", "plain <text>"},
      {"e\u0302\u0301", "\u1ebf"},
      {"\ufb01\t\u2460", "fi 1"},
      {"\u1100\u1161\u11a8", "\uac01"},
      {"a\xFF\xE2\x82", "a\uFFFD\uFFFD\uFFFD"},
  };
  for (const auto& [text, normalized] : cases) {
    EXPECT_EQ(ApplyCharsMap(model.charsmap, text), normalized);
  }
}

TEST(CharsMapTest, WithoutATableATextIsMadeValidAlone) {
  EXPECT_EQ(ApplyCharsMap("", "e\u0301\xFF"), "e\u0301\uFFFD");
}

}  // namespace
}  // namespace sheaf
