// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <list>
#include <vector>

#include "absl/status/status.h"
#include "base/monotonic_time.h"
#include "engine/beam_search.h"
#include "engine/caller_shares.h"
#include "engine/kv_block_pool.h"
#include "engine/model_runner.h"
#include "engine/request.h"
#include "engine/sequence.h"
#include "engine/stats.h"

namespace sheaf {

// The segments that a step may admit, given the state of the encoder.
struct Admission {
  // Maximum number of source tokens of the new pass, except that a main pass
  // may consist of one longer source. 0: the step may admit nothing.
  int32_t max_encode_tokens = 0;
  // A long pass is under way. The new pass overtakes it, and also the sources
  // that wait and are too long for the new pass.
  bool is_overtaking = false;
};

// The work of the next step. Valid until the next call.
struct StepPlan {
  std::vector<Segment*> encode;  // newly admitted; they form a new pass
  std::vector<Segment*> decode;  // each of their sequences gets one token
};

// Decides which segments are admitted, encoded and decoded; the bookkeeping of
// continuous batching.
//
// A waiting segment is admitted when the batch has a place for its sequences
// and the KV cache has room for the maximum that it can need: cross K/V of its
// source, and self K/V of max_new_tokens for each of its sequences. Beams may
// differ from the first chosen token on, so only the full blocks of the start
// tokens are certainly shared and count once. An admitted segment therefore
// runs to its end, and nothing is ever preempted.
//
// The next candidate is chosen by caller first (CallerShares): the caller that
// is due first, then its request with the fewest running segments, and of these
// the oldest. Callers that are always busy thus get equal parts of the server,
// by weight and cost. Within a caller, a document of a thousand segments fills
// an idle server, but does not keep a short request waiting.
//
// Nothing is preempted, so something is kept free for callers that come later.
// While several callers are known (CallerShares::has_several()), a caller that
// already holds something is admitted only if that leaves free, of sequences
// and of blocks, one for every kHeldPerFree that it then holds, rounded down.
// One busy caller can thus hold seven eighths. A caller that holds nothing may
// take all that is free.
//
// If the candidate must wait, nothing is admitted. So no caller starves: while
// its segment is the candidate, others end, and its own end too, after which it
// needs to leave nothing free. Callers that come later do not keep it from
// becoming the candidate, because the time at which they are due grows with all
// that is served. Short sources that overtake a long pass leave room for the
// candidate, too.
//
// Invariants; CheckConsistency() verifies the first four:
//   1. Blocks are reserved for exactly the admitted, unfinished segments, and
//      their sum is at most the pool's size.
//   2. A segment holds no more blocks than it has reserved; one that is not
//      admitted, or has finished, holds none.
//   3. The running sequences are at most max_sequences.
//   4. The accounts of the callers are the sums over their requests, and every
//      caller in them has a request.
//   5. If a segment waits and none runs, PlanStep() admits one, unless the
//      Admission allows nothing.
//
// Pure bookkeeping: no clock, no thread, no model, no I/O. Not thread-safe; a
// lane owns it.
class Scheduler {
 public:
  static constexpr int32_t kHeldPerFree = 7;

  // At most `max_sequences` sequences decode at the same time. `pool` is not
  // owned.
  Scheduler(int32_t max_sequences, KvBlockPool& pool)
      : max_sequences_(max_sequences), pool_(&pool) {}
  ~Scheduler();  // Removes the remaining requests.

  // INVALID_ARGUMENT, with the numbers, if `request` could not run on an idle
  // engine. Callable from any thread.
  static absl::Status CheckFits(const Request& request, int32_t max_sequences,
                                const KvPoolShape& kv_shape);

  // The same for the segments that an extension adds to `request`.
  absl::Status CheckFits(const LiveRequest& request,
                         const Extension& extension) const;

  // The maximum beam_size, at most kMaxBeamSize, with which a source of
  // `source_len` tokens surely fits an idle engine; 0: it may not fit at all.
  // Callable from any thread.
  static int32_t MaxBeamSize(int64_t source_len, int32_t max_new_tokens,
                             int32_t max_sequences,
                             const KvPoolShape& kv_shape);

  // Queues the segments of a request. The result is valid until Remove().
  // REQUIRES: CheckFits() is OK.
  LiveRequest& Add(RequestId id, Request request, MonotonicTime arrival);

  // Queues more segments of an open request. REQUIRES: CheckFits() is OK.
  void Extend(LiveRequest& request, Extension extension);

  // Whether a segment waits or runs. If this is false, all remaining requests
  // are open.
  bool has_work() const;

  // Admits the segments that fit, and lists the work of the step.
  const StepPlan& PlanStep(const Admission& admission);

  // The cross K/V of the segment are complete. It decodes from the planned step
  // on, which gets one more segment.
  void FinishEncode(Segment& segment);

  // Replaces the live beams of the segment by those of `steps`, in this order,
  // each with its token. The last child of a parent takes over its blocks. The
  // other children share the full blocks and get their own block for the rest,
  // which is added to `copies`. REQUIRES: all tokens are computed.
  void Fork(Segment& segment, absl::Span<const BeamStep> steps,
            std::vector<BlockCopy>& copies);

  // Releases the blocks and places of the segment.
  void FinishSegment(Segment& segment);

  // Removes a request, finished or not, and frees its blocks.
  void Remove(LiveRequest& request);

  // In order of arrival.
  std::list<LiveRequest>& requests() { return requests_; }
  const std::list<LiveRequest>& requests() const { return requests_; }
  LiveRequest* Find(RequestId id);  // null: it has ended or never existed

  EngineGauges gauges() const;

  const CallerShares& callers() const { return callers_; }

  void CheckConsistency() const;  // O(everything); for tests

 private:
  struct Need {
    int32_t self_blocks, cross_blocks, sequences;
    int32_t blocks() const { return self_blocks + cross_blocks; }
    Need operator+(const Need& other) const {
      return {self_blocks + other.self_blocks,
              cross_blocks + other.cross_blocks, sequences + other.sequences};
    }
  };
  static Need NeedOf(const SamplingParams& sampling, size_t num_start_tokens,
                     int64_t source_len, const KvPoolShape& kv_shape);
  static absl::Status CheckFits(const SamplingParams& sampling,
                                size_t num_start_tokens, int64_t source_len,
                                int32_t max_sequences,
                                const KvPoolShape& kv_shape);
  // The request whose next segment is to be admitted, of those whose next
  // source has at most `max_tokens`; null: none.
  LiveRequest* NextToAdmit(int64_t max_tokens);
  Need NeedOfNext(const LiveRequest& request) const;
  bool Fits(const Need& need) const;
  // Whether the next segment fits and leaves free what its caller must.
  bool MayAdmit(const LiveRequest& request) const;
  void Admit(LiveRequest& request);
  void AddSequence(Segment& segment, std::vector<Sequence>& sequences);
  void ShareHistory(const Sequence& parent, Sequence& child,
                    std::vector<BlockCopy>& copies);
  void PlanDecode(Segment& segment);
  void Release(Segment& segment);
  void CheckCallers() const;

  const int32_t max_sequences_;
  KvBlockPool* pool_;  // not owned
  CallerShares callers_;
  std::list<LiveRequest> requests_;
  std::vector<Segment*> running_;  // admitted, in order of admission
  int32_t reserved_self_blocks_ = 0;
  int32_t reserved_cross_blocks_ = 0;
  int32_t num_sequences_ = 0;
  StepPlan plan_;
  // Scratch for Fork(), reused between calls.
  std::vector<int32_t> num_children_;  // by parent; those that are left
  std::vector<Sequence> spare_;        // beams without a child
  std::vector<Sequence> next_;
};

}  // namespace sheaf
