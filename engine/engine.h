#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"
#include "engine/kernels/kernels.h"
#include "engine/kv_block_pool.h"
#include "engine/model_runner.h"
#include "engine/request.h"
#include "engine/stats.h"
#include "engine/thread_team.h"
#include "engine/utf8_rule.h"

namespace sheaf {

struct EngineOptions {
  int32_t max_sequences = 64;        // in one decode step
  int32_t max_queue = 256;           // requests that wait for their first place
  int32_t max_encode_tokens = 2048;  // in one encoder pass
  // Which tokens are bytes; null: none is.
  std::shared_ptr<const Utf8Rule> utf8_rule;
  std::function<MonotonicTime()> now = MonotonicTime::Now;  // tests pass one
  // Called by the engine thread after every turn of its loop that changed
  // something. Must not block, and must not call the engine.
  std::function<void(const StepStats&)> on_step = [](const StepStats&) {};
};

// More segments for an open request.
struct Extension {
  TokenLists segments = {};
  // False: these segments, which may be none, are the last.
  bool is_open = false;
  // Replaces Request::stop.
  std::shared_ptr<const StopCondition> stop = nullptr;
};

// Continuous batching: runs all submitted requests together, one token of every
// running sequence a step. Requests join as soon as they are encoded and leave
// at their last token.
//
// Threads: the engine thread, started by the constructor, owns the scheduler,
// the KV block pool and the model runner. The public functions may be called
// from any thread; they hand over a command and return at once.
class Engine {
 public:
  // `runner` and `team` are not owned; both are the engine thread's until the
  // engine is destroyed. `kv_shape` is that of the runner's storage.
  Engine(EngineOptions options, const KvPoolShape& kv_shape,
         ModelRunner& runner, ThreadTeam& team,
         const kernels::Kernels& kernels);
  ~Engine();  // Ends what still runs with CANCELLED.
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Takes a request, or refuses it at once and makes no call to its sink:
  //   INVALID_ARGUMENT    it could not fit in an empty KV cache or batch
  //   RESOURCE_EXHAUSTED  max_queue requests wait already
  //   UNAVAILABLE         the engine drains
  absl::StatusOr<RequestId> Submit(Request request);

  // Adds segments to an open request, which continue its numbering. Does
  // nothing if the request has ended. No queue limit applies, because an
  // accepted request runs to its end.
  void Extend(RequestId id, Extension extension);

  // Ends a request with CANCELLED within one step. Nothing happens if it has
  // ended already.
  void Cancel(RequestId id);

  // From now on Submit() refuses; what was taken runs to its end.
  void Drain();

  // True once nothing runs and nothing waits; false if that has not come true
  // within `timeout`.
  bool WaitUntilIdle(absl::Duration timeout);

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace sheaf
