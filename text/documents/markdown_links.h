// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/string_view.h"

namespace sheaf {

inline constexpr size_t kMaxLabelBytes = 999;

// The end of "(target "title")" at `begin`; npos if there is none.
size_t InlineTargetEnd(absl::string_view text, size_t begin);

// The end of "[label]" or "[]" at `begin`; npos if there is none.
size_t ReferenceEnd(absl::string_view text, size_t begin);

// Finds the ends of spans of code, in linear time for a whole text.
class CodeSpanFinder {
 public:
  explicit CodeSpanFinder(absl::string_view text);

  // The end of the span that `size` backticks at `begin` open; npos if no run
  // of that size follows. REQUIRES: `begin` is not before that of an earlier
  // call.
  size_t EndOf(size_t begin, size_t size);

 private:
  struct Runs {
    std::vector<size_t> begins;
    size_t next = 0;
  };
  std::unordered_map<size_t, Runs> runs_;  // by their size
};

// Finds autolinks and tags of HTML, in linear time for a whole text.
class InlineTagFinder {
 public:
  enum class Kind { kNone, kAutolink, kOpen, kClose, kAlone };
  struct Found {
    Kind kind = Kind::kNone;
    size_t size = 0;
    std::string name = "";  // of kOpen and kClose, in lower case
  };

  explicit InlineTagFinder(absl::string_view text) : text_(text) {}

  // At '<'.
  Found Find(size_t begin);

 private:
  Found FindUpTo(size_t begin, size_t search, absl::string_view end);
  size_t AttributesEnd(size_t at) const;

  const absl::string_view text_;
  // Ends ("-->") of which the text has no more.
  std::vector<absl::string_view> missing_;
};

}  // namespace sheaf
