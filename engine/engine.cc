// SPDX-License-Identifier: Apache-2.0

#include "engine/engine.h"

#include <pthread.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/check.h"

namespace sheaf {

Engine::Engine(EngineOptions options, ThreadTeam& team,
               const kernels::Kernels& kernels,
               const std::vector<LaneOptions>& lanes)
    : options_(std::move(options)), decode_times_(lanes.size()) {
  SHEAF_CHECK(!lanes.empty());
  for (LaneOptions lane : lanes) {
    lane.on_left_queue = [this, index = lanes_.size()](RequestId id) {
      LeaveQueue(index, id);
    };
    lanes_.push_back(std::make_unique<Lane>(lane, team, kernels, options_.now));
    queues_.emplace_back(lane.max_queue);
  }
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "sheaf-engine");
}

Engine::~Engine() {
  {
    TimedMutexLock lock(&mutex_);
    is_stopping_ = true;
  }
  thread_.join();
}

absl::StatusOr<RequestHandle> Engine::Submit(LaneId lane, Request request) {
  SHEAF_CHECK(request.sink != nullptr && !request.start_tokens.empty());
  SHEAF_CHECK(request.is_open || !request.segments.empty());
  if (absl::Status fits = lanes_[lane]->CheckFits(request); !fits.ok()) {
    return fits;
  }
  const MonotonicTime now = options_.now();
  TimedMutexLock lock(&mutex_);
  if (is_draining_ || is_stopping_) {
    return absl::UnavailableError("the server is draining");
  }
  const absl::StatusOr<RequestId> loser =
      queues_[lane].Take(next_id_, request.caller, request.weight);
  if (!loser.ok()) return loser.status();
  if (*loser != QueuePlaces::kNoRequest) {
    commands_.push_back(EvictCommand{{lane, *loser}});
  }
  ++num_live_;
  const RequestHandle handle = {lane, next_id_++};
  commands_.push_back(SubmitCommand{handle, std::move(request), now});
  return handle;
}

void Engine::Extend(RequestHandle request, Extension extension) {
  Send(ExtendCommand{request, std::move(extension)});
}

int32_t Engine::MaxBeamSize(LaneId lane, int64_t source_len,
                            int32_t max_new_tokens) const {
  return lanes_[lane]->MaxBeamSize(source_len, max_new_tokens);
}

void Engine::Cancel(RequestHandle request) { Send(CancelCommand{request}); }

void Engine::Send(Command command) {
  TimedMutexLock lock(&mutex_);
  commands_.push_back(std::move(command));
}

void Engine::Drain() {
  TimedMutexLock lock(&mutex_);
  is_draining_ = true;
}

bool Engine::WaitUntilIdle(absl::Duration timeout) {
  TimedMutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(
      [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return num_live_ == 0; },
      timeout);
}

void Engine::Run() {
  while (TakeCommands()) {
    RunCommands();
    StepLanes();
  }
  RunCommands();
  for (size_t lane = 0; lane < lanes_.size(); ++lane) {
    lanes_[lane]->EndAll(absl::CancelledError("the server is stopping"));
    Report(lane);
  }
}

// Waits while no lane has work. Returns false if the engine is to stop; then
// the commands include every request that was accepted.
bool Engine::TakeCommands() {
  taken_.clear();
  TimedMutexLock lock(&mutex_);
  if (std::none_of(lanes_.begin(), lanes_.end(),
                   [](const auto& lane) { return lane->has_work(); })) {
    mutex_.AwaitWithTimeout(
        [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
          return is_stopping_ || !commands_.empty();
        },
        TimeToDeadline());
  }
  std::swap(taken_, commands_);
  return !is_stopping_;
}

// An open request that waits to be extended may pass its deadline while no lane
// has work.
absl::Duration Engine::TimeToDeadline() const {
  MonotonicTime first = MonotonicTime::InfiniteFuture();
  for (const auto& lane : lanes_) {
    first = std::min(first, lane->FirstDeadline());
  }
  return first - options_.now();
}

void Engine::RunCommands() {
  for (Command& command : taken_) {
    if (auto* submit = std::get_if<SubmitCommand>(&command)) {
      lanes_[submit->request.lane]->Add(
          submit->request.id, std::move(submit->content), submit->arrival);
    } else if (auto* extend = std::get_if<ExtendCommand>(&command)) {
      lanes_[extend->request.lane]->Extend(extend->request.id,
                                           std::move(extend->extension));
    } else if (auto* cancel = std::get_if<CancelCommand>(&command)) {
      lanes_[cancel->request.lane]->Cancel(cancel->request.id);
    } else {
      const RequestHandle request = std::get<EvictCommand>(command).request;
      lanes_[request.lane]->Evict(request.id);
    }
  }
}

// Gives every lane with work one turn.
void Engine::StepLanes() {
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = *lanes_[i];
    lane.ExpireDeadlines();
    decode_times_[i] = absl::ZeroDuration();
    if (lane.has_work()) {
      const absl::Duration others = std::accumulate(
          decode_times_.begin(), decode_times_.end(), absl::ZeroDuration());
      decode_times_[i] = lane.Step(others);
    }
    if (lane.has_changed()) Report(i);
  }
}

void Engine::LeaveQueue(size_t lane, RequestId id) {
  TimedMutexLock lock(&mutex_);
  queues_[lane].Leave(id);
}

// The engine is idle only after the clients have been told.
void Engine::Report(size_t lane) {
  const int32_t num_ended = lanes_[lane]->num_ended();
  lanes_[lane]->Report();
  if (num_ended == 0) return;
  TimedMutexLock lock(&mutex_);
  num_live_ -= num_ended;
}

}  // namespace sheaf
