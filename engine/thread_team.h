#pragma once

#include <atomic>
#include <cstdint>
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
// Only one thread (the engine's) calls Run(), and runs do not nest.
class ThreadTeam {
 public:
  // What a member of a run knows: who it is, of how many.
  class Member {
   public:
    int32_t index() const { return index_; }
    int32_t count() const { return count_; }

    // Returns when all members of the run have called it; what they wrote
    // before is visible after.
    void Barrier() const;

    // This member's share of `n` things in a row: [begin, end), balanced.
    struct Range {
      int64_t begin, end;
    };
    Range Share(int64_t n) const {
      return {n * index_ / count_, n * (index_ + 1) / count_};
    }

   private:
    friend class ThreadTeam;
    Member(ThreadTeam* team, int32_t index, int32_t count)
        : team_(team), index_(index), count_(count) {}
    ThreadTeam* team_;
    int32_t index_, count_;
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
  void WorkerLoop(int32_t index);

  const int32_t size_;
  std::vector<std::thread> threads_;  // [size_ - 1]
  const absl::FunctionRef<void(const Member&)>* fn_ = nullptr;
  // Each on its own cache line: the waiters read one while the others change.
  alignas(64) std::atomic<int32_t> run_{0};      // counts the runs begun
  alignas(64) std::atomic<int32_t> arrived_{0};  // at the current barrier
  alignas(64) std::atomic<int32_t> phase_{0};    // counts the barriers passed
  alignas(64) std::atomic<bool> is_stopping_{false};
};

// Processors this process may use: its affinity, and no more than its cgroup's
// CPU quota, rounded up.
int32_t NumUsableProcessors();

}  // namespace sheaf
