// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace sheaf {

// One of a limited number of places; free again when destroyed.
class Place {
 public:
  Place(Place&& other) noexcept
      : num_taken_(std::exchange(other.num_taken_, nullptr)) {}
  Place& operator=(Place&& other) noexcept {
    std::swap(num_taken_, other.num_taken_);
    return *this;
  }
  ~Place() {
    if (num_taken_ != nullptr) --*num_taken_;
  }

 private:
  friend class Places;
  explicit Place(std::atomic<int32_t>* num_taken) : num_taken_(num_taken) {}
  std::atomic<int32_t>* num_taken_;  // null: moved from
};

// A limited number of places.
//
// Thread-safe. Outlives the places that are taken.
class Places {
 public:
  explicit Places(int32_t num_places) : num_places_(num_places) {}
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;

  int32_t num_places() const { return num_places_; }

  // nullopt: all are taken.
  std::optional<Place> Take() {
    if (++num_taken_ <= num_places_) return Place(&num_taken_);
    --num_taken_;
    return std::nullopt;
  }

 private:
  const int32_t num_places_;
  std::atomic<int32_t> num_taken_ = 0;
};

}  // namespace sheaf
