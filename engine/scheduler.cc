#include "engine/scheduler.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "engine/check.h"

namespace sheaf {

Scheduler::~Scheduler() {
  while (!requests_.empty()) Remove(requests_.front());
}

Scheduler::Need Scheduler::NeedOf(const Request& request, size_t segment_index,
                                  const KvPoolShape& kv_shape) {
  const int32_t beams = request.sampling.beam_size;
  // The last token chosen is never computed, the start token is: so a sequence
  // comes to hold max_new_tokens tokens.
  const int32_t self =
      kv_shape.BlocksFor(Attention::kSelf, request.sampling.max_new_tokens);
  const int32_t cross = kv_shape.BlocksFor(
      Attention::kCross,
      static_cast<int64_t>(request.segments[segment_index].size()));
  return {self * beams, cross, beams};
}

absl::Status Scheduler::CheckFits(const Request& request,
                                  const SchedulerLimits& limits,
                                  const KvPoolShape& kv_shape) {
  if (request.sampling.beam_size > limits.max_sequences) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "beam_size is %d; this server runs at most %d sequences at a time",
        request.sampling.beam_size, limits.max_sequences));
  }
  for (size_t i = 0; i < request.segments.size(); ++i) {
    const Need need = NeedOf(request, i, kv_shape);
    if (need.blocks() <= kv_shape.num_blocks) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "a source of %d tokens, max_new_tokens %d and beam_size %d can need "
        "%d bytes of KV cache; this server has %d",
        request.segments[i].size(), request.sampling.max_new_tokens,
        request.sampling.beam_size, need.blocks() * kv_shape.block_bytes,
        kv_shape.num_blocks * kv_shape.block_bytes));
  }
  return absl::OkStatus();
}

LiveRequest& Scheduler::Add(RequestId id, Request request, absl::Time arrival) {
  LiveRequest& live = requests_.emplace_back();
  live.id = id;
  live.request = std::move(request);
  live.arrival = arrival;
  for (size_t i = 0; i < live.request.segments.size(); ++i) {
    live.segments.emplace_back(live, static_cast<int32_t>(i), *pool_);
  }
  return live;
}

LiveRequest* Scheduler::NextToAdmit() {
  LiveRequest* next = nullptr;
  for (LiveRequest& live : requests_) {
    if (live.num_admitted == static_cast<int32_t>(live.segments.size())) {
      continue;
    }
    if (next == nullptr || live.num_running < next->num_running) next = &live;
  }
  return next;
}

bool Scheduler::TryAdmit(LiveRequest& live, int32_t start_token) {
  const Need need = NeedOf(live.request, live.num_admitted, pool_->shape());
  const int32_t reserved = reserved_self_blocks_ + reserved_cross_blocks_;
  if (num_sequences_ + need.sequences > limits_.max_sequences ||
      reserved + need.blocks() > pool_->num_blocks()) {
    return false;
  }
  Segment& segment = live.segments[live.num_admitted++];
  ++live.num_running;
  segment.state = Segment::State::kEncoding;
  segment.reserved_self_blocks = need.self_blocks;
  segment.reserved_cross_blocks = need.cross_blocks;
  reserved_self_blocks_ += need.self_blocks;
  reserved_cross_blocks_ += need.cross_blocks;
  num_sequences_ += need.sequences;
  running_.push_back(&segment);

  const SamplingParams& sampling = live.request.sampling;
  const std::vector<int32_t>& source = live.request.segments[segment.index];
  SHEAF_CHECK(segment.cross_kv.GrowTo(static_cast<int32_t>(source.size())));
  // One sequence for now: a beam search forks it. All that its steps will
  // need is set aside here, so that a step allocates nothing.
  Sequence& sequence = segment.sequences.emplace_back(*pool_);
  sequence.tokens.reserve(sampling.max_new_tokens + 1);
  sequence.self_kv.Reserve(need.self_blocks / need.sequences);
  sequence.tokens.push_back(start_token);
  sequence.tokens.insert(sequence.tokens.end(), sampling.target_prefix.begin(),
                         sampling.target_prefix.end());
  return true;
}

const StepPlan& Scheduler::PlanStep(bool may_encode, int32_t start_token) {
  plan_.encode.clear();
  plan_.decode.clear();
  int64_t encode_tokens = 0;
  while (may_encode) {
    LiveRequest* live = NextToAdmit();
    if (live == nullptr) break;
    const int64_t source_len =
        live->request.segments[live->num_admitted].size();
    if (!plan_.encode.empty() &&
        encode_tokens + source_len > limits_.max_encode_tokens) {
      break;
    }
    if (!TryAdmit(*live, start_token)) break;
    encode_tokens += source_len;
    plan_.encode.push_back(running_.back());
  }
  for (Segment* segment : running_) {
    if (segment->state != Segment::State::kDecoding) continue;
    for (Sequence& sequence : segment->sequences) {
      // Within the reservation, so it cannot fail.
      SHEAF_CHECK(sequence.self_kv.GrowTo(
          static_cast<int32_t>(sequence.tokens.size())));
    }
    plan_.decode.push_back(segment);
  }
  return plan_;
}

void Scheduler::FinishEncode(Segment& segment) {
  SHEAF_CHECK(segment.state == Segment::State::kEncoding);
  segment.state = Segment::State::kDecoding;
}

void Scheduler::Release(Segment& segment) {
  running_.erase(std::find(running_.begin(), running_.end(), &segment));
  num_sequences_ -= segment.request->request.sampling.beam_size;
  reserved_self_blocks_ -= std::exchange(segment.reserved_self_blocks, 0);
  reserved_cross_blocks_ -= std::exchange(segment.reserved_cross_blocks, 0);
  segment.cross_kv.Clear();
  segment.sequences.clear();
  segment.state = Segment::State::kFinished;
  --segment.request->num_running;
}

void Scheduler::FinishSegment(Segment& segment) {
  SHEAF_CHECK(segment.state == Segment::State::kDecoding);
  Release(segment);
  ++segment.request->num_finished;
}

void Scheduler::Remove(LiveRequest& live) {
  for (int32_t i = 0; i < live.num_admitted; ++i) {
    if (live.segments[i].state != Segment::State::kFinished) {
      Release(live.segments[i]);
    }
  }
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
      int32_t self_held = 0;
      for (const Sequence& sequence : segment.sequences) {
        self_held += static_cast<int32_t>(sequence.self_kv.ids().size());
      }
      SHEAF_CHECK(self_held <= segment.reserved_self_blocks);
      SHEAF_CHECK(static_cast<int32_t>(segment.cross_kv.ids().size()) <=
                  segment.reserved_cross_blocks);
      const bool is_running = segment.state == Segment::State::kEncoding ||
                              segment.state == Segment::State::kDecoding;
      SHEAF_CHECK(is_running == (segment.reserved_cross_blocks > 0));
      if (!is_running) continue;
      ++running_here;
      self += segment.reserved_self_blocks;
      cross += segment.reserved_cross_blocks;
      sequences += live.request.sampling.beam_size;
    }
    SHEAF_CHECK(running_here == live.num_running);
    running += running_here;
  }
  SHEAF_CHECK(self == reserved_self_blocks_);
  SHEAF_CHECK(cross == reserved_cross_blocks_);
  SHEAF_CHECK(self + cross <= pool_->num_blocks());
  SHEAF_CHECK(sequences == num_sequences_);
  SHEAF_CHECK(sequences <= limits_.max_sequences);
  SHEAF_CHECK(running == static_cast<int32_t>(running_.size()));
}

}  // namespace sheaf
