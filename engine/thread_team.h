#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace sheaf {

// The threads that compute a step together: the caller of Run() and
// size() - 1 workers that wait between the runs.
//
// A run is one function that every member executes, with barriers where one
// needs what another has written (single program, multiple data): so a step
// wakes the workers once, not once a GEMM. Who waits spins some microseconds,
// then yields, then parks: a barrier between members that run costs well below
// a microsecond, and a member that is off its core does not burn another.
//
// Beside a busy neighbour a team of all cores is slower than a smaller one: at
// every barrier all wait for the member whose core the neighbour has. So a team
// that finds itself waiting for most of a run shrinks at the next barrier: its
// last member has no further share of the work. It stays small for a while,
// longer each time that trying the full size fails again.
//
// Only one thread (the engine's) calls Run(), and runs do not nest.
class ThreadTeam {
 public:
  // What a member of a run knows: who it is, of how many. Both hold until the
  // next barrier: there the team may have shrunk. A member that is left out
  // goes on through the function with an index that is above every count, an
  // empty share, and barriers that do not wait.
  class Member {
   public:
    int32_t index() const { return index_ < count() ? index_ : kLeftOut; }
    int32_t count() const {
      return team_->count_.load(std::memory_order_relaxed);
    }

    // Returns when all members of the run have called it; what they wrote
    // before is visible after.
    void Barrier() const;

    // This member's share of `n` things in a row: [begin, end), balanced.
    struct Range {
      int64_t begin, end;
    };
    Range Share(int64_t n) const {
      const int32_t count = this->count();
      if (index_ >= count) return {n, n};
      return {n * index_ / count, n * (index_ + 1) / count};
    }

   private:
    friend class ThreadTeam;
    static constexpr int32_t kLeftOut = 1 << 30;
    Member(ThreadTeam* team, int32_t index) : team_(team), index_(index) {}
    ThreadTeam* team_;
    int32_t index_;
  };

  // REQUIRES: size >= 1.
  explicit ThreadTeam(int32_t size);
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;
  ~ThreadTeam();

  int32_t size() const { return size_; }

  // Every member calls `fn` with its own Member; returns when all have
  // returned. `fn` is called on the caller's thread with index 0.
  void Run(absl::FunctionRef<void(const Member&)> fn);

 private:
  using Clock = std::chrono::steady_clock;

  void WorkerLoop(int32_t index);
  bool ShouldShrink(int32_t count) const;
  void PlanSize(Clock::time_point now);
  void LearnFromRun();

  const int32_t size_;
  std::vector<std::thread> threads_;  // [size_ - 1]
  const absl::FunctionRef<void(const Member&)>* fn_ = nullptr;

  // Of the run under way.
  Clock::time_point run_begin_;
  int32_t first_count_ = 1;  // it began with so many members
  // Of the runs before it that it is judged with.
  Clock::duration judged_ = Clock::duration::zero();

  // What was learned: until `small_until_`, runs begin with `small_count_`.
  Clock::time_point small_until_;
  int32_t small_count_ = 1;
  Clock::duration patience_;  // how long to stay small

  // Each on its own cache line: the waiters read one while the others change.
  alignas(64) std::atomic<int32_t> run_{0};       // counts the runs begun
  alignas(64) std::atomic<int32_t> arrived_{0};   // at the current barrier
  alignas(64) std::atomic<int32_t> phase_{0};     // counts the barriers passed
  alignas(64) std::atomic<int32_t> count_{1};     // members of the run
  alignas(64) std::atomic<int32_t> finished_{0};  // workers done with the run
  // Time that members waited in these runs, where it was long; summed up.
  alignas(64) std::atomic<int64_t> waited_ns_{0};
  alignas(64) std::atomic<bool> is_stopping_{false};
};

// The number of processors in this process' affinity mask, but at most the CPU
// quota of its control group (base/cgroup.h), rounded up. `root` replaces "/"
// in tests.
int32_t NumUsableProcessors(const std::string& root = "/");

}  // namespace sheaf
