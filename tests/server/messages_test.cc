// SPDX-License-Identifier: Apache-2.0

#include "server/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sheaf {
namespace {

using ::testing::ElementsAre;

AnswerPart Part(const std::string& text, const std::vector<int32_t>& tokens) {
  AnswerPart part;
  part.text = text;
  part.tokens = tokens;
  return part;
}

// A summary with one alternative to the text.
AnswerSummary Summary() {
  AnswerSummary summary;
  summary.model = "tiny";
  summary.finish_reason = FinishReason::kLength;
  summary.score = -1.5f;
  summary.num_input_tokens = 7;
  summary.num_output_tokens = 3;
  summary.num_segments = 2;
  FinishedPart other;
  other.text = "other";
  other.tokens = {8};
  other.score = -2.5f;
  other.finish_reason = FinishReason::kRepetition;
  summary.others = {other};
  return summary;
}

void ExpectUsage(const v1::Usage& usage) {
  EXPECT_EQ(usage.input_tokens(), 7);
  EXPECT_EQ(usage.output_tokens(), 3);
  EXPECT_EQ(usage.segments(), 2);
}

void ExpectHypotheses(
    const google::protobuf::RepeatedPtrField<v1::Hypothesis>& hypotheses) {
  ASSERT_EQ(hypotheses.size(), 2);
  EXPECT_EQ(hypotheses[0].text(), "text");
  EXPECT_THAT(hypotheses[0].tokens().ids(), ElementsAre(5, 6));
  EXPECT_EQ(hypotheses[0].score(), -1.5f);
  EXPECT_EQ(hypotheses[0].finish_reason(), v1::FINISH_REASON_LENGTH);
  EXPECT_EQ(hypotheses[1].text(), "other");
  EXPECT_THAT(hypotheses[1].tokens().ids(), ElementsAre(8));
  EXPECT_EQ(hypotheses[1].score(), -2.5f);
  EXPECT_EQ(hypotheses[1].finish_reason(), v1::FINISH_REASON_REPETITION);
}

TEST(MessagesTest, ATranslationHasItsTextFirstAmongTheAlternatives) {
  v1::TranslateResponse response;
  SetAnswer(Part("text", {5, 6}), Summary(), &response);
  EXPECT_EQ(response.text(), "text");
  EXPECT_EQ(response.model(), "tiny");
  EXPECT_EQ(response.finish_reason(), v1::FINISH_REASON_LENGTH);
  ExpectUsage(response.usage());
  ExpectHypotheses(response.alternatives());
}

TEST(MessagesTest, ADetectedLanguageIsInTheAnswerAndTheLastChunk) {
  AnswerSummary summary = Summary();
  v1::TranslateResponse response;
  SetAnswer(Part("text", {5, 6}), summary, &response);
  EXPECT_FALSE(response.has_detected_language());
  summary.detected = {{{"de", 0.75f}}};
  SetAnswer(Part("text", {5, 6}), summary, &response);
  EXPECT_EQ(response.detected_language().language(), "de");
  EXPECT_EQ(response.detected_language().confidence(), 0.75f);
  v1::TextChunk part, last;
  SetChunk(Part("text", {5}), /*summary=*/nullptr, &part);
  SetChunk(Part("", {}), &summary, &last);
  EXPECT_FALSE(part.has_detected_language());
  EXPECT_EQ(last.detected_language().language(), "de");
}

TEST(MessagesTest, EachTextHasItsListOfLanguages) {
  AnswerSummary summary = Summary();
  summary.detected = {{{"de", 0.75f}, {"en", 0.25f}}, {}};
  v1::DetectLanguageResponse response;
  SetAnswer({}, summary, &response);
  EXPECT_EQ(response.model(), "tiny");
  ASSERT_EQ(response.results_size(), 2);
  ASSERT_EQ(response.results(0).languages_size(), 2);
  EXPECT_EQ(response.results(0).languages(1).language(), "en");
  EXPECT_EQ(response.results(0).languages(1).confidence(), 0.25f);
  EXPECT_EQ(response.results(1).languages_size(), 0);
}

TEST(MessagesTest, AnAnswerWithoutOthersHasNoAlternatives) {
  AnswerSummary summary = Summary();
  summary.others.clear();
  v1::SummarizeResponse response;
  SetAnswer(Part("text", {5, 6}), summary, &response);
  EXPECT_EQ(response.text(), "text");
  EXPECT_EQ(response.alternatives_size(), 0);
}

TEST(MessagesTest, AGeneratedAnswerIsAListOfHypotheses) {
  v1::GenerateResponse response;
  SetAnswer(Part("text", {5, 6}), Summary(), &response);
  EXPECT_EQ(response.model(), "tiny");
  ExpectUsage(response.usage());
  ExpectHypotheses(response.hypotheses());
}

TEST(MessagesTest, OnlyTheLastChunkHasAnEnd) {
  const AnswerSummary summary = Summary();
  v1::TextChunk part, last;
  SetChunk(Part("text", {5}), /*summary=*/nullptr, &part);
  SetChunk(Part("", {}), &summary, &last);
  EXPECT_EQ(part.text(), "text");
  EXPECT_EQ(part.finish_reason(), v1::FINISH_REASON_UNSPECIFIED);
  EXPECT_FALSE(part.has_usage());
  EXPECT_EQ(last.finish_reason(), v1::FINISH_REASON_LENGTH);
  ExpectUsage(last.usage());
}

TEST(MessagesTest, TokensWithoutTextShowInGeneratedChunksOnly) {
  v1::TextChunk text;
  SetChunk(Part("", {5}), /*summary=*/nullptr, &text);
  EXPECT_TRUE(IsEmpty(text));
  v1::GenerateChunk generated;
  SetChunk(Part("", {5}), /*summary=*/nullptr, &generated);
  EXPECT_FALSE(IsEmpty(generated));
  EXPECT_THAT(generated.tokens().ids(), ElementsAre(5));
  v1::GenerateChunk nothing;
  SetChunk(Part("", {}), /*summary=*/nullptr, &nothing);
  EXPECT_TRUE(IsEmpty(nothing));
}

TEST(MessagesTest, AModelIsDescribedWithItsTasksAndWarnings) {
  ServedModel model;
  model.name = "tiny";
  model.num_query_heads = 8;
  model.num_kv_heads = 2;
  model.warnings = {"a key is ignored"};
  model.tasks.tasks.emplace_back().name = "summarization";
  const v1::Model description = DescriptionOf(model, 4096);
  EXPECT_EQ(description.name(), "tiny");
  EXPECT_EQ(description.num_query_heads(), 8);
  EXPECT_EQ(description.num_kv_heads(), 2);
  EXPECT_EQ(description.kv_capacity_bytes(), 4096);
  EXPECT_FALSE(description.has_shortlist());
  EXPECT_THAT(description.tasks(), ElementsAre("summarization"));
  EXPECT_THAT(description.warnings(), ElementsAre("a key is ignored"));
}

TEST(MessagesTest, AModelIsDescribedWithItsLanguages) {
  ServedModel model;
  model.tasks.sources = LanguageSet::Of({*ReadLanguage("eng_Latn")});
  model.tasks.targets =
      LanguageSet::Of({*ReadLanguage("deu_Latn"), *ReadLanguage("zho_Hant")});
  model.has_shortlist = true;
  const v1::Model description = DescriptionOf(model, 4096);
  EXPECT_TRUE(description.has_shortlist());
  EXPECT_THAT(description.source_languages(), ElementsAre("en"));
  EXPECT_THAT(description.target_languages(), ElementsAre("de", "zh-Hant"));
}

}  // namespace
}  // namespace sheaf
