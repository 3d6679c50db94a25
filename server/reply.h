#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/request.h"
#include "server/hypothesis_text.h"

namespace sheaf {

// A part of an answer, or all of it.
struct Piece {
  std::string text;
  std::vector<int32_t> tokens;
};

// How an answer ended.
struct Ending {
  FinishReason finish_reason = FinishReason::kEos;
  float score = 0;                     // sum of the segments'
  std::vector<TextHypothesis> others;  // than the text itself, best first
  int32_t num_input_tokens = 0;
  int32_t num_output_tokens = 0;
  int32_t num_segments = 0;
};

enum class ReplyKind { kTranslate, kSummarize, kGenerate };

// The whole answer as the message that the RPC returns.
grpc::ByteBuffer SerializeReply(ReplyKind kind, const std::string& model,
                                const Piece& whole, const Ending& ending);

// One message of a stream; `ending` is null but for the last.
grpc::ByteBuffer SerializeChunk(ReplyKind kind, const Piece& piece,
                                const Ending* ending);

}  // namespace sheaf
