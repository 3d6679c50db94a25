// SPDX-License-Identifier: Apache-2.0

#include "engine/lane.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"

namespace sheaf {

Lane::Lane(const LaneOptions& options, ThreadTeam& team,
           const kernels::Kernels& kernels, std::function<MonotonicTime()> now)
    : runner_(*options.runner),
      limits_(runner_.limits()),
      now_(std::move(now)),
      on_step_(options.on_step),
      on_left_queue_(options.on_left_queue),
      utf8_rule_(options.utf8_rule),
      max_queue_(options.max_queue),
      pool_(options.kv_shape),
      scheduler_(limits_.max_sequences, pool_),
      pacer_(limits_.max_encode_tokens),
      decode_step_(limits_.max_sequences, runner_, team, kernels,
                   utf8_rule_.get(), scheduler_, stats_) {}

absl::Status Lane::CheckFits(const Request& request) const {
  return Scheduler::CheckFits(request, limits_.max_sequences, pool_.shape());
}

int32_t Lane::MaxBeamSize(int64_t source_len, int32_t max_new_tokens) const {
  return Scheduler::MaxBeamSize(source_len, max_new_tokens,
                                limits_.max_sequences, pool_.shape());
}

void Lane::Add(RequestId id, Request request, MonotonicTime arrival) {
  has_changed_ = true;
  scheduler_.Add(id, std::move(request), arrival);
}

void Lane::Extend(RequestId id, Extension extension) {
  LiveRequest* live = scheduler_.Find(id);
  if (live == nullptr) return;
  has_changed_ = true;
  if (absl::Status fits = scheduler_.CheckFits(*live, extension); !fits.ok()) {
    return End(*live, absl::InternalError(fits.message()));
  }
  scheduler_.Extend(*live, std::move(extension));
  if (live->has_ended()) End(*live, absl::OkStatus());
}

void Lane::Cancel(RequestId id) {
  if (LiveRequest* live = scheduler_.Find(id)) {
    End(*live, absl::CancelledError("the request was cancelled"));
  }
}

void Lane::Evict(RequestId id) {
  LiveRequest* live = scheduler_.Find(id);
  if (live == nullptr || live->num_admitted > 0) return;
  End(*live,
      absl::ResourceExhaustedError(absl::StrFormat(
          "%d requests wait already, most of them of \"%s\", and another "
          "caller needs a place; this server queues at most %d",
          max_queue_, live->request.caller, max_queue_)));
}

void Lane::ExpireDeadlines() {
  const MonotonicTime now = now_();
  for (LiveRequest& live : scheduler_.requests()) {
    if (live.request.deadline <= now) to_end_.push_back(&live);
  }
  EndListed(absl::DeadlineExceededError("the deadline has passed"));
}

MonotonicTime Lane::FirstDeadline() const {
  MonotonicTime first = MonotonicTime::InfiniteFuture();
  for (const LiveRequest& live : scheduler_.requests()) {
    first = std::min(first, live.request.deadline);
  }
  return first;
}

void Lane::EndAll(const absl::Status& status) {
  for (LiveRequest& live : scheduler_.requests()) to_end_.push_back(&live);
  EndListed(status);
}

absl::Duration Lane::Step(absl::Duration others_decode_time) {
  has_changed_ = true;
  const Admission admission = pacer_.NextAdmission();
  const StepPlan& plan = scheduler_.PlanStep(admission);
  if (!plan.encode.empty()) {
    BeginEncode(
        admission.is_overtaking ? EncodePass::kOvertaking : EncodePass::kMain,
        plan.encode);
  }
  std::optional<absl::Duration> decode_time;
  if (!plan.decode.empty()) {
    decode_time = others_decode_time + last_decode_time_;
  } else if (others_decode_time > absl::ZeroDuration()) {
    decode_time = others_decode_time;
  }
  AdvanceEncode(decode_time);
  // With the segments whose encoding has just ended.
  if (plan.decode.empty()) return absl::ZeroDuration();
  decode_step_.Run(plan.decode, now_, to_end_);
  last_decode_time_ = absl::Seconds(stats_.decode_seconds);
  EndListed(absl::OkStatus());
  return last_decode_time_;
}

void Lane::BeginEncode(EncodePass pass, const std::vector<Segment*>& segments) {
  segments_of(pass) = segments;
  encode_entries_.clear();
  int32_t num_tokens = 0;
  const MonotonicTime now = now_();
  for (Segment* segment : segments) {
    LiveRequest& live = *segment->request;
    const absl::Span<const int32_t> source =
        live.request.segments[segment->index];
    encode_entries_.push_back({source, segment->cross_kv.ids()});
    num_tokens += static_cast<int32_t>(source.size());
    if (segment->index == 0) {
      const absl::Duration queued = now - live.arrival;
      if (!live.request.is_follow_up) {
        stats_.queue_seconds.push_back(absl::ToDoubleSeconds(queued));
      }
      live.request.sink->OnStarted(queued);
      on_left_queue_(live.id);
    }
  }
  stats_.num_prompt_tokens += num_tokens;
  pacer_.OnBegin(pass, num_tokens);
  runner_.BeginEncode(pass, encode_entries_);
}

void Lane::AdvanceEncode(std::optional<absl::Duration> decode_time) {
  const std::optional<EncodePacer::Turn> turn = pacer_.NextTurn(decode_time);
  if (!turn.has_value()) return;
  const MonotonicTime begin = now_();
  const bool is_done = runner_.AdvanceEncode(turn->pass, turn->token_layers);
  const absl::Duration took = now_() - begin;
  stats_.encode_seconds = absl::ToDoubleSeconds(took);
  pacer_.OnAdvanced(*turn, took, is_done);
  if (!is_done) return;
  PassSegments& segments = segments_of(turn->pass);
  for (Segment* segment : segments) {
    if (segment != nullptr) scheduler_.FinishEncode(*segment);
  }
  segments.clear();
}

// The runner no longer touches the request's blocks. A pass of which nothing is
// left ends.
void Lane::DropFromPasses(const LiveRequest& live) {
  for (const EncodePass pass : {EncodePass::kMain, EncodePass::kOvertaking}) {
    PassSegments& segments = segments_of(pass);
    if (segments.empty()) continue;
    for (size_t i = 0; i < segments.size(); ++i) {
      if (segments[i] == nullptr || segments[i]->request != &live) continue;
      runner_.DropEncode(pass, static_cast<int32_t>(i));
      segments[i] = nullptr;
    }
    if (std::all_of(segments.begin(), segments.end(),
                    [](Segment* segment) { return segment == nullptr; })) {
      segments.clear();
      pacer_.OnDropped(pass);
    }
  }
}

// Frees everything that the request holds. Report() tells its sink.
void Lane::End(LiveRequest& live, const absl::Status& status) {
  has_changed_ = true;
  DropFromPasses(live);
  if (status.ok() && !live.request.is_follow_up) {
    stats_.e2e_seconds.push_back(absl::ToDoubleSeconds(now_() - live.arrival));
    stats_.finish_reasons.push_back(live.was_cut ? FinishReason::kLength
                                                 : live.last_reason);
  }
  if (live.num_admitted == 0) on_left_queue_(live.id);
  ended_.push_back({live.request.sink, status});
  scheduler_.Remove(live);
}

void Lane::EndListed(const absl::Status& status) {
  for (LiveRequest* live : to_end_) End(*live, status);
  to_end_.clear();
}

void Lane::Report() {
  stats_.gauges = scheduler_.gauges();
  on_step_(stats_);
  for (const Ended& each : ended_) each.sink->OnFinished(each.status);
  stats_.Clear();
  ended_.clear();
  has_changed_ = false;
}

}  // namespace sheaf
