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
    const auto connection =
        connections_.try_emplace(caller.peer, Connection{caller.address, 0, {}})
            .first;
    connection->second.waiting.emplace(
        call, Waiting{std::move(begin), std::move(give_up)});
    waiting_.emplace(call, connection);
    functions = Assign(now);
  }
  for (const auto& function : functions) function();
}

void MessageSlots::Leave(uint64_t call, MonotonicTime now) {
  Functions functions;
  {
    absl::MutexLock lock(&mu_);
    if (const auto it = waiting_.find(call); it != waiting_.end()) {
      const auto connection = it->second;
      waiting_.erase(it);
      connection->second.waiting.erase(call);
      Tidy(connection);
      return;
    }
    const auto holder = holders_.find(call);
    if (holder == holders_.end()) return;  // its slot was taken back
    Release(holder);
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
  while (!waiting_.empty()) {
    const auto next = FindNext();
    if (static_cast<int32_t>(holders_.size()) == num_slots_) {
      const auto victim = FindVictim(next, now);
      if (victim == holders_.end()) break;
      functions.push_back(std::move(victim->second.give_up));
      Release(victim);
    }
    const auto call = next->second.waiting.begin();
    functions.push_back(std::move(call->second.begin));
    holders_.emplace(call->first,
                     Holder{next, now, std::move(call->second.give_up)});
    ++next->second.num_slots;
    ++by_address_[next->second.address];
    waiting_.erase(call->first);
    next->second.waiting.erase(call);
  }
  return functions;
}

// A client with thousands of calls has few connections.
MessageSlots::Connections::iterator MessageSlots::FindNext() {
  const auto key =
      [this](const Connection& connection) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return std::make_pair(SlotsOf(connection),
                              connection.waiting.begin()->first);
      };
  auto best = connections_.end();
  for (auto it = connections_.begin(); it != connections_.end(); ++it) {
    if (it->second.waiting.empty()) continue;
    if (best == connections_.end() || key(it->second) < key(best->second)) {
      best = it;
    }
  }
  return best;
}

MessageSlots::Holders::iterator MessageSlots::FindVictim(
    Connections::iterator next, MonotonicTime now) {
  auto worst = holders_.begin();
  for (auto it = holders_.begin(); it != holders_.end(); ++it) {
    if (SlotsOf(it->second.connection->second) >
        SlotsOf(worst->second.connection->second)) {
      worst = it;
    }
  }
  const Connection& connection = worst->second.connection->second;
  const auto [address_slots, own_slots] = SlotsOf(connection);
  const auto [next_address_slots, next_own_slots] = SlotsOf(next->second);
  const bool has_more = connection.address == next->second.address
                            ? own_slots >= next_own_slots + 2
                            : address_slots >= next_address_slots + 2;
  const absl::Duration held = now - worst->second.since;
  return held >= (has_more ? kMinHold : kMaxHold) ? worst : holders_.end();
}

std::pair<int32_t, int32_t> MessageSlots::SlotsOf(
    const Connection& connection) const {
  const auto it = by_address_.find(connection.address);
  return {it == by_address_.end() ? 0 : it->second, connection.num_slots};
}

void MessageSlots::Release(Holders::iterator holder) {
  const auto connection = holder->second.connection;
  holders_.erase(holder);
  --connection->second.num_slots;
  const auto address = by_address_.find(connection->second.address);
  if (--address->second == 0) by_address_.erase(address);
  Tidy(connection);
}

void MessageSlots::Tidy(Connections::iterator connection) {
  if (connection->second.num_slots == 0 && connection->second.waiting.empty()) {
    connections_.erase(connection);
  }
}

}  // namespace sheaf
