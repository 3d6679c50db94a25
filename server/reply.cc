#include "server/reply.h"

#include "server/grpc/wire.h"
#include "sheaf/v1/text.pb.h"

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

using Hypotheses = google::protobuf::RepeatedPtrField<v1::Hypothesis>;

void AddHypothesis(const std::string& text, const std::vector<int32_t>& tokens,
                   float score, FinishReason reason, Hypotheses* hypotheses) {
  v1::Hypothesis* hypothesis = hypotheses->Add();
  hypothesis->set_text(text);
  SetTokens(tokens, hypothesis->mutable_tokens());
  hypothesis->set_score(score);
  hypothesis->set_finish_reason(ToProto(reason));
}

// The answer itself and the others, best first.
void AddHypotheses(const AnswerPart& whole, const AnswerSummary& summary,
                   Hypotheses* hypotheses) {
  AddHypothesis(whole.text, whole.tokens, summary.score, summary.finish_reason,
                hypotheses);
  for (const FinishedPart& other : summary.others) {
    AddHypothesis(other.text, other.tokens, other.score, other.finish_reason,
                  hypotheses);
  }
}

template <typename Response>
grpc::ByteBuffer SerializeText(const std::string& model,
                               const AnswerPart& whole,
                               const AnswerSummary& summary) {
  Response response;
  response.set_text(whole.text);
  if (!summary.others.empty()) {
    AddHypotheses(whole, summary, response.mutable_alternatives());
  }
  response.set_finish_reason(ToProto(summary.finish_reason));
  SetUsage(summary, response.mutable_usage());
  response.set_model(model);
  return SerializeMessage(response);
}

grpc::ByteBuffer SerializeGenerated(const std::string& model,
                                    const AnswerPart& whole,
                                    const AnswerSummary& summary) {
  v1::GenerateResponse response;
  AddHypotheses(whole, summary, response.mutable_hypotheses());
  SetUsage(summary, response.mutable_usage());
  response.set_model(model);
  return SerializeMessage(response);
}

// What TextChunk and GenerateChunk have in common.
template <typename Chunk>
Chunk MakeChunk(const AnswerPart& part, const AnswerSummary* summary) {
  Chunk chunk;
  chunk.set_text(part.text);
  if (summary != nullptr) {
    chunk.set_finish_reason(ToProto(summary->finish_reason));
    SetUsage(*summary, chunk.mutable_usage());
  }
  return chunk;
}

}  // namespace

grpc::ByteBuffer SerializeReply(ReplyKind kind, const std::string& model,
                                const AnswerPart& whole,
                                const AnswerSummary& summary) {
  switch (kind) {
    case ReplyKind::kTranslate:
      return SerializeText<v1::TranslateResponse>(model, whole, summary);
    case ReplyKind::kSummarize:
      return SerializeText<v1::SummarizeResponse>(model, whole, summary);
    case ReplyKind::kGenerate:
      break;
  }
  return SerializeGenerated(model, whole, summary);
}

grpc::ByteBuffer SerializeChunk(ReplyKind kind, const AnswerPart& part,
                                const AnswerSummary* summary) {
  if (kind != ReplyKind::kGenerate) {
    return SerializeMessage(MakeChunk<v1::TextChunk>(part, summary));
  }
  v1::GenerateChunk chunk = MakeChunk<v1::GenerateChunk>(part, summary);
  if (!part.tokens.empty()) SetTokens(part.tokens, chunk.mutable_tokens());
  return SerializeMessage(chunk);
}

}  // namespace sheaf
