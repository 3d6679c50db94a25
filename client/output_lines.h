// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/line_io.h"
#include "client/progress.h"

// Files whose lines tell how far an earlier run came.
namespace sheaf {

struct LineCount {
  int64_t complete = 0;        // lines with a newline
  int64_t complete_bytes = 0;  // size of these
  bool has_rest = false;       // more bytes follow the last newline

  int64_t total() const { return complete + (has_rest ? 1 : 0); }
};

// Reads from the beginning. Does not change the file's position.
absl::StatusOr<LineCount> CountLines(int fd, const std::string& path);

// INVALID_ARGUMENT if the file is not a regular one.
absl::StatusOr<struct stat> StatRegular(int fd, const std::string& path);

// Makes sure that no other process writes the output until the descriptor is
// closed. FAILED_PRECONDITION if one does.
absl::Status LockOutput(int fd, const std::string& path);

// Draws at most ten times per second, and always draws the last state.
class ProgressLine {
 public:
  // `fd` is -1 if nothing is to be drawn. `item` names what is counted.
  ProgressLine(int fd, int64_t total, int64_t done,
               absl::string_view item = "lines");
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // A failure to show the progress is ignored.
  void Update(int64_t done);

 private:
  Writer writer_;
  const bool is_shown_;
  const int64_t total_;
  const Progress progress_;
  Progress::Clock::time_point next_;
  bool was_drawn_ = false;
};

}  // namespace sheaf
