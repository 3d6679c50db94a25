// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "server/fair_queue.h"

namespace sheaf {

// Reads long texts, and the summaries of their parts, on threads of its own,
// because the transport's threads are few and serve all calls and health
// checks. A text of a megabyte takes a second.
//
// Several texts are being read at a time, each on its own thread, but only one
// of these threads works. They pass the turn on in slices of a few
// milliseconds, so reading takes one processor at most, and no text waits until
// a longer one is read.
//   - A text waits for its caller's turn (FairQueue), and until its caller has
//     no other text being read. Short and long texts wait in separate queues.
//   - Long texts also wait until those being read leave them memory.
//   - Short texts get kShortTurns of kShortTurns + 1 turns. A text that has
//     taken kShortTime gets the turns of a long one.
//
// Thread-safe.
class FairExecutor {
 public:
  using Ticket = uint64_t;
  struct Text {
    std::string caller;
    size_t bytes = 0;
    std::function<void()> read;  // calls Yield() every few milliseconds
    // Called instead, if the text loses its place. Null: it never does.
    std::function<void()> refuse = nullptr;
  };

  struct Options {
    int32_t max_waiting = 256;
    // The maximum of all long texts being read, unless one alone has more.
    size_t max_long_bytes = size_t{4} << 20;
  };

  explicit FairExecutor(const Options& options);
  ~FairExecutor();  // Reads all texts that it accepted, then ends.
  FairExecutor(const FairExecutor&) = delete;
  FairExecutor& operator=(const FairExecutor&) = delete;

  // Returns nullopt, and does not read the text, if max_waiting texts wait. But
  // if another caller has more of them, its newest loses its place to this one.
  [[nodiscard]] std::optional<Ticket> TryRun(Text text);

  // The same for a text of a request that was accepted before: never refused.
  void Run(Text text);

  // Removes a waiting text and returns its `read`. Returns null if reading has
  // begun.
  std::function<void()> Withdraw(Ticket ticket);

  // Called by `read`. Returns when it is this text's turn again, often at once.
  // On any other thread it returns at once.
  void Yield();

 private:
  using Clock = std::chrono::steady_clock;

  // A text that is being read.
  struct Turn {
    bool is_short = false;
    bool is_mine = false;
    Clock::time_point begin;                     // of this slice
    Clock::duration taken = Clock::duration(0);  // by the slices before it
  };
  // The waiting texts of one kind, and the callers of those being read.
  struct Lane {
    FairQueue<Text> waiting;
    absl::flat_hash_set<std::string> busy;
    size_t bytes_under_way = 0;
  };

  std::optional<Text> TakeFor(const std::string& caller)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Ticket Push(Text text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Loop(Lane& lane);
  bool HasNext(const Lane& lane) const;
  // Returns the lane's next text once it is its turn; nullopt at the end.
  std::optional<Text> Begin(Lane& lane, Turn& turn);
  void End(Lane& lane, const Text& text);
  void AwaitTurn(Turn& turn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PassTurn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  static thread_local Turn* this_turn_;  // null: not a thread of this class

  const Options options_;
  absl::Mutex mu_;
  Lane short_ ABSL_GUARDED_BY(mu_);
  Lane long_ ABSL_GUARDED_BY(mu_);
  // Texts being read that wait for their turn, next first.
  std::deque<Turn*> short_turns_ ABSL_GUARDED_BY(mu_);
  std::deque<Turn*> long_turns_ ABSL_GUARDED_BY(mu_);
  bool is_turn_taken_ ABSL_GUARDED_BY(mu_) = false;
  // Turns of short texts since the last turn of a long one.
  int32_t num_short_in_a_row_ ABSL_GUARDED_BY(mu_) = 0;
  Ticket next_ticket_ ABSL_GUARDED_BY(mu_) = 1;
  bool is_stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace sheaf
