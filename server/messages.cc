// SPDX-License-Identifier: Apache-2.0

#include "server/messages.h"

#include <string>
#include <vector>

namespace sheaf {
namespace {

v1::FinishReason ToProto(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEos:
      return v1::FINISH_REASON_EOS;
    case FinishReason::kLength:
      return v1::FINISH_REASON_LENGTH;
    case FinishReason::kStopSequence:
      return v1::FINISH_REASON_STOP_SEQUENCE;
    case FinishReason::kRepetition:
      return v1::FINISH_REASON_REPETITION;
  }
  return v1::FINISH_REASON_UNSPECIFIED;
}

void SetUsage(const AnswerSummary& summary, v1::Usage* usage) {
  usage->set_input_tokens(summary.num_input_tokens);
  usage->set_output_tokens(summary.num_output_tokens);
  usage->set_segments(summary.num_segments);
}

void SetTokens(const std::vector<int32_t>& tokens, v1::TokenIds* ids) {
  ids->mutable_ids()->Assign(tokens.begin(), tokens.end());
}

template <typename Message>
void SetPositions(const std::vector<int32_t>& positions, Message* message) {
  message->mutable_source_positions()->Assign(positions.begin(),
                                              positions.end());
}

using Hypotheses = google::protobuf::RepeatedPtrField<v1::Hypothesis>;

template <typename Summary>
void AddHypothesis(const AnswerPart& part, const Summary& summary,
                   Hypotheses* hypotheses) {
  v1::Hypothesis* hypothesis = hypotheses->Add();
  hypothesis->set_text(part.text);
  SetTokens(part.tokens, hypothesis->mutable_tokens());
  hypothesis->set_score(summary.score);
  hypothesis->set_finish_reason(ToProto(summary.finish_reason));
  SetPositions(summary.source_positions, hypothesis);
}

// The answer itself and its alternatives, best first.
void AddHypotheses(const AnswerPart& whole, const AnswerSummary& summary,
                   Hypotheses* hypotheses) {
  AddHypothesis(whole, summary, hypotheses);
  for (const FinishedPart& other : summary.others) {
    AddHypothesis(other, other, hypotheses);
  }
}

void SetDetected(const LanguageGuess& guess, v1::DetectedLanguage* detected) {
  detected->set_language(guess.tag);
  detected->set_confidence(guess.confidence);
}

// The language of a translation's text, if it was detected.
template <typename Message>
void SetDetectedSource(const AnswerSummary& summary, Message* message) {
  if (summary.detected.empty()) return;
  SetDetected(summary.detected.front().front(),
              message->mutable_detected_language());
}

v1::SegmentWarning ToProto(SegmentWarning warning) {
  switch (warning) {
    case SegmentWarning::kEmpty:
      return v1::SEGMENT_WARNING_EMPTY;
    case SegmentWarning::kCut:
      return v1::SEGMENT_WARNING_CUT;
    case SegmentWarning::kProtectedSpan:
      return v1::SEGMENT_WARNING_PROTECTED_SPAN;
    case SegmentWarning::kNumber:
      return v1::SEGMENT_WARNING_NUMBER;
    case SegmentWarning::kUnknownCharacter:
      return v1::SEGMENT_WARNING_UNKNOWN_CHARACTER;
    case SegmentWarning::kRepetition:
      return v1::SEGMENT_WARNING_REPETITION;
    case SegmentWarning::kTooShort:
      return v1::SEGMENT_WARNING_TOO_SHORT;
    case SegmentWarning::kTooLong:
      return v1::SEGMENT_WARNING_TOO_LONG;
    case SegmentWarning::kUntranslated:
      return v1::SEGMENT_WARNING_UNTRANSLATED;
    case SegmentWarning::kTerm:
      return v1::SEGMENT_WARNING_TERM;
  }
  return v1::SEGMENT_WARNING_UNSPECIFIED;
}

void SetSpan(const CodePointRange& range, v1::TextSpan* span) {
  span->set_begin(range.begin);
  span->set_end(range.end);
}

// The reports of a translation's segments, if they are asked for.
template <typename Message>
void SetReports(const AnswerSummary& summary, Message* message) {
  message->mutable_segments()->Reserve(
      static_cast<int>(summary.reports.size()));
  for (const SegmentReport& report : summary.reports) {
    v1::SegmentReport* segment = message->add_segments();
    SetSpan(report.source, segment->mutable_source());
    SetSpan(report.target, segment->mutable_target());
    segment->set_mean_logprob(report.mean_logprob);
    for (const SegmentWarning warning : report.warnings) {
      segment->add_warnings(ToProto(warning));
    }
    for (const ReportedAlignment& each : report.alignments) {
      v1::TokenAlignment* alignment = segment->add_alignments();
      SetSpan(each.source, alignment->mutable_source());
      SetSpan(each.target, alignment->mutable_target());
    }
  }
}

template <typename Response>
void SetText(const AnswerPart& whole, const AnswerSummary& summary,
             Response* response) {
  response->set_text(whole.text);
  if (!summary.others.empty()) {
    AddHypotheses(whole, summary, response->mutable_alternatives());
  }
  response->set_finish_reason(ToProto(summary.finish_reason));
  SetUsage(summary, response->mutable_usage());
  response->set_model(summary.model);
}

template <typename Chunk>
void SetTextOfChunk(const AnswerPart& part, const AnswerSummary* summary,
                    Chunk* chunk) {
  chunk->set_text(part.text);
  if (summary == nullptr) return;
  chunk->set_finish_reason(ToProto(summary->finish_reason));
  SetUsage(*summary, chunk->mutable_usage());
}

}  // namespace

void SetAnswer(const AnswerPart& whole, const AnswerSummary& summary,
               v1::TranslateResponse* response) {
  SetText(whole, summary, response);
  SetDetectedSource(summary, response);
  SetReports(summary, response);
}

void SetAnswer(const AnswerPart& whole, const AnswerSummary& summary,
               v1::SummarizeResponse* response) {
  SetText(whole, summary, response);
}

void SetAnswer(const AnswerPart& whole, const AnswerSummary& summary,
               v1::GenerateResponse* response) {
  AddHypotheses(whole, summary, response->mutable_hypotheses());
  SetUsage(summary, response->mutable_usage());
  response->set_model(summary.model);
}

void SetAnswer(const AnswerPart& /*whole*/, const AnswerSummary& summary,
               v1::DetectLanguageResponse* response) {
  for (const std::vector<LanguageGuess>& guesses : summary.detected) {
    v1::DetectedLanguages* result = response->add_results();
    for (const LanguageGuess& guess : guesses) {
      SetDetected(guess, result->add_languages());
    }
  }
  response->set_model(summary.model);
}

void SetChunk(const AnswerPart& part, const AnswerSummary* summary,
              v1::TextChunk* chunk) {
  SetTextOfChunk(part, summary, chunk);
  if (summary == nullptr) return;
  SetDetectedSource(*summary, chunk);
  SetReports(*summary, chunk);
}

void SetChunk(const AnswerPart& part, const AnswerSummary* summary,
              v1::GenerateChunk* chunk) {
  SetTextOfChunk(part, summary, chunk);
  if (!part.tokens.empty()) SetTokens(part.tokens, chunk->mutable_tokens());
  if (summary != nullptr) SetPositions(summary->source_positions, chunk);
}

bool IsEmpty(const v1::TextChunk& chunk) { return chunk.text().empty(); }

bool IsEmpty(const v1::GenerateChunk& chunk) {
  return chunk.text().empty() && !chunk.has_tokens();
}

v1::Model DescriptionOf(const ServedModel& model, int64_t kv_capacity_bytes) {
  v1::Model description;
  description.set_name(model.name);
  description.set_architecture(model.architecture);
  description.set_num_parameters(model.num_parameters);
  description.set_num_query_heads(model.num_query_heads);
  description.set_num_kv_heads(model.num_kv_heads);
  description.set_num_cross_kv_heads(model.num_cross_kv_heads);
  description.set_weight_type(model.weight_type);
  description.set_kv_type(model.kv_type);
  description.set_weight_bytes(model.weight_bytes);
  description.set_kv_bytes_per_token(model.kv_bytes_per_token);
  description.set_cross_kv_bytes_per_token(model.cross_kv_bytes_per_token);
  description.set_kv_capacity_bytes(kv_capacity_bytes);
  description.set_max_source_tokens(model.max_source_tokens);
  description.set_has_shortlist(model.has_shortlist);
  for (const Task& task : model.tasks.tasks) description.add_tasks(task.name);
  for (const LanguageSet::Offer& offer : model.tasks.sources.offers()) {
    description.add_source_languages(offer.tag);
  }
  for (const LanguageSet::Offer& offer : model.tasks.targets.offers()) {
    description.add_target_languages(offer.tag);
  }
  for (const std::string& warning : model.warnings) {
    description.add_warnings(warning);
  }
  return description;
}

}  // namespace sheaf
