// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace sheaf {

// The line that shows the progress of a file: a bar, lines done, lines per
// second, time left. The speed counts from `start`, without the lines done
// before.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  // `item` is the name of several lines; it must outlive this.
  Progress(int64_t total, int64_t done_at_start, Clock::time_point start,
           absl::string_view item = "lines");

  // "[=====>    ]  50/100 lines  12.5 lines/s  0:00:04 left"
  std::string Render(int64_t done, Clock::time_point now) const;

 private:
  const int64_t total_;
  const int64_t done_at_start_;
  const Clock::time_point start_;
  const absl::string_view item_;
};

}  // namespace sheaf
