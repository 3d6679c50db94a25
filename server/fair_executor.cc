// SPDX-License-Identifier: Apache-2.0

#include "server/fair_executor.h"

#include <pthread.h>

#include <utility>

namespace sheaf {
namespace {

// Numbers of texts that are read at a time.
constexpr int kLongTexts = 4;
constexpr int kShortTexts = 2;
constexpr size_t kMaxShortBytes = 64 << 10;
constexpr std::chrono::milliseconds kShortTime(50);
constexpr std::chrono::milliseconds kSlice(5);
constexpr int32_t kShortTurns = 3;

auto IsNotIn(const absl::flat_hash_set<std::string>& names) {
  return [&names](const std::string& name) { return !names.contains(name); };
}

}  // namespace

thread_local FairExecutor::Turn* FairExecutor::this_turn_ = nullptr;

FairExecutor::FairExecutor(const Options& options) : options_(options) {
  for (int i = 0; i < kShortTexts + kLongTexts; ++i) {
    threads_.emplace_back(
        [this, i] { Loop(i < kShortTexts ? short_ : long_); });
    pthread_setname_np(threads_.back().native_handle(), "sheaf-reader");
  }
}

FairExecutor::~FairExecutor() {
  {
    absl::MutexLock lock(&mu_);
    is_stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

FairExecutor::Ticket FairExecutor::Push(Text text) {
  Lane& lane = text.bytes <= kMaxShortBytes ? short_ : long_;
  const std::string caller = text.caller;
  lane.waiting.Push(caller, next_ticket_, std::move(text));
  return next_ticket_++;
}

std::optional<FairExecutor::Ticket> FairExecutor::TryRun(Text text) {
  std::optional<Text> loser;
  std::optional<Ticket> ticket;
  {
    absl::MutexLock lock(&mu_);
    const size_t num_waiting = short_.waiting.size() + long_.waiting.size();
    const bool is_full =
        num_waiting >= static_cast<size_t>(options_.max_waiting);
    if (is_full) loser = TakeFor(text.caller);
    if (!is_full || loser.has_value()) ticket = Push(std::move(text));
  }
  if (loser.has_value()) loser->refuse();
  return ticket;
}

// Removes the text that gives its place to one of `caller`, if there is one.
std::optional<FairExecutor::Text> FairExecutor::TakeFor(
    const std::string& caller) {
  FairQueue<Text>& fuller = short_.waiting.size() > long_.waiting.size()
                                ? short_.waiting
                                : long_.waiting;
  const std::optional<Ticket> ticket = fuller.NewestOfLargest(
      caller, [](const Text& text) { return text.refuse != nullptr; });
  if (!ticket.has_value()) return std::nullopt;
  return fuller.Remove(*ticket);
}

void FairExecutor::Run(Text text) {
  absl::MutexLock lock(&mu_);
  Push(std::move(text));
}

std::function<void()> FairExecutor::Withdraw(Ticket ticket) {
  absl::MutexLock lock(&mu_);
  for (Lane* lane : {&short_, &long_}) {
    std::optional<Text> text = lane->waiting.Remove(ticket);
    if (text.has_value()) return std::move(text->read);
  }
  return nullptr;
}

void FairExecutor::Loop(Lane& lane) {
  Turn turn;
  while (std::optional<Text> text = Begin(lane, turn)) {
    this_turn_ = &turn;
    text->read();
    this_turn_ = nullptr;
    text->read = nullptr;  // it may hold a request
    End(lane, *text);
  }
}

// While the next text in turn waits for memory, no other text overtakes it.
bool FairExecutor::HasNext(const Lane& lane) const {
  const Text* const next = lane.waiting.Next(IsNotIn(lane.busy));
  return next != nullptr &&
         (&lane == &short_ || lane.bytes_under_way == 0 ||
          lane.bytes_under_way + next->bytes <= options_.max_long_bytes);
}

std::optional<FairExecutor::Text> FairExecutor::Begin(Lane& lane, Turn& turn) {
  const auto has_next_or_ends = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return HasNext(lane) || (is_stopping_ && lane.waiting.size() == 0);
  };
  absl::MutexLock lock(&mu_, absl::Condition(&has_next_or_ends));
  std::optional<Text> text = lane.waiting.Pop(IsNotIn(lane.busy));
  if (!text.has_value()) return std::nullopt;
  lane.busy.insert(text->caller);
  lane.bytes_under_way += text->bytes;
  turn = Turn();
  turn.is_short = &lane == &short_;
  AwaitTurn(turn);
  return text;
}

void FairExecutor::End(Lane& lane, const Text& text) {
  absl::MutexLock lock(&mu_);
  lane.busy.erase(text.caller);
  lane.bytes_under_way -= text.bytes;
  is_turn_taken_ = false;
  PassTurn();
}

void FairExecutor::AwaitTurn(Turn& turn) {
  turn.is_mine = false;
  (turn.is_short ? short_turns_ : long_turns_).push_back(&turn);
  PassTurn();
  mu_.Await(absl::Condition(&turn.is_mine));
  turn.begin = Clock::now();
}

// Unless the turn is taken, gives it to the next text.
void FairExecutor::PassTurn() {
  if (is_turn_taken_ || (short_turns_.empty() && long_turns_.empty())) return;
  const bool is_short =
      long_turns_.empty() ||
      (!short_turns_.empty() && num_short_in_a_row_ < kShortTurns);
  num_short_in_a_row_ = is_short ? num_short_in_a_row_ + 1 : 0;
  std::deque<Turn*>& turns = is_short ? short_turns_ : long_turns_;
  turns.front()->is_mine = true;
  turns.pop_front();
  is_turn_taken_ = true;
}

void FairExecutor::Yield() {
  Turn* const turn = this_turn_;
  if (turn == nullptr) return;
  const Clock::duration slice = Clock::now() - turn->begin;
  if (slice < kSlice) return;
  absl::MutexLock lock(&mu_);
  turn->taken += slice;
  if (turn->taken >= kShortTime) turn->is_short = false;
  is_turn_taken_ = false;
  AwaitTurn(*turn);
}

}  // namespace sheaf
