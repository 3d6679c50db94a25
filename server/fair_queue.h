// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"

namespace sheaf {

// Waiting items, each of one caller. Callers take turns, and each caller's
// oldest item leaves first. So a caller that sends many items delays only
// itself.
//
// No operation takes time in proportion to the items or callers that wait,
// except for the callers that Pop() and Next() pass over.
//
// Not thread-safe.
template <typename Item>
class FairQueue {
 public:
  // `ticket` identifies the item for Remove(). Each is larger than the one
  // before.
  void Push(const std::string& caller, uint64_t ticket, Item item) {
    auto [found, is_new] = by_name_.try_emplace(caller);
    if (is_new) found->second = callers_.insert(callers_.end(), {caller, {}});
    found->second->items.emplace(ticket, std::move(item));
    by_ticket_.emplace(ticket, found->second);
  }

  // Removes the first item of the next caller for which `may_go` is true;
  // nullopt if there is none.
  std::optional<Item> Pop(
      absl::FunctionRef<bool(const std::string& caller)> may_go) {
    auto caller = callers_.begin();
    while (caller != callers_.end() && !may_go(caller->name)) ++caller;
    if (caller == callers_.end()) return std::nullopt;
    callers_.splice(callers_.end(), callers_, caller);
    return Take(caller, caller->items.begin());
  }

  // Removes the item of `ticket`; nullopt if it has left.
  std::optional<Item> Remove(uint64_t ticket) {
    const auto found = by_ticket_.find(ticket);
    if (found == by_ticket_.end()) return std::nullopt;
    const auto caller = found->second;
    return Take(caller, caller->items.find(ticket));
  }

  // The item that Pop(may_go) would return; null if there is none.
  const Item* Next(
      absl::FunctionRef<bool(const std::string& caller)> may_go) const {
    for (const Caller& caller : callers_) {
      if (may_go(caller.name)) return &caller.items.begin()->second;
    }
    return nullptr;
  }

  size_t size() const { return by_ticket_.size(); }

 private:
  struct Caller {
    std::string name;
    std::map<uint64_t, Item> items;  // by ticket, so oldest first; never empty
  };
  using Callers = std::list<Caller>;

  Item Take(typename Callers::iterator caller,
            typename std::map<uint64_t, Item>::iterator it) {
    Item item = std::move(it->second);
    by_ticket_.erase(it->first);
    caller->items.erase(it);
    if (caller->items.empty()) {
      by_name_.erase(caller->name);
      callers_.erase(caller);
    }
    return item;
  }

  Callers callers_;  // in the order of their turns
  absl::flat_hash_map<std::string, typename Callers::iterator> by_name_;
  absl::flat_hash_map<uint64_t, typename Callers::iterator> by_ticket_;
};

}  // namespace sheaf
