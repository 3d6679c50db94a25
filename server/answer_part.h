// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/request.h"
#include "server/repair/segment_check.h"
#include "server/repair/segment_report.h"
#include "text/segmenter.h"
#include "text/source_language.h"
#include "text/tokenizer.h"

namespace sheaf {

// The finish reason of two consecutive segments together: kLength if either was
// cut off, else kRepetition if either repeated itself, else the later one.
FinishReason MergeFinishReasons(FinishReason earlier, FinishReason later);

// A part of an answer, or all of it.
struct AnswerPart {
  std::string text;
  std::vector<int32_t> tokens;
};

// A whole hypothesis, as a client receives it.
struct FinishedPart : AnswerPart {
  float score = 0;
  FinishReason finish_reason = FinishReason::kEos;
  std::vector<int32_t> source_positions;  // as in Hypothesis
};

// The languages of each of several texts, most confident first. A translation
// has one text with one language if that was detected, else none.
using DetectedTexts = std::vector<std::vector<LanguageGuess>>;

// How an answer ended, and what it took.
struct AnswerSummary {
  std::string model;  // the name of the model that answered
  FinishReason finish_reason = FinishReason::kEos;
  float score = 0;  // the sum of the segments' scores
  // One per token of the answer; empty unless asked for.
  std::vector<int32_t> source_positions;
  std::vector<FinishedPart> others;  // alternatives to the text, best first
  int32_t num_input_tokens = 0;
  int32_t num_output_tokens = 0;
  int32_t num_segments = 0;
  CopiedSentences copied;
  DetectedTexts detected;
  std::vector<SegmentReport> reports;  // if asked for
  SegmentCheckCounts checks;
};

// The hypothesis with its text, up to the first of `stops`. If `tokenizer` is
// null, it has no text.
FinishedPart WithText(const Hypothesis& hypothesis, const Tokenizer* tokenizer,
                      const std::vector<std::string>& stops);

}  // namespace sheaf
