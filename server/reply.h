#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/request.h"
#include "server/finished_part.h"

namespace sheaf {

// A part of an answer, or all of it.
struct AnswerPart {
  std::string text;
  std::vector<int32_t> tokens;
};

// How an answer ended.
struct AnswerSummary {
  FinishReason finish_reason = FinishReason::kEos;
  float score = 0;                   // sum of the segments'
  std::vector<FinishedPart> others;  // than the text itself, best first
  int32_t num_input_tokens = 0;
  int32_t num_output_tokens = 0;
  int32_t num_segments = 0;
};

enum class ReplyKind { kTranslate, kSummarize, kGenerate };

// The whole answer as the message that the RPC returns.
grpc::ByteBuffer SerializeReply(ReplyKind kind, const std::string& model,
                                const AnswerPart& whole,
                                const AnswerSummary& summary);

// One message of a stream; `summary` is null but for the last.
grpc::ByteBuffer SerializeChunk(ReplyKind kind, const AnswerPart& part,
                                const AnswerSummary* summary);

}  // namespace sheaf
