// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/request.h"
#include "server/repair/segment_report.h"
#include "text/marks.h"
#include "text/prompt_template.h"
#include "text/tokenizer.h"

namespace sheaf {

// What must survive in a segment.
struct SegmentPlan {
  TextRange source;  // in RepairPlan::text

  // If there are reports: where the segment lies in the request's text.
  CodePointRange place;
  // If there are alignments: the code point of the request's text that each
  // byte of the segment comes from, and that after its end.
  std::vector<int32_t> code_points;
};

// The held segments of a translation and what their repairs need.
//
// Thread-safe: immutable.
struct RepairPlan {
  std::string text;  // of all segments that are held
  // [segments of the request]; null: it is not held.
  std::vector<std::unique_ptr<const SegmentPlan>> segments;
  bool may_decode = true;    // else checks only give warnings
  bool has_reports = false;  // every segment is held
  int32_t num_hypotheses = 1;

  // How sources are encoded. Tokenizers are not owned.
  const Tokenizer* source_tokenizer = nullptr;
  const Tokenizer* target_tokenizer = nullptr;
  PromptTemplate prompt;
  int64_t max_source_tokens = 0;
  // For a decode that differs from the request's own.
  SamplingParams other_search;
};

}  // namespace sheaf
