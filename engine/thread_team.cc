// SPDX-License-Identifier: Apache-2.0

#include "engine/thread_team.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cmath>

#include "base/cgroup.h"
#include "base/check.h"

namespace sheaf {
namespace {

// How long a waiting member spins and yields before it parks. Yielding costs
// only power, because another process that needs the core gets it. A parked
// thread takes ten microseconds to wake up, in a virtual machine often a
// millisecond, because the host has given its core away.
constexpr int kSpins = 1000;
constexpr auto kYielding = std::chrono::milliseconds(1);

// A team is judged by runs that together take this long. A worker that wakes
// from a long sleep can be five milliseconds late in a virtual machine, which
// is no reason to shrink.
constexpr auto kLeastJudged = std::chrono::milliseconds(8);
constexpr auto kMostJudged = std::chrono::milliseconds(12);
// How long a team stays small before it tries its full size again.
constexpr auto kLeastPatience = std::chrono::milliseconds(20);
constexpr auto kMostPatience = std::chrono::seconds(2);

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Returns when `value` is no longer `old`. True: the wait was longer than the
// spinning.
bool WaitWhile(const std::atomic<int32_t>& value, int32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return false;
    Pause();
  }
  const auto end = std::chrono::steady_clock::now() + kYielding;
  while (std::chrono::steady_clock::now() < end) {
    if (value.load(std::memory_order_acquire) != old) return true;
    sched_yield();
  }
  value.wait(old, std::memory_order_acquire);
  return true;
}

int64_t Nanoseconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

}  // namespace

void ThreadTeam::Member::Barrier() const {
  const int32_t count = this->count();
  if (count == 1 || index_ >= count) return;
  ThreadTeam& team = *team_;
  const int32_t phase = team.phase_.load(std::memory_order_relaxed);
  if (team.arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) {
    team.arrived_.store(0, std::memory_order_relaxed);
    // All other members wait here, so none is in the middle of a share.
    if (team.ShouldShrink(count)) {
      team.count_.store(count - 1, std::memory_order_relaxed);
    }
    // Atomic integers wrap around, which happens here within days.
    team.phase_.fetch_add(1, std::memory_order_release);
    team.phase_.notify_all();
    return;
  }
  const Clock::time_point begin = Clock::now();
  if (WaitWhile(team.phase_, phase)) {
    team.waited_ns_.fetch_add(Nanoseconds(Clock::now() - begin),
                              std::memory_order_relaxed);
  }
}

ThreadTeam::ThreadTeam(int32_t size)
    : size_(size), patience_(kLeastPatience), open_parts_(size) {
  SHEAF_CHECK(size >= 1);
  for (int32_t index = 1; index < size; ++index) {
    threads_.emplace_back([this, index] { WorkerLoop(index); });
    pthread_setname_np(threads_.back().native_handle(), "sheaf-worker");
  }
}

ThreadTeam::~ThreadTeam() {
  is_stopping_.store(true, std::memory_order_relaxed);
  run_.store(NextRun(/*has_parts=*/false), std::memory_order_release);
  run_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

// With one member fewer, a run takes count / (count - 1) times as long as its
// members compute. This equals the present time T when the members wait for
// T / count on average, that is for T together. The limit is a fifth lower,
// because a member that was off its core neither computed nor waited.
bool ThreadTeam::ShouldShrink(int32_t count) const {
  const int64_t waited_ns = waited_ns_.load(std::memory_order_relaxed);
  if (waited_ns == 0) return false;
  const Clock::duration elapsed = judged_ + (Clock::now() - run_begin_);
  return elapsed > kLeastJudged && count > 1 &&
         5 * waited_ns > 4 * Nanoseconds(elapsed);
}

void ThreadTeam::LearnFromRun() {
  const int32_t count = count_.load(std::memory_order_relaxed);
  const Clock::time_point now = Clock::now();
  judged_ += now - run_begin_;
  const bool has_shrunk = count < first_count_;
  if (!has_shrunk && judged_ < kMostJudged) return;
  if (has_shrunk) {
    small_count_ = count;
    small_until_ = now + patience_;
    patience_ = std::min<Clock::duration>(2 * patience_, kMostPatience);
  } else if (count == size_) {
    patience_ = std::max<Clock::duration>(patience_ / 2, kLeastPatience);
  }
  judged_ = Clock::duration::zero();
  waited_ns_.store(0, std::memory_order_relaxed);
}

void ThreadTeam::Run(absl::FunctionRef<void(const Member&)> fn) {
  run_begin_ = Clock::now();
  first_count_ = CountAt(run_begin_);
  count_.store(first_count_, std::memory_order_relaxed);
  const Member caller(this, /*index=*/0);
  if (first_count_ == 1) {
    fn(caller);
    return;
  }
  fn_ = &fn;
  finished_.store(0, std::memory_order_relaxed);
  run_.store(NextRun(/*has_parts=*/false), std::memory_order_release);
  run_.notify_all();
  fn(caller);
  for (int32_t n;
       (n = finished_.load(std::memory_order_acquire)) < size_ - 1;) {
    WaitWhile(finished_, n);
  }
  LearnFromRun();
}

int32_t ThreadTeam::NextRun(bool has_parts) const {
  // Unsigned, because the numbers wrap around within weeks.
  const uint32_t last =
      static_cast<uint32_t>(run_.load(std::memory_order_relaxed));
  const uint32_t parity = has_parts ? 1 : 0;
  return static_cast<int32_t>(last + (last % 2 == parity ? 2 : 1));
}

void ThreadTeam::RunParts(int32_t num_parts,
                          absl::FunctionRef<void(int32_t, int32_t)> fn) {
  SHEAF_CHECK(num_parts <= size_);
  if (num_parts == 1) return fn(/*part=*/0, /*member=*/0);
  const int32_t run = NextRun(/*has_parts=*/true);
  part_fn_ = &fn;
  parts_done_.store(0, std::memory_order_relaxed);
  for (int32_t part = 0; part < num_parts; ++part) {
    // A late worker of an earlier run may read it now.
    open_parts_[part].store(run, std::memory_order_release);
  }
  run_.store(run, std::memory_order_release);
  run_.notify_all();
  TakeParts(run, /*member=*/0);
  for (int32_t n;
       (n = parts_done_.load(std::memory_order_acquire)) < num_parts;) {
    WaitWhile(parts_done_, n);
  }
}

// The member's own part comes first, because its cache may have what the part
// reads.
void ThreadTeam::TakeParts(int32_t run, int32_t member) {
  for (int32_t i = 0; i < size_; ++i) {
    const int32_t part = (member + i) % size_;
    int32_t expected = run;
    if (open_parts_[part].load(std::memory_order_relaxed) != run ||
        !open_parts_[part].compare_exchange_strong(expected, kTaken,
                                                   std::memory_order_acq_rel)) {
      continue;
    }
    (*part_fn_)(part, member);
    parts_done_.fetch_add(1, std::memory_order_acq_rel);
    if (member != 0) parts_done_.notify_one();
  }
}

void ThreadTeam::WorkerLoop(int32_t index) {
  for (int32_t run = 0;;) {
    WaitWhile(run_, run);
    // No run of all members is missed, because the next one begins only after
    // this worker has finished. A run with parts may be over.
    run = run_.load(std::memory_order_acquire);
    if (is_stopping_.load(std::memory_order_relaxed)) return;
    if (run % 2 != 0) {
      TakeParts(run, index);
      continue;
    }
    (*fn_)(Member(this, index));
    if (finished_.fetch_add(1, std::memory_order_acq_rel) + 2 == size_) {
      finished_.notify_one();
    }
  }
}

int32_t NumUsableProcessors(const std::string& root) {
  cpu_set_t set;
  CPU_ZERO(&set);
  int32_t count = 1;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    count = std::max(1, CPU_COUNT(&set));
  }
  const double quota = CgroupCpuQuota(root).value_or(count);
  return std::min(count, std::max(1, static_cast<int32_t>(std::ceil(quota))));
}

}  // namespace sheaf
