// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>
#include <list>
#include <memory>
#include <vector>

#include "base/monotonic_time.h"
#include "engine/beam_search.h"
#include "engine/caller_shares.h"
#include "engine/kv_block_pool.h"
#include "engine/output_tokens.h"
#include "engine/request.h"
#include "engine/utf8_rule.h"

namespace sheaf {

// One growing list of decoder tokens with its keys and values.
struct Sequence {
  explicit Sequence(KvBlockPool& pool) : self_kv(pool, Attention::kSelf) {}

  std::vector<int32_t> tokens;      // start token first
  int32_t num_computed_tokens = 0;  // tokens whose K/V are in the cache
  double sum_logprob = 0;           // of the chosen tokens
  // DecodeEntry::attended of each computed token; empty unless asked for.
  std::vector<int32_t> attended;
  BlockTable self_kv;

  // Tokens after the start token.
  int32_t num_new_tokens() const {
    return static_cast<int32_t>(tokens.size()) - 1;
  }
};

struct LiveRequest;

// The options of the segments that Engine::Submit() or one Engine::Extend() has
// given a request.
struct SegmentOptions {
  int32_t first_segment = 0;  // index of the first segment that has them
  // Null: those of the request.
  std::shared_ptr<const SamplingParams> own_sampling = nullptr;
  std::shared_ptr<const StopCondition> stop = nullptr;         // null: none
  std::shared_ptr<const ConstraintSet> constraints = nullptr;  // null: none
};

// One admitted source of a request. It is encoded once and then decoded by one
// sequence, or by the sequences of a beam search, which share the cross K/V and
// the blocks of their common history.
struct Segment {
  enum class State { kEncoding, kDecoding, kFinished };

  Segment(LiveRequest& owner, int32_t segment_index, KvBlockPool& pool);

  LiveRequest* request;
  int32_t index;                     // in Request::segments
  const SamplingParams* sampling;    // not owned; in `request`
  const StopCondition* stop;         // not owned; in `request`; null: none
  const ConstraintSet* constraints;  // not owned; in `request`; null: none
  State state = State::kEncoding;
  BlockTable cross_kv;
  // For a beam search the live beams, best first. Empty once it is finished.
  std::vector<Sequence> sequences;
  // Set at the first decode step; null: beam_size is 1.
  std::unique_ptr<BeamSearch> beams;
  Utf8Rule::Controls source_controls;  // set at the first decode step
  // Set at the first decode step; null: the whole vocabulary.
  std::unique_ptr<OutputTokens> output_tokens;
  int32_t num_sent = 0;  // tokens that the sink has
  // When the last token was chosen.
  MonotonicTime last_token = MonotonicTime::InfinitePast();
  // The maximum that the segment can need; 0 once it is finished.
  int32_t reserved_self_blocks = 0;
  int32_t reserved_cross_blocks = 0;
  int32_t num_steps_left = 0;  // decode steps
};

// A request that has been submitted and has not ended.
//
// Invariant: num_admitted sources of the request have been admitted: in order
// those that it was submitted with, and in order those of its extensions. The
// others wait and have no Segment yet.
struct LiveRequest {
  RequestId id = 0;
  Request request;
  // In order of first_segment, which is 0 for the first one.
  std::deque<SegmentOptions> options;
  CallerShare* caller = nullptr;  // never null in a scheduler
  // Admitted, in order. Finished ones are removed when the next is admitted.
  std::list<Segment> segments;
  int32_t num_admitted = 0;
  int32_t num_later_admitted = 0;  // of these, those of extensions
  int32_t num_running = 0;         // admitted and not finished
  int32_t num_finished = 0;

  MonotonicTime arrival;
  bool has_token = false;  // its first token has been chosen
  bool was_cut = false;    // a segment ended with FinishReason::kLength
  FinishReason last_reason = FinishReason::kEos;

  int32_t num_segments() const {
    return static_cast<int32_t>(request.segments.size());
  }
  // The sources that the request was submitted with.
  int32_t num_first_segments() const {
    return options.size() > 1 ? options[1].first_segment : num_segments();
  }
  // Whether the source to be admitted next is of an extension, and its index.
  // REQUIRES: a source waits.
  bool is_next_later() const {
    return num_first_segments() + num_later_admitted < num_segments();
  }
  int32_t next_source() const {
    return is_next_later() ? num_first_segments() + num_later_admitted
                           : num_admitted - num_later_admitted;
  }
  int64_t next_source_len() const {  // REQUIRES: a source waits
    return static_cast<int64_t>(request.segments[next_source()].size());
  }
  // Valid as long as this is. REQUIRES: the request has this segment.
  const SegmentOptions& OptionsOf(int32_t segment_index) const {
    return *std::prev(
        std::upper_bound(options.begin(), options.end(), segment_index,
                         [](int32_t index, const SegmentOptions& each) {
                           return index < each.first_segment;
                         }));
  }
  const SamplingParams& SamplingOf(const SegmentOptions& of) const {
    return of.own_sampling == nullptr ? request.sampling : *of.own_sampling;
  }
  bool has_work() const { return num_finished < num_segments(); }
  bool has_ended() const { return !has_work() && !request.is_open; }
};

inline Segment::Segment(LiveRequest& owner, int32_t segment_index,
                        KvBlockPool& pool)
    : request(&owner), index(segment_index), cross_kv(pool, Attention::kCross) {
  const SegmentOptions& options = owner.OptionsOf(segment_index);
  sampling = &owner.SamplingOf(options);
  stop = options.stop.get();
  constraints = options.constraints.get();
}

}  // namespace sheaf
