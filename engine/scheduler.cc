// SPDX-License-Identifier: Apache-2.0

#include "engine/scheduler.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "base/check.h"

namespace sheaf {

Scheduler::~Scheduler() {
  while (!requests_.empty()) Remove(requests_.front());
}

namespace {

int64_t LongestOf(const TokenLists& segments) {
  int64_t longest = 0;
  for (absl::Span<const int32_t> segment : segments) {
    longest = std::max(longest, static_cast<int64_t>(segment.size()));
  }
  return longest;
}

}  // namespace

Scheduler::Need Scheduler::NeedOf(const SamplingParams& sampling,
                                  size_t num_start_tokens, int64_t source_len,
                                  const KvPoolShape& kv_shape) {
  const int32_t beams = sampling.beam_size;
  // The start token is computed and the last chosen token is not, so a sequence
  // holds at most max_new_tokens tokens.
  const int32_t self =
      kv_shape.BlocksFor(Attention::kSelf, sampling.max_new_tokens);
  // The start tokens are computed before the beams part.
  const int32_t known = static_cast<int32_t>(num_start_tokens);
  const int32_t common = std::min(self, known / kv_shape.self_block_tokens);
  const int32_t cross = kv_shape.BlocksFor(Attention::kCross, source_len);
  return {common + (self - common) * beams, cross, beams};
}

absl::Status Scheduler::CheckFits(const SamplingParams& sampling,
                                  size_t num_start_tokens, int64_t source_len,
                                  int32_t max_sequences,
                                  const KvPoolShape& kv_shape) {
  if (sampling.beam_size > max_sequences) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "beam_size is %d; this server runs at most %d sequences at a time",
        sampling.beam_size, max_sequences));
  }
  const Need need = NeedOf(sampling, num_start_tokens, source_len, kv_shape);
  if (need.blocks() <= kv_shape.num_blocks) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "a source of %d tokens, max_new_tokens %d and beam_size %d can need "
      "%d bytes of KV cache; this server has %d",
      source_len, sampling.max_new_tokens, sampling.beam_size,
      need.blocks() * kv_shape.block_bytes,
      kv_shape.num_blocks * kv_shape.block_bytes));
}

absl::Status Scheduler::CheckFits(const Request& request, int32_t max_sequences,
                                  const KvPoolShape& kv_shape) {
  const int64_t later = request.is_open ? request.max_segment_tokens : 0;
  return CheckFits(request.sampling, request.start_tokens.size(),
                   std::max(later, LongestOf(request.segments)), max_sequences,
                   kv_shape);
}

absl::Status Scheduler::CheckFits(const LiveRequest& live,
                                  const Extension& extension) const {
  const SamplingParams& sampling = extension.sampling == nullptr
                                       ? live.request.sampling
                                       : *extension.sampling;
  if (extension.constraints != nullptr && sampling.beam_size < 2) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "beam_size is %d; constraints need at least 2", sampling.beam_size));
  }
  return CheckFits(sampling, live.request.start_tokens.size(),
                   LongestOf(extension.segments), max_sequences_,
                   pool_->shape());
}

int32_t Scheduler::MaxBeamSize(int64_t source_len, int32_t max_new_tokens,
                               int32_t max_sequences,
                               const KvPoolShape& kv_shape) {
  const int32_t left =
      kv_shape.num_blocks - kv_shape.BlocksFor(Attention::kCross, source_len);
  const int32_t per_beam = kv_shape.BlocksFor(Attention::kSelf, max_new_tokens);
  return std::clamp(left / per_beam, 0, std::min(max_sequences, kMaxBeamSize));
}

LiveRequest& Scheduler::Add(RequestId id, Request request,
                            MonotonicTime arrival) {
  LiveRequest& live = requests_.emplace_back();
  live.id = id;
  live.request = std::move(request);
  live.arrival = arrival;
  live.has_token = live.request.is_follow_up;
  live.caller =
      &callers_.Enter(live.request.caller, live.request.weight, arrival);
  callers_.AddWaiting(*live.caller, live.num_segments());
  live.options.push_back({.stop = live.request.stop});
  return live;
}

void Scheduler::Extend(LiveRequest& live, Extension extension) {
  live.request.is_open = extension.is_open;
  if (extension.segments.empty()) return;
  live.options.push_back({live.num_segments(), std::move(extension.sampling),
                          std::move(extension.stop),
                          std::move(extension.constraints)});
  callers_.AddWaiting(*live.caller,
                      static_cast<int64_t>(extension.segments.size()));
  live.request.segments.Append(extension.segments);
}

bool Scheduler::has_work() const {
  return std::any_of(requests_.begin(), requests_.end(),
                     [](const LiveRequest& live) { return live.has_work(); });
}

LiveRequest* Scheduler::NextToAdmit(int64_t max_tokens) {
  LiveRequest* next = nullptr;
  double next_due = 0;
  for (LiveRequest& live : requests_) {
    if (live.num_admitted == live.num_segments() ||
        live.next_source_len() > max_tokens) {
      continue;
    }
    // If two callers are due at the same time, either is right.
    const double due = live.caller->due();
    if (next == nullptr || due < next_due ||
        (due == next_due && live.num_running < next->num_running)) {
      next = &live;
      next_due = due;
    }
  }
  return next;
}

Scheduler::Need Scheduler::NeedOfNext(const LiveRequest& live) const {
  return NeedOf(live.SamplingOf(live.OptionsOf(live.next_source())),
                live.request.start_tokens.size(), live.next_source_len(),
                pool_->shape());
}

bool Scheduler::Fits(const Need& need) const {
  const int32_t reserved = reserved_self_blocks_ + reserved_cross_blocks_;
  return num_sequences_ + need.sequences <= max_sequences_ &&
         reserved + need.blocks() <= pool_->num_blocks();
}

bool Scheduler::MayAdmit(const LiveRequest& live) const {
  const Need need = NeedOfNext(live);
  const CallerShare& caller = *live.caller;
  if (caller.holds_nothing() || !callers_.has_several()) return Fits(need);
  const int32_t held_sequences = caller.num_sequences + need.sequences;
  const int32_t held_blocks = caller.num_blocks + need.blocks();
  return Fits(need + Need{/*self_blocks=*/held_blocks / kHeldPerFree,
                          /*cross_blocks=*/0,
                          /*sequences=*/held_sequences / kHeldPerFree});
}

void Scheduler::Admit(LiveRequest& live) {
  const Need need = NeedOfNext(live);
  live.segments.remove_if([](const Segment& each) {
    return each.state == Segment::State::kFinished;
  });
  Segment& segment =
      live.segments.emplace_back(live, live.next_source(), *pool_);
  live.num_later_admitted += live.is_next_later() ? 1 : 0;
  ++live.num_admitted;
  ++live.num_running;
  segment.num_steps_left = segment.sampling->max_new_tokens;
  segment.reserved_self_blocks = need.self_blocks;
  segment.reserved_cross_blocks = need.cross_blocks;
  reserved_self_blocks_ += need.self_blocks;
  reserved_cross_blocks_ += need.cross_blocks;
  num_sequences_ += need.sequences;
  running_.push_back(&segment);

  const absl::Span<const int32_t> source = live.request.segments[segment.index];
  CallerShare& caller = *live.caller;
  --caller.num_waiting;
  caller.num_sequences += need.sequences;
  caller.num_blocks += need.blocks();
  caller.reserved_cost += int64_t{need.sequences} * segment.num_steps_left;
  callers_.Charge(caller, static_cast<int64_t>(source.size()));
  SHEAF_CHECK(segment.cross_kv.GrowTo(static_cast<int32_t>(source.size())));
  // One sequence for now: a beam search forks it.
  segment.sequences.reserve(need.sequences);
  AddSequence(segment, segment.sequences);
  segment.sequences.back().tokens = live.request.start_tokens;
}

// Reserves the memory that the steps of the sequence will need, so that a step
// allocates nothing.
void Scheduler::AddSequence(Segment& segment,
                            std::vector<Sequence>& sequences) {
  const int32_t max_tokens = segment.sampling->max_new_tokens;
  Sequence& sequence = sequences.emplace_back(*pool_);
  sequence.tokens.reserve(max_tokens + 1);
  if (segment.request->request.wants_alignment) {
    sequence.attended.reserve(max_tokens + 1);
  }
  sequence.self_kv.Reserve(
      pool_->shape().BlocksFor(Attention::kSelf, max_tokens));
}

void Scheduler::ShareHistory(const Sequence& parent, Sequence& child,
                             std::vector<BlockCopy>& copies) {
  child.tokens.assign(parent.tokens.begin(), parent.tokens.end());
  child.attended.assign(parent.attended.begin(), parent.attended.end());
  child.num_computed_tokens = parent.num_computed_tokens;
  const int32_t block_tokens = pool_->shape().self_block_tokens;
  const int32_t num_full = parent.num_computed_tokens / block_tokens;
  child.self_kv.SharePrefixOf(parent.self_kv, num_full * block_tokens);
  if (parent.num_computed_tokens % block_tokens == 0) return;
  // Within the reservation, so it cannot fail.
  SHEAF_CHECK(child.self_kv.GrowTo(parent.num_computed_tokens));
  copies.push_back(
      {parent.self_kv.ids()[num_full], child.self_kv.ids()[num_full]});
}

void Scheduler::Fork(Segment& segment, absl::Span<const BeamStep> steps,
                     std::vector<BlockCopy>& copies) {
  std::vector<Sequence>& beams = segment.sequences;
  num_children_.assign(beams.size(), 0);
  for (const BeamStep& step : steps) ++num_children_[step.parent];
  // Releases blocks before it takes others. So at most beam_size beams hold
  // blocks at any time, which is what was reserved.
  for (size_t i = 0; i < beams.size(); ++i) {
    if (num_children_[i] > 0) continue;
    beams[i].self_kv.Clear();
    spare_.push_back(std::move(beams[i]));
  }
  for (const BeamStep& step : steps) {
    Sequence& parent = beams[step.parent];
    if (--num_children_[step.parent] == 0) {
      next_.push_back(std::move(parent));
    } else if (spare_.empty()) {
      AddSequence(segment, next_);
      ShareHistory(parent, next_.back(), copies);
    } else {
      next_.push_back(std::move(spare_.back()));
      spare_.pop_back();
      ShareHistory(parent, next_.back(), copies);
    }
    next_.back().tokens.push_back(step.token);
    next_.back().sum_logprob = step.sum_logprob;
  }
  beams.clear();
  for (Sequence& sequence : next_) beams.push_back(std::move(sequence));
  next_.clear();
  spare_.clear();
}

const StepPlan& Scheduler::PlanStep(const Admission& admission) {
  plan_.encode.clear();
  plan_.decode.clear();
  callers_.BeginStep();
  int64_t encode_tokens = 0;
  while (encode_tokens < admission.max_encode_tokens &&
         num_sequences_ < max_sequences_) {
    const int64_t room = admission.max_encode_tokens - encode_tokens;
    LiveRequest* first = NextToAdmit(INT64_MAX);
    if (first == nullptr) break;
    LiveRequest* next = first;
    if (admission.is_overtaking) {
      next = NextToAdmit(room);
      if (next == nullptr) break;
    } else if (!plan_.encode.empty() && first->next_source_len() > room) {
      break;
    }
    if (!MayAdmit(*next)) break;
    if (next != first && !Fits(NeedOfNext(*next) + NeedOfNext(*first))) break;
    encode_tokens += next->next_source_len();
    Admit(*next);
    plan_.encode.push_back(running_.back());
  }
  for (Segment* segment : running_) {
    if (segment->state == Segment::State::kDecoding) PlanDecode(*segment);
  }
  return plan_;
}

void Scheduler::PlanDecode(Segment& segment) {
  CallerShare& caller = *segment.request->caller;
  const int32_t num_sequences = segment.sampling->beam_size;
  callers_.Charge(caller, num_sequences);
  if (segment.num_steps_left > 0) {  // 0: planned more often than decoded
    --segment.num_steps_left;
    caller.reserved_cost -= num_sequences;
  }
  for (Sequence& sequence : segment.sequences) {
    // Within the reservation, so it cannot fail.
    SHEAF_CHECK(
        sequence.self_kv.GrowTo(static_cast<int32_t>(sequence.tokens.size())));
  }
  plan_.decode.push_back(&segment);
}

void Scheduler::FinishEncode(Segment& segment) {
  SHEAF_CHECK(segment.state == Segment::State::kEncoding);
  segment.state = Segment::State::kDecoding;
  PlanDecode(segment);
}

void Scheduler::Release(Segment& segment) {
  running_.erase(std::find(running_.begin(), running_.end(), &segment));
  CallerShare& caller = *segment.request->caller;
  const int32_t sequences = segment.sampling->beam_size;
  caller.num_sequences -= sequences;
  caller.num_blocks -=
      segment.reserved_self_blocks + segment.reserved_cross_blocks;
  caller.reserved_cost -=
      int64_t{sequences} * std::exchange(segment.num_steps_left, 0);
  num_sequences_ -= sequences;
  reserved_self_blocks_ -= std::exchange(segment.reserved_self_blocks, 0);
  reserved_cross_blocks_ -= std::exchange(segment.reserved_cross_blocks, 0);
  segment.cross_kv.Clear();
  segment.sequences.clear();
  segment.beams.reset();
  segment.output_tokens.reset();
  segment.state = Segment::State::kFinished;
  --segment.request->num_running;
}

void Scheduler::FinishSegment(Segment& segment) {
  SHEAF_CHECK(segment.state == Segment::State::kDecoding);
  Release(segment);
  ++segment.request->num_finished;
}

void Scheduler::Remove(LiveRequest& live) {
  for (Segment& segment : live.segments) {
    if (segment.state != Segment::State::kFinished) Release(segment);
  }
  live.caller->num_waiting -= live.num_segments() - live.num_admitted;
  callers_.Leave(*live.caller);
  requests_.remove_if([&](const LiveRequest& each) { return &each == &live; });
}

LiveRequest* Scheduler::Find(RequestId id) {
  for (LiveRequest& live : requests_) {
    if (live.id == id) return &live;
  }
  return nullptr;
}

EngineGauges Scheduler::gauges() const {
  EngineGauges gauges;
  for (const LiveRequest& live : requests_) {
    ++(live.num_admitted > 0 ? gauges.num_requests_running
                             : gauges.num_requests_waiting);
  }
  gauges.num_sequences_running = num_sequences_;
  const int64_t bytes = pool_->shape().block_bytes;
  gauges.kv.self_used = pool_->num_held(Attention::kSelf) * bytes;
  gauges.kv.cross_used = pool_->num_held(Attention::kCross) * bytes;
  gauges.kv.self_reserved = reserved_self_blocks_ * bytes;
  gauges.kv.cross_reserved = reserved_cross_blocks_ * bytes;
  gauges.kv.capacity = pool_->num_blocks() * bytes;
  return gauges;
}

void Scheduler::CheckConsistency() const {
  pool_->CheckConsistency();
  int32_t self = 0, cross = 0, sequences = 0, running = 0;
  for (const LiveRequest& live : requests_) {
    int32_t running_here = 0;
    for (const Segment& segment : live.segments) {
      std::set<int32_t> self_held;  // beams share some
      for (const Sequence& sequence : segment.sequences) {
        self_held.insert(sequence.self_kv.ids().begin(),
                         sequence.self_kv.ids().end());
      }
      SHEAF_CHECK(static_cast<int32_t>(self_held.size()) <=
                  segment.reserved_self_blocks);
      SHEAF_CHECK(static_cast<int32_t>(segment.cross_kv.ids().size()) <=
                  segment.reserved_cross_blocks);
      const bool is_running = segment.state == Segment::State::kEncoding ||
                              segment.state == Segment::State::kDecoding;
      SHEAF_CHECK(is_running == (segment.reserved_cross_blocks > 0));
      if (!is_running) continue;
      ++running_here;
      self += segment.reserved_self_blocks;
      cross += segment.reserved_cross_blocks;
      sequences += segment.sampling->beam_size;
    }
    SHEAF_CHECK(running_here == live.num_running);
    running += running_here;
  }
  CheckCallers();
  SHEAF_CHECK(self == reserved_self_blocks_);
  SHEAF_CHECK(cross == reserved_cross_blocks_);
  SHEAF_CHECK(self + cross <= pool_->num_blocks());
  SHEAF_CHECK(sequences == num_sequences_);
  SHEAF_CHECK(sequences <= max_sequences_);
  SHEAF_CHECK(running == static_cast<int32_t>(running_.size()));
}

void Scheduler::CheckCallers() const {
  std::map<const CallerShare*, CallerShare> sums;
  for (const LiveRequest& live : requests_) {
    SHEAF_CHECK(live.caller->name == live.request.caller);
    CallerShare& sum = sums[live.caller];
    ++sum.num_requests;
    sum.num_waiting += live.num_segments() - live.num_admitted;
    for (const Segment& segment : live.segments) {
      const int32_t beams = segment.sampling->beam_size;
      if (segment.state != Segment::State::kFinished) {
        sum.num_sequences += beams;
      }
      sum.num_blocks +=
          segment.reserved_self_blocks + segment.reserved_cross_blocks;
      sum.reserved_cost += int64_t{beams} * segment.num_steps_left;
    }
  }
  SHEAF_CHECK(sums.size() == callers_.shares().size());
  int64_t total_weight = 0;
  for (const auto& [share, sum] : sums) {
    SHEAF_CHECK(share->num_requests == sum.num_requests);
    SHEAF_CHECK(share->num_waiting == sum.num_waiting);
    SHEAF_CHECK(share->num_sequences == sum.num_sequences);
    SHEAF_CHECK(share->num_blocks == sum.num_blocks);
    SHEAF_CHECK(share->reserved_cost == sum.reserved_cost);
    total_weight += share->weight;
  }
  SHEAF_CHECK(total_weight == callers_.total_weight());
}

}  // namespace sheaf
