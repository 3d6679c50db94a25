// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"
#include "base/timed_mutex.h"
#include "engine/kernels/kernels.h"
#include "engine/lane.h"
#include "engine/queue_places.h"
#include "engine/request.h"
#include "engine/thread_team.h"

namespace sheaf {

using LaneId = int32_t;  // index of a lane, in the order of the constructor

// Names a request that the engine has accepted.
struct RequestHandle {
  LaneId lane;
  RequestId id;
};

struct EngineOptions {
  std::function<MonotonicTime()> now = MonotonicTime::Now;  // tests pass one
};

// Continuous batching: runs all submitted requests of a model together, one
// token of every running sequence per step. Requests join as soon as they are
// encoded and leave at their last token. Each model has a lane; lanes with work
// take turns on the same thread team, and a turn is one step.
//
// Threads: the engine thread, started by the constructor, owns the lanes with
// their schedulers, KV block pools and model runners. The public functions may
// be called from any thread; they hand over a command and return at once.
class Engine {
 public:
  // `team`, `kernels` and the lanes' runners are not owned. Only the engine
  // thread may use the team and the runners until the engine is destroyed.
  // REQUIRES: there is a lane.
  Engine(EngineOptions options, ThreadTeam& team,
         const kernels::Kernels& kernels,
         const std::vector<LaneOptions>& lanes);
  ~Engine();  // Ends the requests that still run with CANCELLED.
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Accepts a request, or refuses it at once without a call to its sink:
  //   INVALID_ARGUMENT    it could not fit in an empty KV cache or batch
  //   RESOURCE_EXHAUSTED  max_queue requests of the lane already wait, and no
  //                       other caller has a larger part of the queue
  //   UNAVAILABLE         the engine drains
  // A request that waits for its first place may lose its place in the queue to
  // a later one of another caller (QueuePlaces); it ends with
  // RESOURCE_EXHAUSTED.
  absl::StatusOr<RequestHandle> Submit(LaneId lane, Request request);

  // Adds segments to an open request, which continue its numbering, while
  // earlier ones may still run. Does nothing if the request has ended. No queue
  // limit applies, because an accepted request runs to its end.
  // REQUIRES: no Extend() has closed the request. Every segment has at most
  // max_segment_tokens tokens, or the extension has sampling params whose
  // beam_size is at most MaxBeamSize() of it. An extension that could not run
  // ends the request with INTERNAL.
  void Extend(RequestHandle request, Extension extension);

  // The maximum beam_size, at most kMaxBeamSize, that an extension may have for
  // a source of this length; 0: the source may not fit at all.
  int32_t MaxBeamSize(LaneId lane, int64_t source_len,
                      int32_t max_new_tokens) const;

  // Ends a request with CANCELLED within one step of each lane. Does nothing if
  // it has ended already.
  void Cancel(RequestHandle request);

  // From now on Submit() refuses; accepted requests run to their end.
  void Drain();

  // True once no request runs or waits in any lane; false if that has not come
  // true within `timeout`.
  bool WaitUntilIdle(absl::Duration timeout);

 private:
  struct SubmitCommand {
    RequestHandle request;
    Request content;
    MonotonicTime arrival;
  };
  struct ExtendCommand {
    RequestHandle request;
    Extension extension;
  };
  struct CancelCommand {
    RequestHandle request;
  };
  struct EvictCommand {  // does nothing if the request no longer waits
    RequestHandle request;
  };
  using Command =
      std::variant<SubmitCommand, ExtendCommand, CancelCommand, EvictCommand>;

  void Send(Command command);

  // Called on the engine thread.
  void Run();
  bool TakeCommands();
  absl::Duration TimeToDeadline() const;
  void RunCommands();
  void StepLanes();
  void LeaveQueue(size_t lane, RequestId id);
  void Report(size_t lane);

  const EngineOptions options_;
  // Used by the engine thread only, except for Lane::CheckFits() and
  // Lane::MaxBeamSize().
  std::vector<std::unique_ptr<Lane>> lanes_;

  TimedMutex mutex_;
  std::vector<Command> commands_ ABSL_GUARDED_BY(mutex_);
  RequestId next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::vector<QueuePlaces> queues_ ABSL_GUARDED_BY(mutex_);  // by lane
  int32_t num_live_ ABSL_GUARDED_BY(mutex_) = 0;             // requests
  bool is_draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;

  // Used by the engine thread only; reused, so that a step allocates nothing.
  std::vector<Command> taken_;
  std::vector<absl::Duration> decode_times_;  // of each lane's last turn

  std::thread thread_;  // last, because it uses all of the above
};

}  // namespace sheaf
