// SPDX-License-Identifier: Apache-2.0

#include "client/progress.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sheaf {
namespace {

constexpr int64_t kBarWidth = 24;

std::string Bar(int64_t done, int64_t total) {
  const int64_t filled = total > 0 ? kBarWidth * done / total : kBarWidth;
  std::string bar(kBarWidth, ' ');
  std::fill_n(bar.begin(), filled, '=');
  if (filled < kBarWidth) bar[filled] = '>';
  return absl::StrCat("[", bar, "]");
}

std::string FormatTime(int64_t seconds) {
  return absl::StrFormat("%d:%02d:%02d", seconds / 3600, seconds / 60 % 60,
                         seconds % 60);
}

}  // namespace

Progress::Progress(int64_t total, int64_t done_at_start,
                   Clock::time_point start, absl::string_view item)
    : total_(total),
      done_at_start_(done_at_start),
      start_(start),
      item_(item) {}

std::string Progress::Render(int64_t done, Clock::time_point now) const {
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = seconds > 0 ? (done - done_at_start_) / seconds : 0;
  std::string line =
      absl::StrFormat("%s  %d/%d %s  %.1f %s/s", Bar(done, total_), done,
                      total_, item_, rate, item_);
  if (rate > 0) {
    const auto left = static_cast<int64_t>((total_ - done) / rate);
    absl::StrAppend(&line, "  ", FormatTime(left), " left");
  }
  return line;
}

}  // namespace sheaf
