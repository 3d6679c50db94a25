// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/open_calls.h"

#include <algorithm>

namespace sheaf {

CallPlace::~CallPlace() {
  if (calls_ != nullptr) calls_->Release(*this);
}

CallPlace OpenCalls::Take(const Caller& caller, std::function<void()> end) {
  std::function<void()> end_other;
  uint64_t number = 0;
  {
    absl::MutexLock lock(&mu_);
    if (num_calls_ == max_calls_) end_other = TakeOut();
    ++num_calls_;
    number = ++last_number_;
    Address& address = by_address_[caller.address];
    ++address.num_calls;
    address.by_peer[caller.peer].emplace(number, std::move(end));
  }
  if (end_other != nullptr) end_other();
  return CallPlace(this, caller.address, caller.peer, number);
}

std::function<void()> OpenCalls::TakeOut() {
  const auto address = std::max_element(
      by_address_.begin(), by_address_.end(), [](const auto& a, const auto& b) {
        return a.second.num_calls < b.second.num_calls;
      });
  const auto& peers = address->second.by_peer;
  const auto peer = std::max_element(peers.begin(), peers.end(),
                                     [](const auto& a, const auto& b) {
                                       return a.second.size() < b.second.size();
                                     });
  const uint64_t oldest = peer->second.begin()->first;
  // Copies, because the names go with their last calls.
  return Remove(std::string(address->first), std::string(peer->first), oldest);
}

std::function<void()> OpenCalls::Remove(const std::string& address,
                                        const std::string& peer,
                                        uint64_t number) {
  const auto found = by_address_.find(address);
  if (found == by_address_.end()) return nullptr;
  auto& peers = found->second.by_peer;
  const auto found_peer = peers.find(peer);
  if (found_peer == peers.end()) return nullptr;
  const auto call = found_peer->second.find(number);
  if (call == found_peer->second.end()) return nullptr;
  std::function<void()> end = std::move(call->second);
  found_peer->second.erase(call);
  if (found_peer->second.empty()) peers.erase(found_peer);
  if (--found->second.num_calls == 0) by_address_.erase(found);
  --num_calls_;
  return end;
}

void OpenCalls::Release(const CallPlace& place) {
  std::function<void()> end;  // it is destroyed when the lock is free again
  {
    absl::MutexLock lock(&mu_);
    end = Remove(place.address_, place.peer_, place.number_);
  }
}

}  // namespace sheaf
