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

// Reads long texts, and the summaries of their parts, away from gRPC's threads,
// which are few and serve all calls and health checks. A text of a megabyte
// takes a second.
//
// Several texts are under way at a time, each on a thread of its own, but only
// one of these threads works: they pass the turn on in slices of a few
// milliseconds. So reading takes one processor at most, and no text waits until
// a longer one is read.
//   - A text waits for its caller's turn (FairQueue), and until its caller has
//     no other text under way. Short texts and long ones wait apart.
//   - Long ones also wait until those under way leave them memory.
//   - Short ones have kShortTurns of kShortTurns + 1 turns. One that took
//     kShortTime has turns as a long one has.
//
// Thread-safe.
class FairExecutor {
 public:
  using Ticket = uint64_t;
  struct Text {
    std::string caller;
    size_t bytes = 0;
    std::function<void()> read;  // calls Yield() every few milliseconds
  };

  struct Options {
    int32_t max_waiting = 256;
    // The maximum of all long texts under way, unless one alone has more.
    size_t max_long_bytes = size_t{4} << 20;
  };

  explicit FairExecutor(const Options& options);
  ~FairExecutor();  // Reads what was taken, then ends.
  FairExecutor(const FairExecutor&) = delete;
  FairExecutor& operator=(const FairExecutor&) = delete;

  // Nothing, and the text will not be read, if max_waiting wait already.
  [[nodiscard]] std::optional<Ticket> TryRun(Text text);

  // The same for a text that belongs to a request which was taken already:
  // never refused.
  void Run(Text text);

  // The `read` of a text that waits, which waits no longer; null if it is, or
  // was, under way.
  std::function<void()> Withdraw(Ticket ticket);

  // Called by `read`: returns when it is this text's turn again, often at once.
  // Returns at once on any other thread.
  void Yield();

 private:
  using Clock = std::chrono::steady_clock;

  // A text under way.
  struct Turn {
    bool is_short = false;
    bool is_mine = false;
    Clock::time_point begin;                     // of this slice
    Clock::duration taken = Clock::duration(0);  // by the slices before it
  };
  // The texts of one kind that wait, and the callers of those under way.
  struct Lane {
    FairQueue<Text> waiting;
    absl::flat_hash_set<std::string> busy;
    size_t bytes_under_way = 0;
  };

  Ticket Push(Text text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Loop(Lane& lane);
  bool HasNext(const Lane& lane) const;
  // The next text of a lane, once it is its turn; nothing at the end.
  std::optional<Text> Begin(Lane& lane, Turn& turn);
  void End(Lane& lane, const Text& text);
  void AwaitTurn(Turn& turn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PassTurn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  static thread_local Turn* this_turn_;  // null: not a thread of this class

  const Options options_;
  absl::Mutex mu_;
  Lane short_ ABSL_GUARDED_BY(mu_);
  Lane long_ ABSL_GUARDED_BY(mu_);
  // Texts under way that wait for their turn, next first.
  std::deque<Turn*> short_turns_ ABSL_GUARDED_BY(mu_);
  std::deque<Turn*> long_turns_ ABSL_GUARDED_BY(mu_);
  bool is_turn_taken_ ABSL_GUARDED_BY(mu_) = false;
  // Turns of short texts since a long one had one.
  int32_t num_short_in_a_row_ ABSL_GUARDED_BY(mu_) = 0;
  Ticket next_ticket_ ABSL_GUARDED_BY(mu_) = 1;
  bool is_stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace sheaf
