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

  StopSequences Finder(std::vector<std::string> stops) {
    return StopSequences(tokenizer_.get(), std::move(stops));
  }
  // The number of tokens of `text` at which it is stopped; 0: never.
  size_t StopsAt(const StopSequences& finder, const std::string& text) {
    const std::vector<int32_t> tokens = tokenizer_->Encode(text);
    for (size_t n = 1; n <= tokens.size(); ++n) {
      if (finder.IsStopped({tokens.data(), n})) return n;
    }
    return 0;
  }

  std::unique_ptr<const Tokenizer> tokenizer_;
};

TEST_F(StopSequencesTest, FindsAStopAcrossTokensAndWithinOne) {
  EXPECT_GT(StopsAt(Finder({"e tr"}), "Where is the train station?"), 0);
  EXPECT_GT(StopsAt(Finder({"rai"}), "Where is the train station?"), 0);
  EXPECT_EQ(StopsAt(Finder({"bus"}), "Where is the train station?"), 0);
  EXPECT_EQ(StopsAt(Finder({}), "Where is the train station?"), 0);
}

// The definition: the first number of tokens whose whole text has a stop.
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
    // Any cut of the bytes; a stop that is not whole characters never comes.
    const std::string stop = text.substr(begin, 1 + rng() % 9);
    if (stop.find_first_not_of(' ') == std::string::npos) continue;
    const std::vector<int32_t> tokens = tokenizer_->Encode(text);
    size_t expected = 0;
    for (size_t n = 1; n <= tokens.size() && expected == 0; ++n) {
      if (absl::StrContains(tokenizer_->Decode({tokens.data(), n}), stop)) {
        expected = n;
      }
    }
    const size_t found = StopsAt(Finder({stop, "never"}), text);
    EXPECT_EQ(found, expected) << "\"" << stop << "\" in " << text;
    num_stopped += found > 0;
  }
  EXPECT_GT(num_stopped, 100);
}

}  // namespace
}  // namespace sheaf
