// SPDX-License-Identifier: Apache-2.0

#include "server/request_decodes.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "text/stop_sequences.h"

namespace sheaf {
namespace {

std::shared_ptr<const SamplingParams> WithFewerBeams(SamplingParams sampling,
                                                     int32_t max_beam_size) {
  sampling.beam_size =
      std::clamp(sampling.beam_size, 1, std::max(1, max_beam_size));
  return std::make_shared<const SamplingParams>(std::move(sampling));
}

// The request with the params of another, but without its segments.
Request SecondOf(const Request& first) {
  Request second;
  second.start_tokens = first.start_tokens;
  second.sampling = first.sampling;
  second.wants_alignment = first.wants_alignment;
  second.source_margins = first.source_margins;
  second.stop = first.stop;
  second.is_open = true;
  second.max_segment_tokens = first.max_segment_tokens;
  second.is_follow_up = true;
  return second;
}

}  // namespace

RequestDecodes::RequestDecodes(AnswerPlan plan, const Request& request,
                               int32_t max_beam_size)
    : repairs_(plan.repairs),
      stop_(request.stop),
      max_beam_size_(max_beam_size),
      is_open_(request.is_open && repairs_ != nullptr) {
  if (request.is_open && repairs_ == nullptr) {
    rounds_.emplace(std::move(plan));
    first_segment_ = std::numeric_limits<int32_t>::max();
    return;
  }
  if (!request.is_open && repairs_ != nullptr && repairs_->may_repair_all &&
      !plan.is_streamed) {
    second_ = SecondOf(request);
  }
  answer_.emplace(std::move(plan));
}

void RequestDecodes::AddTokens(int32_t segment_index,
                               absl::Span<const int32_t> tokens) {
  if (!answer_.has_value()) return;  // parts of summaries are read as a whole
  answer_->AddTokens(segment_index - first_segment_, tokens);
}

void RequestDecodes::FinishSegment(int32_t segment_index,
                                   const std::vector<Hypothesis>& hypotheses) {
  if (answer_.has_value()) {
    answer_->FinishSegment(segment_index - first_segment_, hypotheses);
    return;
  }
  rounds_->FinishPart(segment_index, hypotheses.front());
  if (rounds_->is_round_done()) round_text_ = rounds_->TakeText();
}

void RequestDecodes::BeginRound(TokenLists sources) {
  Extension extension;
  extension.is_open = !rounds_->Begin(sources);
  extension.segments = std::move(sources);
  if (!extension.is_open) {
    const AnswerPlan& plan = rounds_->plan();
    extension.stop = StopSequences::Make(plan.tokenizer, plan.stop);
    first_segment_ = rounds_->first_segment();
    answer_.emplace(plan);
    rounds_.reset();
  }
  extensions_.push_back(std::move(extension));
}

Request RequestDecodes::TakeSecondRequest() {
  SHEAF_CHECK(needs_second_request());
  first_segment_ = -answer_->num_segments();
  is_open_ = true;
  Request second = *std::move(second_);
  second_.reset();
  return second;
}

void RequestDecodes::GiveUpRepairs() {
  is_open_ = false;
  answer_->GiveUpRepairs();
}

std::vector<Extension> RequestDecodes::TakeExtensions() {
  if (is_open_) {
    for (Answer::DecodeGroup& group : answer_->TakeDecodes()) {
      extensions_.push_back(ExtensionOf(std::move(group)));
    }
    is_open_ = !answer_->is_finished();
    if (!is_open_) extensions_.push_back({.is_open = false});
  }
  return std::exchange(extensions_, {});
}

Extension RequestDecodes::ExtensionOf(Answer::DecodeGroup group) const {
  Extension extension = {.segments = std::move(group.sources),
                         .is_open = true,
                         .stop = stop_,
                         .sampling = repairs_->same_search};
  if (group.is_other_search) {
    extension.sampling = WithFewerBeams(repairs_->other_search, max_beam_size_);
  }
  // A single beam meets constraints only by chance.
  if (group.constraints != nullptr && max_beam_size_ > 1 &&
      repairs_->term_search.beam_size > 1) {
    extension.sampling = WithFewerBeams(repairs_->term_search, max_beam_size_);
    extension.constraints = std::move(group.constraints);
  }
  return extension;
}

}  // namespace sheaf
