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

void SetUsage(const Ending& ending, v1::Usage* usage) {
  usage->set_input_tokens(ending.num_input_tokens);
  usage->set_output_tokens(ending.num_output_tokens);
  usage->set_segments(ending.num_segments);
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
void AddHypotheses(const Piece& whole, const Ending& ending,
                   Hypotheses* hypotheses) {
  AddHypothesis(whole.text, whole.tokens, ending.score, ending.finish_reason,
                hypotheses);
  for (const TextHypothesis& other : ending.others) {
    AddHypothesis(other.text, other.tokens, other.score, other.finish_reason,
                  hypotheses);
  }
}

template <typename Response>
grpc::ByteBuffer SerializeText(const std::string& model, const Piece& whole,
                               const Ending& ending) {
  Response response;
  response.set_text(whole.text);
  if (!ending.others.empty()) {
    AddHypotheses(whole, ending, response.mutable_alternatives());
  }
  response.set_finish_reason(ToProto(ending.finish_reason));
  SetUsage(ending, response.mutable_usage());
  response.set_model(model);
  return SerializeMessage(response);
}

grpc::ByteBuffer SerializeGenerated(const std::string& model,
                                    const Piece& whole, const Ending& ending) {
  v1::GenerateResponse response;
  AddHypotheses(whole, ending, response.mutable_hypotheses());
  SetUsage(ending, response.mutable_usage());
  response.set_model(model);
  return SerializeMessage(response);
}

// What TextChunk and GenerateChunk have in common.
template <typename Chunk>
Chunk MakeChunk(const Piece& piece, const Ending* ending) {
  Chunk chunk;
  chunk.set_text(piece.text);
  if (ending != nullptr) {
    chunk.set_finish_reason(ToProto(ending->finish_reason));
    SetUsage(*ending, chunk.mutable_usage());
  }
  return chunk;
}

}  // namespace

grpc::ByteBuffer SerializeReply(ReplyKind kind, const std::string& model,
                                const Piece& whole, const Ending& ending) {
  switch (kind) {
    case ReplyKind::kTranslate:
      return SerializeText<v1::TranslateResponse>(model, whole, ending);
    case ReplyKind::kSummarize:
      return SerializeText<v1::SummarizeResponse>(model, whole, ending);
    case ReplyKind::kGenerate:
      break;
  }
  return SerializeGenerated(model, whole, ending);
}

grpc::ByteBuffer SerializeChunk(ReplyKind kind, const Piece& piece,
                                const Ending* ending) {
  if (kind != ReplyKind::kGenerate) {
    return SerializeMessage(MakeChunk<v1::TextChunk>(piece, ending));
  }
  v1::GenerateChunk chunk = MakeChunk<v1::GenerateChunk>(piece, ending);
  if (!piece.tokens.empty()) SetTokens(piece.tokens, chunk.mutable_tokens());
  return SerializeMessage(chunk);
}

}  // namespace sheaf
