// SPDX-License-Identifier: Apache-2.0

#include "server/repair/candidate.h"

#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "server/answer_part.h"
#include "text/checks/cut_at_spans.h"
#include "text/checks/kept_spans.h"
#include "text/checks/put_back.h"
#include "text/checks/unknown_characters.h"
#include "text/source_encoder.h"
#include "text/terms/term_forms.h"
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

// Whether the alignment is needed although nothing is to be put back.
bool NeedsAlignment(const RepairPlan& plan, const SegmentPlan& segment) {
  return !segment.tags.empty() || plan.has_alignments;
}

// A hypothesis as a translation of the part, with what has stand-ins.
struct ReadText {
  EditedText text;  // aligned to the part, if that is needed
  bool is_restored = true;
};
ReadText ReadPart(const RepairPlan& plan, const TrialPart& part,
                  const Hypothesis& hypothesis, bool needs_alignment) {
  ReadText out;
  std::string target = plan.target_tokenizer->Decode(hypothesis.tokens);
  TextAlignment alignment;
  if (needs_alignment || !part.source.stand_ins.empty()) {
    alignment = Align(plan, part, hypothesis);
  }
  if (!part.source.stand_ins.empty()) {
    if (std::optional<EditedText> restored =
            RestoreSpans(part.source, target, alignment)) {
      out.text = *std::move(restored);
      return out;
    }
    out.is_restored = false;
  }
  out.text = {std::move(target),
              part.source.source.ToOriginal(std::move(alignment))};
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
    texts.push_back(
        ReadPart(plan, part, best, NeedsAlignment(plan, segment)).text);
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
  const absl::string_view source = plan.TextOf(segment);
  if (trial.method == Method::kCut) {
    candidate.text = JoinPieces(source, segment.kept, ranges, texts);
    return candidate;
  }
  std::vector<const EditedText*> translations;
  translations.reserve(texts.size());
  for (const EditedText& text : texts) translations.push_back(&text);
  candidate.text = ReplaceParts(source, ranges, translations);
  return candidate;
}

Candidate ReadWhole(const RepairPlan& plan, const SegmentPlan& segment,
                    const Trial& trial, size_t rank) {
  const TrialPart& part = trial.parts.front();
  const Hypothesis& hypothesis = part.hypotheses[rank];
  Candidate candidate;
  candidate.method = trial.method;
  candidate.rank = rank;
  candidate.tokens = hypothesis.tokens;
  candidate.score = hypothesis.score;
  candidate.mean_logprob = hypothesis.mean_logprob;
  candidate.finish_reason = hypothesis.finish_reason;
  ReadText read =
      ReadPart(plan, part, hypothesis, NeedsAlignment(plan, segment));
  candidate.text = std::move(read.text);
  candidate.is_restored = read.is_restored;
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

// Puts back what is lost, and sets the warnings.
void Check(const RepairPlan& plan, const SegmentPlan& segment,
           const Trial& trial, Candidate& candidate) {
  const absl::string_view source = plan.TextOf(segment);
  EditedText& text = candidate.text;
  const auto need_alignment = [&] {
    if (!text.alignment.empty() || trial.parts.size() != 1) return;
    const TrialPart& part = trial.parts.front();
    text.alignment = part.source.source.ToOriginal(
        Align(plan, part, part.hypotheses[candidate.rank]));
  };
  const auto take = [&](std::optional<EditedText> edited) {
    if (!edited.has_value()) return false;
    text = *std::move(edited);
    return true;
  };
  if (plan.may_repair && candidate.is_restored) {
    if (HasBrokenCharacter(source, text.text) ||
        !AllKept(source, segment.copied, text.text)) {
      need_alignment();
      take(CopyUnknown(source, segment.copied, text.text, text.alignment));
    }
    if (!AllKept(source, segment.spans, text.text)) {
      need_alignment();
      candidate.is_put_back =
          take(PutBack(source, segment.spans, text.text, text.alignment));
    }
  }
  if (candidate.method == Method::kSentenceCase) {
    text = InCapitals(plan, segment, text);
  }
  candidate.warnings = JudgeSegment(
      {.source = source,
       .target = text.text,
       .source_language = plan.source_language,
       .target_language = plan.target_language,
       .protected_spans = segment.spans,
       .unknown = segment.copied,
       .is_cut = candidate.finish_reason == FinishReason::kLength});
  candidate.num_missing_terms =
      static_cast<int32_t>(MissingTerms(text.text, segment.terms).size());
  if (candidate.num_missing_terms > 0) {
    candidate.warnings.push_back(SegmentWarning::kTerm);
  }
}

}  // namespace

std::vector<Candidate> ReadCandidates(const RepairPlan& plan,
                                      const SegmentPlan& segment,
                                      const Trial& trial) {
  std::vector<Candidate> candidates;
  if (trial.method == Method::kCut || trial.method == Method::kHalves) {
    candidates.push_back(Join(plan, segment, trial));
  } else {
    const size_t num = trial.parts.front().hypotheses.size();
    for (size_t rank = 0; rank < num; ++rank) {
      candidates.push_back(ReadWhole(plan, segment, trial, rank));
    }
  }
  for (Candidate& candidate : candidates) {
    if (!candidate.is_stopped()) Check(plan, segment, trial, candidate);
  }
  return candidates;
}

bool Candidate::Has(SegmentWarning warning) const {
  return absl::c_linear_search(warnings, warning);
}

bool IsBetter(const Candidate& other, const Candidate& best) {
  // Constraints that do not fit the source may never come to an end.
  if (other.is_constrained() && other.finish_reason != FinishReason::kEos) {
    return false;
  }
  if (other.is_whole() != best.is_whole()) return other.is_whole();
  if (other.num_missing_terms != best.num_missing_terms) {
    return other.num_missing_terms < best.num_missing_terms;
  }
  // Probabilities say nothing in two cases. The model copies capitals that it
  // does not know, and is certain of that. And around a span that was put back,
  // words may stand that the model wrote in its place.
  if (other.method == Method::kSentenceCase ||
      (best.is_put_back && !other.is_put_back)) {
    return !IsBetter(JudgedTranslation{best.warnings},
                     JudgedTranslation{other.warnings});
  }
  // The probabilities of parts do not count, because each began anew.
  const bool is_comparable =
      other.method != Method::kCut && other.method != Method::kHalves &&
      best.method != Method::kCut && best.method != Method::kHalves;
  return IsBetter(
      JudgedTranslation{other.warnings, is_comparable ? other.mean_logprob : 0},
      JudgedTranslation{best.warnings, is_comparable ? best.mean_logprob : 0});
}

}  // namespace sheaf
