// SPDX-License-Identifier: Apache-2.0

#include "server/repair/candidate.h"

#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/answer_part.h"
#include "text/checks/cut_at_spans.h"
#include "text/checks/kept_spans.h"
#include "text/checks/numbers.h"
#include "text/checks/put_back.h"
#include "text/source_encoder.h"
#include "text/text_alignment.h"
#include "text/token_spans.h"

namespace sheaf {
namespace {

// The alignment of a hypothesis with what the model read. Empty if it is not
// known.
TextAlignment Align(const RepairPlan& plan, const TrialPart& part,
                    const Hypothesis& hypothesis) {
  if (hypothesis.source_positions.empty()) return {};
  const std::string& text = part.source.source.text();
  const std::vector<int32_t> ids =
      part.ids.empty() ? EncodeSource(*plan.source_tokenizer, plan.prompt, text)
                       : part.ids;
  return MakeTextAlignment(
      hypothesis.source_positions,
      FindSourceSpans(*plan.source_tokenizer, plan.prompt, ids, text),
      FindOutputSpans(*plan.target_tokenizer, hypothesis.tokens));
}

// A hypothesis as a translation of the part, with what has stand-ins.
struct ReadText {
  EditedText text;  // aligned to the part
  bool is_restored = true;
};
ReadText ReadPart(const RepairPlan& plan, const TrialPart& part,
                  const Hypothesis& hypothesis) {
  ReadText out;
  std::string target = plan.target_tokenizer->Decode(hypothesis.tokens);
  const TextAlignment alignment = Align(plan, part, hypothesis);
  if (!part.source.stand_ins.empty()) {
    if (std::optional<EditedText> restored =
            RestoreSpans(part.source, target, alignment)) {
      out.text = *std::move(restored);
      return out;
    }
    out.is_restored = false;
  }
  out.text = {std::move(target), part.source.source.ToOriginal(alignment)};
  return out;
}

// Joins the best hypotheses of the parts with the text between them.
Candidate Join(const RepairPlan& plan, const SegmentPlan& segment,
               const Trial& trial) {
  Candidate candidate;
  candidate.method = trial.method;
  std::vector<TextRange> ranges;
  std::vector<EditedText> texts;
  double sum_logprob = 0;
  for (const TrialPart& part : trial.parts) {
    const Hypothesis& best = part.hypotheses.front();
    ranges.push_back(part.range);
    texts.push_back(ReadPart(plan, part, best).text);
    candidate.tokens.insert(candidate.tokens.end(), best.tokens.begin(),
                            best.tokens.end());
    candidate.score += best.score;
    sum_logprob += best.mean_logprob * static_cast<double>(best.tokens.size());
    candidate.finish_reason =
        MergeFinishReasons(candidate.finish_reason, best.finish_reason);
  }
  if (!candidate.tokens.empty()) {
    candidate.mean_logprob = static_cast<float>(
        sum_logprob / static_cast<double>(candidate.tokens.size()));
  }
  candidate.text =
      JoinPieces(plan.TextOf(segment), segment.kept, ranges, texts);
  return candidate;
}

Candidate ReadWhole(const RepairPlan& plan, const Trial& trial, size_t rank) {
  const TrialPart& part = trial.parts.front();
  const Hypothesis& hypothesis = part.hypotheses[rank];
  Candidate candidate;
  candidate.method = trial.method;
  candidate.rank = rank;
  candidate.tokens = hypothesis.tokens;
  candidate.score = hypothesis.score;
  candidate.mean_logprob = hypothesis.mean_logprob;
  candidate.finish_reason = hypothesis.finish_reason;
  ReadText read = ReadPart(plan, part, hypothesis);
  candidate.text = std::move(read.text);
  candidate.verdict.is_restored = read.is_restored;
  return candidate;
}

// Sets a translation of the segment in sentence case like the segment.
EditedText InCapitals(const RepairPlan& plan, const SegmentPlan& segment,
                      const EditedText& text) {
  std::vector<TextRange> kept;
  if (!segment.spans.empty()) {
    const SpanTexts spans(plan.TextOf(segment), segment.spans);
    for (const SpanTexts::Occurrence& span : spans.FindIn(text.text)) {
      kept.push_back(span.range);
    }
  }
  return SetCapitals(text, segment.capitals, plan.target_language, kept);
}

// Puts back what is lost, and sets the verdict.
void Check(const RepairPlan& plan, const SegmentPlan& segment,
           Candidate& candidate) {
  const absl::string_view source = plan.TextOf(segment);
  Verdict& verdict = candidate.verdict;
  EditedText& text = candidate.text;
  verdict.has_spans = AllKept(source, segment.spans, text.text);
  if (!verdict.has_spans && plan.may_repair && verdict.is_restored) {
    std::optional<EditedText> put_back =
        PutBack(source, segment.spans, text.text, text.alignment);
    if (put_back.has_value()) {
      text = *std::move(put_back);
      candidate.is_put_back = true;
      verdict.has_spans = true;
    }
  }
  if (candidate.method == Method::kSentenceCase) {
    text = InCapitals(plan, segment, text);
  }
  if (segment.has_numbers) {
    const NumberDifferences differences = CompareNumbers(
        source, text.text, plan.source_language, plan.target_language);
    verdict.has_numbers =
        differences.missing.empty() && differences.added.empty();
  }
}

}  // namespace

std::vector<Candidate> ReadCandidates(const RepairPlan& plan,
                                      const SegmentPlan& segment,
                                      Trial trial) {
  std::vector<Candidate> candidates;
  if (trial.method == Method::kCut || trial.method == Method::kHalves) {
    candidates.push_back(Join(plan, segment, trial));
  } else {
    const size_t num = trial.parts.front().hypotheses.size();
    for (size_t rank = 0; rank < num; ++rank) {
      candidates.push_back(ReadWhole(plan, trial, rank));
    }
  }
  for (Candidate& candidate : candidates) {
    if (!candidate.is_stopped()) Check(plan, segment, candidate);
  }
  return candidates;
}

bool IsBetter(const Candidate& other, const Candidate& best) {
  const auto quality = [](const Candidate& candidate) {
    const Verdict& verdict = candidate.verdict;
    return std::tuple(verdict.has_kept(),
                      verdict.has_numbers && !verdict.is_suspicious(),
                      verdict.has_numbers, !verdict.is_suspicious());
  };
  const auto of_other = quality(other), of_best = quality(best);
  if (of_other != of_best) return of_other > of_best;
  // Other searches and parts have other probabilities.
  return other.method == Method::kSentenceCase &&
         other.mean_logprob > best.mean_logprob;
}

}  // namespace sheaf
