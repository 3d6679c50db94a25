// SPDX-License-Identifier: Apache-2.0

#include "server/summary_rounds.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "server/answer_part.h"

namespace sheaf {

SummaryRounds::SummaryRounds(AnswerPlan plan)
    : plan_(std::move(plan)),
      num_left_(plan_.num_segments),
      summaries_(plan_.num_segments) {}

void SummaryRounds::FinishPart(int32_t segment_index,
                               const Hypothesis& summary) {
  FinishedPart text = WithText(summary, plan_.tokenizer, /*stops=*/{});
  summaries_[segment_index - first_segment_] = std::move(text.text);
  plan_.earlier.num_output_tokens += static_cast<int32_t>(text.tokens.size());
  plan_.earlier.finish_reason =
      MergeFinishReasons(plan_.earlier.finish_reason, text.finish_reason);
  --num_left_;
}

std::string SummaryRounds::TakeText() {
  SHEAF_CHECK(is_round_done());
  std::string text;
  for (const std::string& summary : summaries_) {
    const absl::string_view trimmed = absl::StripAsciiWhitespace(summary);
    if (trimmed.empty()) continue;
    absl::StrAppend(&text, text.empty() ? "" : kBetweenSummaries, trimmed);
  }
  summaries_.clear();
  return text;
}

bool SummaryRounds::Begin(const TokenLists& sources) {
  const int32_t num_before = plan_.num_segments;
  first_segment_ += num_before;
  plan_.earlier.num_segments += num_before;
  plan_.num_segments = static_cast<int32_t>(sources.size());
  plan_.gaps = GapsOfSummaries(plan_.num_segments);
  plan_.num_input_tokens += static_cast<int32_t>(sources.num_ids());
  num_left_ = plan_.num_segments;
  summaries_.assign(num_left_, "");
  return plan_.num_segments <= 1 || plan_.num_segments >= num_before;
}

}  // namespace sheaf
