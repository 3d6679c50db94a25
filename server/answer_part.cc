// SPDX-License-Identifier: Apache-2.0

#include "server/answer_part.h"

#include "text/stop_matcher.h"
#include "text/stream_detokenizer.h"

namespace sheaf {

FinishReason MergeFinishReasons(FinishReason earlier, FinishReason later) {
  for (FinishReason bad : {FinishReason::kLength, FinishReason::kRepetition}) {
    if (earlier == bad || later == bad) return bad;
  }
  return later;
}

FinishedPart WithText(const Hypothesis& hypothesis, const Tokenizer* tokenizer,
                      const std::vector<std::string>& stops) {
  FinishedPart out;
  out.tokens = hypothesis.tokens;
  out.score = hypothesis.score;
  out.finish_reason = hypothesis.finish_reason;
  out.source_positions = hypothesis.source_positions;
  if (tokenizer == nullptr) return out;
  StreamDetokenizer detokenizer(*tokenizer);
  StopMatcher matcher(stops);
  out.text = matcher.Append(detokenizer.Append(hypothesis.tokens));
  if (!matcher.has_matched()) out.text += matcher.Append(detokenizer.Finish());
  if (matcher.has_matched()) {
    out.finish_reason = FinishReason::kStopSequence;
  } else {
    out.text += matcher.Finish();
  }
  return out;
}

}  // namespace sheaf
