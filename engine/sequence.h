#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "base/monotonic_time.h"
#include "engine/beam_search.h"
#include "engine/kv_block_pool.h"
#include "engine/request.h"
#include "engine/utf8_rule.h"

namespace sheaf {

// One growing list of decoder tokens with its keys and values.
struct Sequence {
  explicit Sequence(KvBlockPool& pool) : self_kv(pool, Attention::kSelf) {}

  std::vector<int32_t> tokens;      // start token first
  int32_t num_computed_tokens = 0;  // tokens whose K/V are in the cache
  double sum_logprob = 0;           // of the chosen tokens
  BlockTable self_kv;

  // Tokens after the start token.
  int32_t num_new_tokens() const {
    return static_cast<int32_t>(tokens.size()) - 1;
  }
};

struct LiveRequest;

// One source of a request on its way through the engine, once it is admitted:
// it is encoded once, is decoded by one sequence (a beam search by several,
// which share the cross K/V and the blocks of their common history), and ends.
struct Segment {
  enum class State { kEncoding, kDecoding, kFinished };

  Segment(LiveRequest& owner, int32_t segment_index, KvBlockPool& pool)
      : request(&owner),
        index(segment_index),
        cross_kv(pool, Attention::kCross) {}

  LiveRequest* request;
  int32_t index;  // in Request::segments
  State state = State::kEncoding;
  BlockTable cross_kv;
  // Empty before it is admitted; of a beam search the live beams, best first.
  std::vector<Sequence> sequences;
  std::unique_ptr<BeamSearch>
      beams;  // from its first step on; null: beam_size 1
  Utf8Rule::Controls source_controls;  // set at its first step
  int32_t num_sent = 0;                // tokens that the sink has been given
  MonotonicTime last_token =
      MonotonicTime::InfinitePast();  // when one was chosen
  int32_t reserved_self_blocks = 0;   // the most it can need; 0 unless admitted
  int32_t reserved_cross_blocks = 0;
};

// A request that has been submitted and has not ended.
//
// Invariant: sources [0, num_admitted) of the request have been admitted, in
// order; the others wait, and have no Segment yet.
struct LiveRequest {
  RequestId id = 0;
  Request request;
  // Admitted, in order; those that finished go when the next is admitted.
  std::list<Segment> segments;
  int32_t num_admitted = 0;
  int32_t num_running = 0;  // admitted and not finished
  int32_t num_finished = 0;

  MonotonicTime arrival;
  bool has_token = false;  // its first token is out
  bool was_cut = false;    // a segment ended with FinishReason::kLength
  FinishReason last_reason = FinishReason::kEos;

  int32_t num_segments() const {
    return static_cast<int32_t>(request.segments.size());
  }
  int64_t next_source_len() const {  // REQUIRES: one waits
    return static_cast<int64_t>(request.segments[num_admitted].size());
  }
  bool has_work() const { return num_finished < num_segments(); }
  bool has_ended() const { return !has_work() && !request.is_open; }
};

}  // namespace sheaf
