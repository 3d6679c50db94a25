// SPDX-License-Identifier: Apache-2.0

#include "text/stop_sequences.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"

namespace sheaf {
namespace {

class StopSequencesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded = Tokenizer::Load(SHEAF_MODELS_DIR "/sheaf-small",
                                  /*vocab_size=*/8064);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    tokenizer_ = *std::move(loaded);
  }

  // The number of tokens of `text` after which one of `stops` is complete;
  // 0: never.
  size_t StopsAt(std::vector<std::string> stops, const std::string& text) {
    const StopSequences condition(*tokenizer_, std::move(stops));
    const std::vector<int32_t> tokens = tokenizer_->Encode(text);
    for (size_t n = 0; n < tokens.size(); ++n) {
      if (condition.IsMet({tokens.data(), n}, tokens[n])) return n + 1;
    }
    return 0;
  }

  std::unique_ptr<const Tokenizer> tokenizer_;
};

TEST_F(StopSequencesTest, FindsAStopAcrossTokensAndWithinOne) {
  EXPECT_GT(StopsAt({"e tr"}, "Where is the train station?"), 0);
  EXPECT_GT(StopsAt({"rai"}, "Where is the train station?"), 0);
  EXPECT_EQ(StopsAt({"bus"}, "Where is the train station?"), 0);
}

// "station" is one token, whose first letter completes the stop.
TEST_F(StopSequencesTest, FindsAStopThatEndsEarlyInALongToken) {
  const std::string text = "I II III IV station";
  const size_t num_tokens = tokenizer_->Encode(text).size();
  EXPECT_EQ(StopsAt({"II III IV s"}, text), num_tokens);
  EXPECT_EQ(StopsAt({"V s"}, text), num_tokens);
}

TEST_F(StopSequencesTest, WithoutStopsThereIsNoCondition) {
  EXPECT_EQ(StopSequences::Make(tokenizer_.get(), {}), nullptr);
  EXPECT_EQ(StopSequences::Make(/*tokenizer=*/nullptr, {}), nullptr);
  EXPECT_NE(StopSequences::Make(tokenizer_.get(), {"bus"}), nullptr);
}

// The definition: the first number of tokens whose whole text contains a stop.
TEST_F(StopSequencesTest, StopsWhereTheWholeTextFirstHasOne) {
  std::mt19937 rng(301);
  const std::vector<std::string> words = {"ein",
                                          " ",
                                          "  ",
                                          "Haus",
                                          "!",
                                          "\xC3\xA4\xC3\xB6",
                                          "\xE6\x97\xA5",
                                          "\xF0\x9F\x98\x80",
                                          "Tom",
                                          ". "};
  int num_stopped = 0;
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (int j = 0; j < 40; ++j) text += words[rng() % words.size()];
    const size_t begin = rng() % (text.size() / 2);
    // Any bytes; a stop that cuts a character never occurs in a text.
    const std::string stop = text.substr(begin, 1 + rng() % 9);
    if (stop.find_first_not_of(' ') == std::string::npos) continue;
    const std::vector<int32_t> tokens = tokenizer_->Encode(text);
    size_t expected = 0;
    for (size_t n = 1; n <= tokens.size() && expected == 0; ++n) {
      if (absl::StrContains(tokenizer_->Decode({tokens.data(), n}), stop)) {
        expected = n;
      }
    }
    const size_t found = StopsAt({stop, "never"}, text);
    EXPECT_EQ(found, expected) << "\"" << stop << "\" in " << text;
    num_stopped += found > 0;
  }
  EXPECT_GT(num_stopped, 100);
}

}  // namespace
}  // namespace sheaf
