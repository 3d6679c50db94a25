// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace sheaf {

// Unicode code points of a text in UTF-8.
inline int64_t NumCodePoints(absl::string_view text) {
  int64_t num = 0;
  for (const char c : text) num += (c & 0xC0) != 0x80;
  return num;
}

// Converts offsets of a text from bytes to code points, in time linear in the
// text if they ascend.
class CodePointIndex {
 public:
  // `text` is not owned. REQUIRES: it is UTF-8.
  explicit CodePointIndex(absl::string_view text) : text_(text) {}

  // The code points before byte `offset`. REQUIRES: offset <= text.size().
  int64_t At(size_t offset) {
    if (offset < offset_) {
      offset_ = 0;
      num_ = 0;
    }
    num_ += NumCodePoints(text_.substr(offset_, offset - offset_));
    offset_ = offset;
    return num_;
  }

 private:
  const absl::string_view text_;
  size_t offset_ = 0;
  int64_t num_ = 0;  // before offset_
};

}  // namespace sheaf
