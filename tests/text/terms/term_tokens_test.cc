// SPDX-License-Identifier: Apache-2.0

#include "text/terms/term_tokens.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"
#include "text/checks/word_borders.h"

namespace sheaf {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

std::unique_ptr<const Tokenizer> Load(const std::string& directory) {
  auto tokenizer = Tokenizer::Load(directory, /*vocab_size=*/8064);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

const std::string kSmallDir = SHEAF_MODELS_DIR "/sheaf-small";

TEST(TermTokensTest, DecodeToTheTermWithinASentence) {
  const auto tokenizer = Load(kSmallDir);
  const std::vector<int32_t> before = tokenizer->Encode("Das ist");
  for (const char* term : {"Server", "neues Haus", "Größe", "x", "C++", "日",
                           "Straßenbahnhaltestelle"}) {
    SCOPED_TRACE(term);
    const auto sequences = TokensOfTerm(*tokenizer, term);
    ASSERT_THAT(sequences, SizeIs(1));  // a piece has the space before it
    std::vector<int32_t> sentence = before;
    sentence.insert(sentence.end(), sequences[0].begin(), sequences[0].end());
    EXPECT_EQ(tokenizer->Decode(sentence), std::string("Das ist ") + term);
  }
}

TEST(TermTokensTest, ATokenizerWithSpacesOfItsOwnHasTwoSequences) {
  const auto tokenizer = Load(TestdataDir("bart-cnn"));
  const auto sequences = TokensOfTerm(*tokenizer, "house");
  ASSERT_THAT(sequences, SizeIs(2));
  EXPECT_EQ(tokenizer->Decode(sequences[0]), "house");
  EXPECT_EQ(tokenizer->Decode(sequences[1]), " house");
}

TEST(TermTokensTest, ATermThatTheTokenizerChangesHasNone) {
  const auto tokenizer = Load(kSmallDir);
  EXPECT_THAT(TokensOfTerm(*tokenizer, "two  spaces"), IsEmpty());
}

TEST(TermTokensTest, OnlyTokensWithinWordsContinueThem) {
  const auto tokenizer = Load(kSmallDir);
  const std::vector<bool> continues = TokensThatContinueWords(*tokenizer);
  for (const char* text :
       {"The weather is nice.", "Bahnhofsvorplatz, 1234!", "Œuvre (naïve)"}) {
    std::string so_far;
    std::vector<int32_t> ids;
    for (int32_t id : tokenizer->Encode(text)) {
      ids.push_back(id);
      const std::string next = tokenizer->Decode(ids);
      // The space of the first token is not written.
      if (!so_far.empty() && next.size() > so_far.size() &&
          tokenizer->token(id).kind == Tokenizer::Token::Kind::kText) {
        EXPECT_EQ(continues[id], HasWordAt(next, so_far.size())) << next;
      }
      so_far = next;
    }
  }
}

}  // namespace
}  // namespace sheaf
