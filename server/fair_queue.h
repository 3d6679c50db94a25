// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <list>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"

namespace sheaf {

// Waiting items, each of one caller. Callers take turns, and each caller's
// oldest item leaves first. So a caller that sends many items delays only
// itself.
//
// Not thread-safe.
template <typename Item>
class FairQueue {
 public:
  // `ticket` identifies the item for Remove(). No two waiting items share one.
  void Push(const std::string& caller, uint64_t ticket, Item item) {
    auto it = callers_.begin();
    while (it != callers_.end() && it->name != caller) ++it;
    if (it == callers_.end()) {
      it = callers_.insert(it, {caller, {}});
    }
    it->items.push_back({ticket, std::move(item)});
    ++size_;
  }

  // Removes the first item of the next caller for which `may_go` is true;
  // nullopt if there is none.
  std::optional<Item> Pop(
      absl::FunctionRef<bool(const std::string& caller)> may_go) {
    auto it = callers_.begin();
    while (it != callers_.end() && !may_go(it->name)) ++it;
    if (it == callers_.end()) return std::nullopt;
    Item item = std::move(it->items.front().item);
    it->items.pop_front();
    --size_;
    callers_.splice(callers_.end(), callers_, it);
    if (it->items.empty()) callers_.erase(it);
    return item;
  }

  // Removes the item of `ticket`; nullopt if it has left.
  std::optional<Item> Remove(uint64_t ticket) {
    for (auto caller = callers_.begin(); caller != callers_.end(); ++caller) {
      for (auto it = caller->items.begin(); it != caller->items.end(); ++it) {
        if (it->ticket != ticket) continue;
        Item item = std::move(it->item);
        caller->items.erase(it);
        --size_;
        if (caller->items.empty()) callers_.erase(caller);
        return item;
      }
    }
    return std::nullopt;
  }

  // The item that Pop(may_go) would return; null if there is none.
  const Item* Next(
      absl::FunctionRef<bool(const std::string& caller)> may_go) const {
    for (const Caller& caller : callers_) {
      if (may_go(caller.name)) return &caller.items.front().item;
    }
    return nullptr;
  }

  size_t size() const { return size_; }

 private:
  struct Entry {
    uint64_t ticket;
    Item item;
  };
  struct Caller {
    std::string name;
    std::deque<Entry> items;  // at least one, oldest first
  };

  std::list<Caller> callers_;  // in the order of their turns
  size_t size_ = 0;
};

}  // namespace sheaf
