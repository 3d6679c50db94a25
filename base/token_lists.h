// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "absl/types/span.h"

namespace sheaf {

// Lists of token ids, stored one after another in a single vector, because a
// text of half a million lines has half a million lists of a few ids each. The
// lists have fewer than 2^32 ids in total.
class TokenLists {
 public:
  using value_type = absl::Span<const int32_t>;

  // Not a plain pointer, because the lists lie within one vector.
  class const_iterator {
   public:
    const_iterator(const TokenLists* lists, size_t index)
        : lists_(lists), index_(index) {}
    value_type operator*() const { return (*lists_)[index_]; }
    const_iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator==(const const_iterator& other) const {
      return index_ == other.index_;
    }
    bool operator!=(const const_iterator& other) const {
      return index_ != other.index_;
    }

   private:
    const TokenLists* lists_;
    size_t index_;
  };

  TokenLists() = default;
  TokenLists(std::initializer_list<std::vector<int32_t>> lists) {
    for (const std::vector<int32_t>& list : lists) push_back(list);
  }

  void push_back(absl::Span<const int32_t> list) {
    ids_.insert(ids_.end(), list.begin(), list.end());
    ends_.push_back(static_cast<uint32_t>(ids_.size()));
  }
  void Append(const TokenLists& other) {
    for (absl::Span<const int32_t> list : other) push_back(list);
  }

  bool empty() const { return ends_.empty(); }
  size_t size() const { return ends_.size(); }
  // REQUIRES: index < size(). Valid until a list is added.
  absl::Span<const int32_t> operator[](size_t index) const {
    const size_t begin = index == 0 ? 0 : ends_[index - 1];
    return absl::MakeConstSpan(ids_).subspan(begin, ends_[index] - begin);
  }
  const_iterator begin() const { return {this, 0}; }
  const_iterator end() const { return {this, size()}; }

  // The total number of ids.
  int64_t num_ids() const { return static_cast<int64_t>(ids_.size()); }
  int64_t bytes() const {
    return num_ids() * static_cast<int64_t>(sizeof(int32_t)) +
           static_cast<int64_t>(ends_.size() * sizeof(uint32_t));
  }

 private:
  std::vector<int32_t> ids_;
  std::vector<uint32_t> ends_;  // in ids_, of each list
};

}  // namespace sheaf
