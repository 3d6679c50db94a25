// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace sheaf {

// The threads that compute a step together: the caller of Run() and size() - 1
// workers that wait between the runs.
//
// A run is one function that every member executes, with barriers where a
// member needs what another has written (single program, multiple data). So a
// step wakes the workers once, and not once per GEMM. A waiting member spins
// for a few microseconds, then yields, then parks. A barrier between running
// members costs well below a microsecond, and a member that waits for a
// descheduled one leaves its core to others.
//
// When another process keeps a core busy, a team of all cores is slower than a
// smaller one, because at every barrier all members wait for the one on that
// core. So a team that waits for most of a run shrinks at the next barrier, and
// its last member gets no more work. It stays small for a while, and for longer
// each time that the full size fails again.
//
// Only one thread at a time calls Run(), and the runs of a team do not nest. A
// team of one has no workers, so a member of a larger team may run it.
class ThreadTeam {
 public:
  // The index of a member of a run, and the number of members. Both are valid
  // until the next barrier, where the team may shrink. A member that is left
  // out continues through the function with an index above every count, an
  // empty share, and barriers that do not wait.
  class Member {
   public:
    int32_t index() const { return index_ < count() ? index_ : kLeftOut; }
    int32_t count() const {
      return team_->count_.load(std::memory_order_relaxed);
    }

    // Returns when all members of the run have called it. What they wrote
    // before the call is then visible.
    void Barrier() const;

    // This member's balanced share [begin, end) of `n` items.
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

  // The number of members with which the next run begins, if it begins now.
  int32_t NextCount() const { return CountAt(Clock::now()); }

  // Calls `fn` on every member with its own Member, and returns when all have
  // returned. The caller's thread is the member with index 0.
  void Run(absl::FunctionRef<void(const Member&)> fn);

 private:
  using Clock = std::chrono::steady_clock;

  void WorkerLoop(int32_t index);
  bool ShouldShrink(int32_t count) const;
  int32_t CountAt(Clock::time_point now) const {
    return now < small_until_ ? small_count_ : size_;
  }
  void LearnFromRun();

  const int32_t size_;
  std::vector<std::thread> threads_;  // [size_ - 1]
  const absl::FunctionRef<void(const Member&)>* fn_ = nullptr;

  Clock::time_point run_begin_;  // of the current run
  int32_t first_count_ = 1;      // members at the beginning of the current run
  // Total time of the earlier runs that are judged together with this one.
  Clock::duration judged_ = Clock::duration::zero();

  // Until `small_until_`, runs begin with `small_count_` members.
  Clock::time_point small_until_;
  int32_t small_count_ = 1;
  Clock::duration patience_;  // how long to stay small

  // Each is on its own cache line, because waiting members read one while
  // others change.
  alignas(64) std::atomic<int32_t> run_{0};       // number of runs begun
  alignas(64) std::atomic<int32_t> arrived_{0};   // at the current barrier
  alignas(64) std::atomic<int32_t> phase_{0};     // number of barriers passed
  alignas(64) std::atomic<int32_t> count_{1};     // members of the run
  alignas(64) std::atomic<int32_t> finished_{0};  // workers done with the run
  // Total time of the long waits of all members in the judged runs.
  alignas(64) std::atomic<int64_t> waited_ns_{0};
  alignas(64) std::atomic<bool> is_stopping_{false};
};

// The number of processors in this process' affinity mask, but at most the CPU
// quota of its control group (base/cgroup.h), rounded up. `root` replaces "/"
// in tests.
int32_t NumUsableProcessors(const std::string& root = "/");

}  // namespace sheaf
