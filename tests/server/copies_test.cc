// SPDX-License-Identifier: Apache-2.0

// Sentences that are copied into their translation, through a running server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/server/server_fixture.h"

namespace sheaf {
namespace {

constexpr char kNoLetter[] =
    "sheaf_segments_copied_total{model=\"fake\",reason=\"no_letter\"}";

class CopiesTest : public ServerTest {
 protected:
  std::string Streamed(const v1::TranslateRequest& request) {
    grpc::ClientContext context;
    const auto reader = harness_.text->TranslateStream(&context, request);
    std::string text;
    for (v1::TextChunk chunk; reader->Read(&chunk);) text += chunk.text();
    EXPECT_TRUE(reader->Finish().ok());
    return text;
  }
};

TEST_F(CopiesTest, TextsWithoutALetterComeBackAsTheyAre) {
  double num_copied = 0;
  for (const std::string& text :
       {std::string(2000, '-'), std::string("-"), std::string("19:30"),
        std::string("\u20ac 12.50"), std::string("2024-05-12 10:00\r\n\r\n42"),
        std::string("\U0001F600 \U0001F1E9\U0001F1EA"),
        std::string("1.\n2.\n3.\n")}) {
    v1::TranslateResponse response;
    ASSERT_TRUE(Translate(TranslateOf(text), &response).ok());
    EXPECT_EQ(response.text(), text);
    EXPECT_EQ(response.usage().segments(), 0);
    EXPECT_EQ(response.usage().output_tokens(), 0);
    EXPECT_EQ(response.finish_reason(), v1::FINISH_REASON_EOS);
    EXPECT_EQ(Streamed(TranslateOf(text)), text);
    EXPECT_GT(harness_.Metric(kNoLetter), num_copied) << text;
    num_copied = harness_.Metric(kNoLetter);
  }
}

TEST_F(CopiesTest, SentencesWithoutALetterStandBetweenTheTranslated) {
  const double num_before = harness_.Metric(kNoLetter);
  v1::TranslateRequest request =
      TranslateOf("Hello. " + std::string(2000, '-') + "\n19:30\nThe end.");
  request.mutable_decoding()->set_beam_size(2);
  request.mutable_decoding()->set_num_hypotheses(2);
  v1::TranslateResponse response;
  ASSERT_TRUE(Translate(request, &response).ok());
  EXPECT_EQ(response.usage().segments(), 2);
  for (const v1::Hypothesis& hypothesis : response.alternatives()) {
    EXPECT_THAT(hypothesis.text(),
                testing::HasSubstr(std::string(2000, '-') + "\n19:30\n"));
  }
  EXPECT_EQ(Streamed(request), response.text());
  // The dashes and the time, in each of two answers.
  EXPECT_EQ(harness_.Metric(kNoLetter) - num_before, 4);
}

}  // namespace
}  // namespace sheaf
