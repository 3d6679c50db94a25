// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sheaf {

// The layout between the segments of a text. Gaps lie contiguously, because
// a text of half a million lines has as many gaps of one byte. All gaps have
// fewer than 2^32 bytes together.
class Gaps {
 public:
  Gaps() = default;
  explicit Gaps(std::initializer_list<absl::string_view> gaps) {
    for (absl::string_view gap : gaps) push_back(gap);
  }

  void push_back(absl::string_view gap) {
    text_.append(gap.data(), gap.size());
    ends_.push_back(static_cast<uint32_t>(text_.size()));
  }

  bool operator==(const Gaps& other) const = default;

  size_t size() const { return ends_.size(); }
  // REQUIRES: index < size(). Valid until a gap is added.
  absl::string_view operator[](size_t index) const {
    const size_t begin = index == 0 ? 0 : ends_[index - 1];
    return absl::string_view(text_).substr(begin, ends_[index] - begin);
  }

  int64_t bytes() const {
    return static_cast<int64_t>(text_.size() + ends_.size() * sizeof(uint32_t));
  }

 private:
  std::string text_;
  std::vector<uint32_t> ends_;  // in text_, of each gap
};

}  // namespace sheaf
