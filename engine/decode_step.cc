// SPDX-License-Identifier: Apache-2.0

#include "engine/decode_step.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/logit_rules.h"
#include "engine/loop_guard.h"

namespace sheaf {
namespace {

// The length of the common prefix of `a` and `b`, which is at least `known`.
size_t CommonPrefix(absl::Span<const int32_t> a, absl::Span<const int32_t> b,
                    size_t known) {
  const size_t size = std::min(a.size(), b.size());
  while (known < size && a[known] == b[known]) ++known;
  return known;
}

absl::Span<const int32_t> NewTokens(const Sequence& sequence) {
  return absl::MakeConstSpan(sequence.tokens).subspan(1);
}

}  // namespace

DecodeStep::DecodeStep(int32_t max_sequences, ModelRunner& runner,
                       ThreadTeam& team, const kernels::Kernels& kernels,
                       const Utf8Rule* utf8_rule, Scheduler& scheduler,
                       StepStats& stats)
    : runner_(runner),
      team_(team),
      kernels_(kernels),
      utf8_rule_(utf8_rule),
      scheduler_(scheduler),
      stats_(stats),
      max_ranked_(
          BeamSearch::NumCandidates(std::min(max_sequences, kMaxBeamSize),
                                    runner.eos_token_ids().size())) {
  logits_.resize(int64_t{max_sequences} * runner.vocab_size());
  entries_.reserve(max_sequences);
  rows_.reserve(max_sequences);
  chosen_.resize(max_sequences);
  ranked_.resize(int64_t{max_sequences} * max_ranked_);
  num_ranked_.resize(max_sequences);
  scratch_.resize(team.size());
  candidates_.reserve(int64_t{kMaxBeamSize} * max_ranked_);
  copies_.reserve(max_sequences);
}

void DecodeStep::Run(const std::vector<Segment*>& segments,
                     const std::function<MonotonicTime()>& now,
                     std::vector<LiveRequest*>& ended) {
  const MonotonicTime begin = now();
  ended_ = &ended;
  entries_.clear();
  rows_.clear();
  wanted_.clear();
  copies_.clear();
  for (Segment* segment : segments) AddRows(*segment);
  const size_t num_rows = rows_.size();
  runner_.Decode(
      entries_, absl::MakeSpan(logits_).first(num_rows * runner_.vocab_size()));
  // A member chooses for rows that follow each other, whose logits it may have
  // computed itself.
  const size_t num_parts = std::min<size_t>(team_.size(), num_rows);
  team_.RunParts(static_cast<int32_t>(num_parts),
                 [&](int32_t part, int32_t member) {
                   for (size_t row = num_rows * part / num_parts;
                        row < num_rows * (part + 1) / num_parts; ++row) {
                     Choose(row, scratch_[member]);
                   }
                 });
  now_ = now();
  stats_.num_decoded_sequences = static_cast<int32_t>(num_rows);
  for (size_t row = 0; row < num_rows;) {
    Segment& segment = *rows_[row].segment;
    const size_t num_beams = segment.sequences.size();
    if (segment.beams == nullptr) {
      Advance(segment, chosen_[row]);
    } else {
      AdvanceBeams(segment, row);
    }
    row += num_beams;
  }
  if (!copies_.empty()) runner_.CopySelfBlocks(copies_);
  stats_.decode_seconds = absl::ToDoubleSeconds(now() - begin);
}

void DecodeStep::AddRows(Segment& segment) {
  if (segment.beams == nullptr && segment.sampling->beam_size > 1) {
    segment.beams = std::make_unique<BeamSearch>(
        *segment.sampling, runner_.eos_token_ids(), segment.constraints,
        segment.request->request.start_tokens);
  }
  const absl::Span<const int32_t> source =
      segment.request->request.segments[segment.index];
  if (segment.sequences.front().num_computed_tokens == 0) {
    if (segment.constraints == nullptr) {
      segment.output_tokens = runner_.MakeOutputTokens(source);
    }
    if (utf8_rule_ != nullptr) {
      segment.source_controls = utf8_rule_->ControlsOf(source);
    }
  }
  for (size_t i = 0; i < segment.sequences.size(); ++i) {
    AddRow(segment, static_cast<int32_t>(i));
  }
}

void DecodeStep::AddRow(Segment& segment, int32_t beam) {
  Sequence& sequence = segment.sequences[beam];
  const absl::Span<const int32_t> source =
      segment.request->request.segments[segment.index];
  entries_.push_back({absl::MakeConstSpan(sequence.tokens)
                          .subspan(sequence.num_computed_tokens),
                      sequence.num_computed_tokens, sequence.self_kv.ids(),
                      segment.cross_kv.ids(),
                      static_cast<int32_t>(source.size()),
                      segment.output_tokens.get()});
  if (segment.request->request.wants_alignment) {
    AskAlignment(segment.request->request, sequence);
  }
  const int32_t first_wanted = static_cast<int32_t>(wanted_.size());
  if (segment.constraints != nullptr) {
    segment.beams->ListNext(beam, next_tokens_);
    for (int32_t id : next_tokens_) wanted_.push_back({id, /*logprob=*/0});
  }
  rows_.push_back({&segment, &sequence, first_wanted,
                   static_cast<int32_t>(wanted_.size()) - first_wanted});
}

// Asks for the source positions of the tokens that the last entry computes.
void DecodeStep::AskAlignment(const Request& request, Sequence& sequence) {
  DecodeEntry& entry = entries_.back();
  sequence.attended.resize(sequence.tokens.size(), -1);
  const int32_t first = request.source_margins.leading;
  const int32_t end = entry.source_len - request.source_margins.trailing;
  if (first >= end) return;  // no text: the positions remain unknown
  entry.attended = sequence.attended.data() + sequence.num_computed_tokens;
  entry.first_source = first;
  entry.end_source = end;
}

void DecodeStep::Choose(size_t row, DecodingScratch& scratch) {
  const Segment& segment = *rows_[row].segment;
  const SamplingParams& sampling = *segment.sampling;
  const int64_t vocab_size = runner_.vocab_size();
  const absl::Span<const int32_t> ids = segment.output_tokens == nullptr
                                            ? absl::Span<const int32_t>()
                                            : segment.output_tokens->ids();
  const absl::Span<float> logits = absl::MakeSpan(logits_).subspan(
      row * vocab_size, ids.empty() ? vocab_size : ids.size());
  const TokenContext context = {sampling,
                                runner_.eos_token_ids(),
                                rows_[row].sequence->tokens,
                                segment.index,
                                utf8_rule_,
                                segment.source_controls,
                                segment.request->request.start_tokens.size(),
                                ids};
  if (segment.beams == nullptr) {
    chosen_[row] = ChooseToken(context, kernels_, logits, scratch);
    return;
  }
  const int32_t num_asked = BeamSearch::NumCandidates(
      sampling.beam_size, runner_.eos_token_ids().size());
  num_ranked_[row] =
      RankTokens(context, kernels_, logits, scratch,
                 absl::MakeSpan(ranked_).subspan(row * max_ranked_, num_asked),
                 absl::MakeSpan(wanted_).subspan(rows_[row].first_wanted,
                                                 rows_[row].num_wanted));
}

LiveTokens DecodeStep::Live(const Sequence& sequence) const {
  return {sequence.tokens, sequence.attended, runner_.alignment_shift()};
}

// Appends the chosen token to the sequence, or finishes its segment.
void DecodeStep::Advance(Segment& segment, const ChosenToken& chosen) {
  const SamplingParams& sampling = *segment.sampling;
  Sequence& sequence = segment.sequences.front();
  sequence.num_computed_tokens = static_cast<int32_t>(sequence.tokens.size());
  sequence.sum_logprob += chosen.logprob;
  std::optional<FinishReason> end;
  if (IsEos(chosen.id, runner_.eos_token_ids())) {
    end = FinishReason::kEos;
  } else {
    end = ReasonToEnd(segment, NewTokens(sequence), chosen.id);
    sequence.tokens.push_back(chosen.id);
    if (!end && sequence.num_new_tokens() >= sampling.max_new_tokens) {
      end = FinishReason::kLength;
    }
  }
  RecordToken(segment);
  Send(segment, NewTokens(sequence));
  if (!end) return;
  Hypothesis hypothesis;
  hypothesis.tokens.assign(sequence.tokens.begin() + 1, sequence.tokens.end());
  const int32_t length =
      sequence.num_new_tokens() + (*end == FinishReason::kEos ? 1 : 0);
  hypothesis.score = static_cast<float>(
      HypothesisScore(sequence.sum_logprob, length, sampling.length_penalty));
  hypothesis.mean_logprob = static_cast<float>(
      HypothesisScore(sequence.sum_logprob, length, /*length_penalty=*/1));
  hypothesis.finish_reason = *end;
  hypothesis.source_positions =
      SourcePositions(Live(sequence), hypothesis.tokens.size());
  std::vector<Hypothesis> hypotheses;
  hypotheses.push_back(std::move(hypothesis));
  Finish(segment, std::move(hypotheses));
}

void DecodeStep::AdvanceBeams(Segment& segment, size_t first_row) {
  std::vector<Sequence>& beams = segment.sequences;
  candidates_.clear();
  for (size_t i = 0; i < beams.size(); ++i) {
    beams[i].num_computed_tokens = static_cast<int32_t>(beams[i].tokens.size());
    const size_t row = first_row + i;
    const auto add = [&](const ChosenToken& token) {
      candidates_.push_back({static_cast<int32_t>(i), token.id,
                             beams[i].sum_logprob + token.logprob});
    };
    const absl::Span<const ChosenToken> ranked =
        absl::MakeConstSpan(ranked_).subspan(row * max_ranked_,
                                             num_ranked_[row]);
    for (const ChosenToken& token : ranked) add(token);
    for (const ChosenToken& wanted : absl::MakeConstSpan(wanted_).subspan(
             rows_[row].first_wanted, rows_[row].num_wanted)) {
      const bool is_ranked = std::any_of(
          ranked.begin(), ranked.end(),
          [&](const ChosenToken& token) { return token.id == wanted.id; });
      if (!is_ranked && wanted.logprob != kForbidden) add(wanted);
    }
  }
  segment.beams->Advance(
      absl::MakeSpan(candidates_),
      [&](int32_t beam) { return Live(beams[beam]); },
      [&](const BeamStep& step) {
        return ReasonToEnd(segment, NewTokens(beams[step.parent]), step.token);
      });
  if (!segment.beams->is_done()) {
    scheduler_.Fork(segment, segment.beams->live(), copies_);
    return SendAgreed(segment);
  }
  const absl::Span<const Hypothesis> finished = segment.beams->finished();
  const size_t num_asked =
      std::min<size_t>(finished.size(), segment.sampling->num_hypotheses);
  RecordToken(segment);
  Send(segment, finished.front().tokens);
  Finish(segment, {finished.begin(), finished.begin() + num_asked});
}

// The reason why a hypothesis of `tokens` ends with `next`, apart from EOS and
// length.
std::optional<FinishReason> DecodeStep::ReasonToEnd(
    const Segment& segment, absl::Span<const int32_t> tokens,
    int32_t next) const {
  const SamplingParams& sampling = *segment.sampling;
  if (segment.stop != nullptr && segment.stop->IsMet(tokens, next)) {
    return FinishReason::kStopSequence;
  }
  const auto is_within_character = [&] {
    return sampling.output_text != OutputText::kRaw && utf8_rule_ != nullptr &&
           utf8_rule_->IsWithin(tokens, next);
  };
  if (sampling.has_loop_guard && IsLooping(tokens, next) &&
      !is_within_character()) {
    return FinishReason::kRepetition;
  }
  return std::nullopt;
}

// Sends the tokens that all possible winners have in common.
void DecodeStep::SendAgreed(Segment& segment) {
  const absl::Span<const int32_t> best = NewTokens(segment.sequences.front());
  const size_t known = segment.num_sent;
  size_t agreed = best.size();
  const auto agree_with = [&](absl::Span<const int32_t> tokens) {
    agreed = CommonPrefix(best.first(agreed), tokens, known);
  };
  for (const Sequence& sequence : segment.sequences) {
    agree_with(NewTokens(sequence));
  }
  const absl::Span<const Hypothesis> finished = segment.beams->finished();
  if (!finished.empty()) agree_with(finished.front().tokens);
  if (agreed == known) return;
  RecordToken(segment);
  Send(segment, best.first(agreed));
}

// Gives the sink those of `tokens` that it does not have yet.
void DecodeStep::Send(Segment& segment, absl::Span<const int32_t> tokens) {
  const Request& request = segment.request->request;
  const int32_t size = static_cast<int32_t>(tokens.size());
  SHEAF_CHECK(segment.num_sent <= size);
  if (segment.num_sent == size) return;
  const int32_t num_given =
      static_cast<int32_t>(request.start_tokens.size()) - 1;
  stats_.num_generated_tokens += size - std::max(segment.num_sent, num_given);
  request.sink->OnTokens(segment.index, tokens.subspan(segment.num_sent));
  segment.num_sent = size;
}

void DecodeStep::RecordToken(Segment& segment) {
  LiveRequest& live = *segment.request;
  if (!live.has_token) {
    live.has_token = true;
    stats_.time_to_first_token_seconds.push_back(
        absl::ToDoubleSeconds(now_ - live.arrival));
  }
  if (segment.last_token != MonotonicTime::InfinitePast()) {
    stats_.inter_token_seconds.push_back(
        absl::ToDoubleSeconds(now_ - segment.last_token));
  }
  segment.last_token = now_;
}

// Gives the hypotheses to the sink, and lists the request as ended if this was
// its last segment.
void DecodeStep::Finish(Segment& segment, std::vector<Hypothesis> hypotheses) {
  LiveRequest& live = *segment.request;
  const FinishReason reason = hypotheses.front().finish_reason;
  live.was_cut |= reason == FinishReason::kLength;
  live.last_reason = reason;
  if (reason == FinishReason::kRepetition) ++stats_.num_loops;
  live.request.sink->OnSegmentFinished(segment.index, std::move(hypotheses));
  scheduler_.FinishSegment(segment);
  if (live.has_ended()) ended_->push_back(&live);
}

}  // namespace sheaf
