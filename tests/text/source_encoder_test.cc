// SPDX-License-Identifier: Apache-2.0

#include "text/source_encoder.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

using ::testing::IsEmpty;

class SourceEncoderTest : public testing::Test {
 protected:
  std::vector<int32_t> Expected(const std::string& text) const {
    std::vector<int32_t> ids = {7, 8};
    for (int32_t id : tokenizer_->Encode("say: " + text)) ids.push_back(id);
    ids.push_back(9);
    return ids;
  }

  const std::unique_ptr<const Tokenizer> tokenizer_ =
      Tokenizer::Load(SHEAF_MODELS_DIR "/sheaf-small", /*vocab_size=*/8064)
          .value();
  const PromptTemplate prompt_ = {
      .text_prefix = "say: ", .before = {7, 8}, .after = {9}};
};

TEST_F(SourceEncoderTest, TheTemplateSurroundsPrefixAndText) {
  EXPECT_EQ(EncodeSource(*tokenizer_, prompt_, "The cat sat."),
            Expected("The cat sat."));
  EXPECT_EQ(EncodeSource(*tokenizer_, prompt_, ""), Expected(""));
}

TEST_F(SourceEncoderTest, TheTextIsCutSoThatTheEndFits) {
  const std::vector<int32_t> whole = Expected("The cat sat.");
  EXPECT_EQ(EncodeSource(*tokenizer_, prompt_, "The cat sat.", whole.size()),
            whole);
  std::vector<int32_t> cut(whole.begin(), whole.end() - 3);
  cut.push_back(9);
  EXPECT_EQ(
      EncodeSource(*tokenizer_, prompt_, "The cat sat.", whole.size() - 2),
      cut);
}

TEST_F(SourceEncoderTest, AShortTextIsEncodedEvenIfItIsTooLong) {
  const auto is_wanted = [] { return true; };
  const SourceEncoder encoder(*tokenizer_, prompt_, /*max_tokens=*/4,
                              is_wanted);
  const auto source = encoder.Encode("The cat sat.");
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ(source->ids, Expected("The cat sat."));
  EXPECT_EQ(source->num_tokens, static_cast<int64_t>(source->ids.size()));
}

TEST_F(SourceEncoderTest, ALongTextIsGivenUpOnceItIsTooLong) {
  std::string text;
  while (text.size() < (1 << 20)) text += "The cat sat on the mat. ";
  int num_questions = 0;
  const auto is_wanted = [&] {
    ++num_questions;
    return true;
  };
  const SourceEncoder encoder(*tokenizer_, prompt_, /*max_tokens=*/100,
                              is_wanted);
  const auto source = encoder.Encode(text);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_THAT(source->ids, IsEmpty());
  EXPECT_EQ(num_questions, 1);
  const auto exact = static_cast<double>(tokenizer_->Encode(text).size());
  EXPECT_NEAR(static_cast<double>(source->num_tokens), exact, 0.01 * exact);
}

TEST_F(SourceEncoderTest, AnUnwantedTextIsCancelled) {
  const auto is_wanted = [] { return false; };
  const SourceEncoder encoder(*tokenizer_, prompt_, /*max_tokens=*/100,
                              is_wanted);
  EXPECT_EQ(encoder.Encode("The cat sat.").status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace sheaf
