// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "engine/request.h"
#include "server/repair/segment_report.h"
#include "text/checks/capitals.h"
#include "text/checks/stand_ins.h"
#include "text/marks.h"
#include "text/markup/markup.h"
#include "text/prompt_template.h"
#include "text/terms/term_forms.h"
#include "text/tokenizer.h"

namespace sheaf {

// What must survive in a segment.
struct SegmentPlan {
  TextRange source;              // in RepairPlan::text
  std::vector<InlineTag> tags;   // offsets within the segment
  std::vector<TextRange> spans;  // protected, within the segment
  // Parts outside of the spans that the model cannot spell.
  std::vector<TextRange> copied;
  // Quotes and dashes that it cannot spell, with those that it reads instead.
  std::vector<SpanReplacement> signs;
  std::vector<TextRange> kept;  // spans and `copied`
  Capitals capitals = Capitals::kNone;
  std::vector<SourceTerm> terms;  // outside of the spans

  // If there are reports: where the segment lies in the request's text.
  CodePointRange place;
  // If there are alignments: where each byte of the segment's text lies.
  std::vector<CodePointRange> places;
};

// The segments of a translation, and what their checks and repairs need.
//
// Thread-safe: immutable.
struct RepairPlan {
  std::string text;                // of all segments
  std::vector<TextRange> sources;  // [segments of the request], in `text`
  TextFormat format = TextFormat::kPlain;
  std::string request_text;  // if it has markup; tags are views of it
  // [segments of the request]; null: nothing in it must survive.
  std::vector<std::unique_ptr<const SegmentPlan>> segments;
  bool may_repair = true;  // else checks only give warnings
  // In an answer that is sent as a whole, segments without a plan may be
  // decoded again too.
  bool may_repair_all = false;
  bool has_reports = false;  // every segment has a plan
  bool has_alignments = false;
  int32_t num_hypotheses = 1;
  std::string source_language;  // BCP 47; empty: not known
  std::string target_language;

  // How sources are encoded. Tokenizers are not owned.
  const Tokenizer* source_tokenizer = nullptr;
  const Tokenizer* target_tokenizer = nullptr;
  PromptTemplate prompt;
  int64_t max_source_tokens = 0;
  // Sampling params of further decodes, which draw nothing, so that the answer
  // does not depend on when they begin. Null: the request's.
  std::shared_ptr<const SamplingParams> same_search;
  SamplingParams other_search;  // of those that are to differ
  SamplingParams term_search;   // of those with constraints
  // Of constraints: the tokens that continue words, and those that no output
  // has.
  std::shared_ptr<const std::vector<bool>> continues_word;
  std::vector<int32_t> never_tokens;

  absl::string_view TextOf(const SegmentPlan& segment) const {
    return Slice(text, segment.source);
  }
};

// Bytes of memory that the plan takes.
int64_t BytesOf(const RepairPlan& plan);

}  // namespace sheaf
