// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"
#include "engine/decode_step.h"
#include "engine/encode_pacer.h"
#include "engine/kernels/kernels.h"
#include "engine/kv_block_pool.h"
#include "engine/model_runner.h"
#include "engine/request.h"
#include "engine/scheduler.h"
#include "engine/stats.h"
#include "engine/thread_team.h"
#include "engine/utf8_rule.h"

namespace sheaf {

struct LaneOptions {
  ModelRunner* runner = nullptr;  // not owned
  KvPoolShape kv_shape = {};      // of the runner's storage
  int32_t max_queue = 256;        // requests that wait for their first place
  // The tokens that are bytes; null: there are none.
  std::shared_ptr<const Utf8Rule> utf8_rule = nullptr;
  // Called by the engine thread after every step of the lane, and after every
  // other change. Must not block, and must not call the engine.
  std::function<void(const StepStats&)> on_step = [](const StepStats&) {};
  // Called by the engine thread when a request is admitted for the first time,
  // or ends before. Set by the engine.
  std::function<void(RequestId)> on_left_queue = [](RequestId) {};
};

// One model's part of the engine: its scheduler, block pool, encoder passes and
// decode step. A step encodes a slice of new sources and decodes one token for
// every running sequence.
//
// Has no thread and no lock: the engine thread owns it.
class Lane {
 public:
  // `team` and `kernels` are not owned. `now` is the clock.
  Lane(const LaneOptions& options, ThreadTeam& team,
       const kernels::Kernels& kernels, std::function<MonotonicTime()> now);
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // INVALID_ARGUMENT if the request could not run on an idle lane. Callable
  // from any thread.
  absl::Status CheckFits(const Request& request) const;

  // Scheduler::MaxBeamSize() of this lane. Callable from any thread.
  int32_t MaxBeamSize(int64_t source_len, int32_t max_new_tokens) const;

  // REQUIRES: CheckFits(request), and no other request has this id.
  void Add(RequestId id, Request request, MonotonicTime arrival);

  // These do nothing if the request has ended. An extension that could not run
  // on an idle lane ends the request with INTERNAL.
  void Extend(RequestId id, Extension extension);
  void Cancel(RequestId id);

  // Ends the request with RESOURCE_EXHAUSTED if it waits for its first place;
  // another caller needs its place in the queue.
  void Evict(RequestId id);

  // Ends the requests whose deadline has passed with DEADLINE_EXCEEDED.
  void ExpireDeadlines();
  // The earliest deadline of any request.
  MonotonicTime FirstDeadline() const;

  // Ends all requests with this error.
  void EndAll(const absl::Status& status);

  // Whether Step() has anything to do. If this is false, all remaining requests
  // are open and wait to be extended.
  bool has_work() const { return scheduler_.has_work(); }

  // Plans a step, encodes a slice and decodes. Returns the duration of the
  // decode, or 0 if no sequence decodes. `others_decode_time` is the sum of
  // what the last steps of the other lanes returned. It counts for the size of
  // the slice, because the slice delays the sequences of all lanes.
  absl::Duration Step(absl::Duration others_decode_time);

  // Changes since the last Report().
  bool has_changed() const { return has_changed_; }
  int32_t num_ended() const { return static_cast<int32_t>(ended_.size()); }

  // Publishes the figures, then tells the sinks of the requests that ended, so
  // that a caller that learns of an end finds it in the figures.
  void Report();

 private:
  struct Ended {
    TokenSink* sink;
    absl::Status status;
  };
  // The segments of an encoder pass, in the order of its entries; null:
  // dropped.
  using PassSegments = std::vector<Segment*>;

  void BeginEncode(EncodePass pass, const std::vector<Segment*>& segments);
  void AdvanceEncode(std::optional<absl::Duration> decode_time);
  void DropFromPasses(const LiveRequest& live);
  void End(LiveRequest& live, const absl::Status& status);
  void EndListed(const absl::Status& status);

  PassSegments& segments_of(EncodePass pass) {
    return pass_segments_[static_cast<int>(pass)];
  }

  ModelRunner& runner_;
  const RunnerLimits limits_;
  const std::function<MonotonicTime()> now_;
  const std::function<void(const StepStats&)> on_step_;
  const std::function<void(RequestId)> on_left_queue_;
  const std::shared_ptr<const Utf8Rule> utf8_rule_;
  const int32_t max_queue_;

  KvBlockPool pool_;
  Scheduler scheduler_;
  EncodePacer pacer_;
  absl::Duration last_decode_time_;  // 0: not known

  // Reused between steps, so that a step allocates nothing.
  PassSegments pass_segments_[kNumEncodePasses];
  std::vector<EncodeEntry> encode_entries_;
  std::vector<LiveRequest*> to_end_;
  StepStats stats_;
  std::vector<Ended> ended_;  // since the last Report()
  bool has_changed_ = false;

  DecodeStep decode_step_;  // uses the members above
};

}  // namespace sheaf
