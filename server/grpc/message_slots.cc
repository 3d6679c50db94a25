// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/message_slots.h"

#include <utility>

namespace sheaf {

uint64_t MessageSlots::NewNumber() {
  absl::MutexLock lock(&mu_);
  return ++last_call_;
}

void MessageSlots::Enter(uint64_t call, const Caller& caller, MonotonicTime now,
                         std::function<void()> begin,
                         std::function<void()> give_up) {
  Functions functions;
  {
    absl::MutexLock lock(&mu_);
    calls_.emplace(call, Call{caller.address, caller.peer, std::move(begin),
                              std::move(give_up), /*since=*/std::nullopt});
    functions = Assign(now);
  }
  for (const auto& function : functions) function();
}

void MessageSlots::Leave(uint64_t call, MonotonicTime now) {
  Functions functions;
  {
    absl::MutexLock lock(&mu_);
    const auto it = calls_.find(call);
    if (it == calls_.end()) return;  // its slot was taken back
    if (it->second.since.has_value()) Count(it->second, -1);
    calls_.erase(it);
    functions = Assign(now);
  }
  for (const auto& function : functions) function();
}

void MessageSlots::Balance(MonotonicTime now) {
  Functions functions;
  {
    absl::MutexLock lock(&mu_);
    functions = Assign(now);
  }
  for (const auto& function : functions) function();
}

MessageSlots::Functions MessageSlots::Assign(MonotonicTime now) {
  Functions functions;
  while (static_cast<size_t>(num_held_) < calls_.size()) {
    const auto next = FindNext();
    if (num_held_ == num_slots_) {
      const auto victim = FindVictim(next->second, now);
      if (victim == calls_.end()) break;
      functions.push_back(std::move(victim->second.give_up));
      Count(victim->second, -1);
      calls_.erase(victim);
    }
    next->second.since = now;
    Count(next->second, 1);
    functions.push_back(std::move(next->second.begin));
  }
  return functions;
}

MessageSlots::Calls::iterator MessageSlots::FindNext() {
  auto best = calls_.end();
  for (auto it = calls_.begin(); it != calls_.end(); ++it) {
    if (it->second.since.has_value()) continue;
    if (best == calls_.end() || SlotsOf(it->second) < SlotsOf(best->second)) {
      best = it;
    }
  }
  return best;
}

MessageSlots::Calls::iterator MessageSlots::FindVictim(const Call& next,
                                                       MonotonicTime now) {
  auto worst = calls_.end();
  for (auto it = calls_.begin(); it != calls_.end(); ++it) {
    if (!it->second.since.has_value()) continue;
    if (worst == calls_.end() || SlotsOf(it->second) > SlotsOf(worst->second)) {
      worst = it;
    }
  }
  const auto [address_slots, peer_slots] = SlotsOf(worst->second);
  const auto [next_address_slots, next_peer_slots] = SlotsOf(next);
  const bool has_more = worst->second.address == next.address
                            ? peer_slots >= next_peer_slots + 2
                            : address_slots >= next_address_slots + 2;
  const absl::Duration held = now - *worst->second.since;
  return held >= (has_more ? kMinHold : kMaxHold) ? worst : calls_.end();
}

std::tuple<int32_t, int32_t> MessageSlots::SlotsOf(const Call& call) const {
  const auto count = [](const Counts& counts, const std::string& key) {
    const auto it = counts.find(key);
    return it == counts.end() ? 0 : it->second;
  };
  return {count(by_address_, call.address), count(by_peer_, call.peer)};
}

void MessageSlots::Count(const Call& call, int32_t change) {
  num_held_ += change;
  const auto add = [change](Counts& counts, const std::string& key) {
    int32_t& count = counts[key];
    count += change;
    if (count == 0) counts.erase(key);
  };
  add(by_address_, call.address);
  add(by_peer_, call.peer);
}

}  // namespace sheaf
