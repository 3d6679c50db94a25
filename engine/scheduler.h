#pragma once

#include <cstdint>
#include <list>
#include <vector>

#include "absl/status/status.h"
#include "base/monotonic_time.h"
#include "engine/beam_search.h"
#include "engine/kv_block_pool.h"
#include "engine/model_runner.h"
#include "engine/request.h"
#include "engine/sequence.h"
#include "engine/stats.h"

namespace sheaf {

// Whom a step may admit, by what the encoder is doing.
struct Admission {
  // Source tokens of the pass that begins (unless it overtakes, a single source
  // may be longer); 0: nobody.
  int32_t max_encode_tokens = 0;
  // A long pass is under way, and what fits in this short one overtakes it and
  // the long sources that wait for it to end.
  bool is_overtaking = false;
};

// Who is worked on in the next step. Valid until the next call.
struct StepPlan {
  std::vector<Segment*> encode;  // newly admitted: a new encoder pass
  std::vector<Segment*> decode;  // every sequence of these, one token each
};

// Decides which segments are admitted, encoded and decoded: continuous
// batching's bookkeeping.
//
// A waiting segment is admitted when its sequences find a place in the batch
// and the KV cache can hold all it may come to need: cross K/V of its source,
// self K/V of max_new_tokens for each of its sequences. Beams may all differ
// from the first chosen token on, so what they surely share is the full blocks
// of the start tokens alone: those count once. So whatever is
// admitted runs to its end, and nothing is ever preempted. The next one
// admitted is the first waiting segment of the request with the fewest running
// segments, the oldest request among equals: a document of a thousand segments
// fills an idle server and does not keep a short request waiting. If that one
// does not fit, none is admitted: nothing takes the place that it needs, so it
// cannot starve. Short sources that overtake a long pass leave room for it too.
//
// Invariants; CheckConsistency() verifies the first three:
//   1. Blocks are reserved for exactly the admitted, unfinished segments, and
//      their sum is at most the pool's size.
//   2. A segment holds no more blocks than it has reserved; one that is not
//      admitted, or has finished, holds none.
//   3. The running sequences are at most max_sequences.
//   4. If any segment waits and none runs, PlanStep() admits one, unless it
//      may admit nobody.
//
// Pure bookkeeping: no clock, no thread, no model, no I/O. Not thread-safe: the
// engine thread owns it.
class Scheduler {
 public:
  // At most `max_sequences` decode at the same time.
  Scheduler(int32_t max_sequences, KvBlockPool& pool)
      : max_sequences_(max_sequences), pool_(&pool) {}
  ~Scheduler();  // Forgets what is left and gives its blocks back.

  // INVALID_ARGUMENT, with the figures, if `request` could not run on an idle
  // engine. Add() requires that it can. From any thread.
  static absl::Status CheckFits(const Request& request, int32_t max_sequences,
                                const KvPoolShape& kv_shape);

  // Queues the segments of a request. Returns where it lives until Remove().
  LiveRequest& Add(RequestId id, Request request, MonotonicTime arrival);

  // Queues more segments of an open request.
  void Extend(LiveRequest& request, const TokenLists& segments);

  // Whether a segment waits or runs. False with requests left: all are open.
  bool has_work() const;

  // Admits what fits and lists the step's work.
  const StepPlan& PlanStep(const Admission& admission);

  // The segment's cross K/V are there: from now on it decodes.
  void FinishEncode(Segment& segment);

  // The segment's live beams become those that `steps` name, in their order,
  // each with its token. A parent's last child takes the parent's blocks as
  // they are; its other children share the full ones and get a block of their
  // own for the rest, which is added to `copies`. REQUIRES: all tokens are
  // computed.
  void Fork(Segment& segment, absl::Span<const BeamStep> steps,
            std::vector<BlockCopy>& copies);

  // Gives the segment's blocks and places back.
  void FinishSegment(Segment& segment);

  // Forgets a request, finished or not; its blocks are free.
  void Remove(LiveRequest& request);

  // In order of arrival.
  std::list<LiveRequest>& requests() { return requests_; }
  const std::list<LiveRequest>& requests() const { return requests_; }
  LiveRequest* Find(RequestId id);  // null: has ended, or never was

  // Fills what the scheduler knows: all of EngineGauges.
  EngineGauges gauges() const;

  void CheckConsistency() const;  // O(everything): for tests.

 private:
  struct Need {
    int32_t self_blocks, cross_blocks, sequences;
    int32_t blocks() const { return self_blocks + cross_blocks; }
    Need operator+(const Need& other) const {
      return {self_blocks + other.self_blocks,
              cross_blocks + other.cross_blocks, sequences + other.sequences};
    }
  };
  static Need NeedOf(const Request& request, int64_t source_len,
                     const KvPoolShape& kv_shape);
  // The next one with a source of at most `max_tokens`.
  LiveRequest* NextToAdmit(int64_t max_tokens);
  Need NeedOfNext(const LiveRequest& request) const;
  bool Fits(const Need& need) const;
  void Admit(LiveRequest& request);
  void AddSequence(Segment& segment, std::vector<Sequence>& sequences);
  void ShareHistory(const Sequence& parent, Sequence& child,
                    std::vector<BlockCopy>& copies);
  void Release(Segment& segment);

  const int32_t max_sequences_;
  KvBlockPool* pool_;  // not owned
  std::list<LiveRequest> requests_;
  std::vector<Segment*> running_;  // admitted, in order of admission
  int32_t reserved_self_blocks_ = 0;
  int32_t reserved_cross_blocks_ = 0;
  int32_t num_sequences_ = 0;
  StepPlan plan_;
  // Of Fork(), reused from call to call.
  std::vector<int32_t> num_children_;  // by parent, that are yet to come
  std::vector<Sequence> spare_;        // beams that nobody goes on from
  std::vector<Sequence> next_;
};

}  // namespace sheaf
