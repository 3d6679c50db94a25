// SPDX-License-Identifier: Apache-2.0

#include "client/output_lines.h"

#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

constexpr std::chrono::milliseconds kProgressPeriod(100);
constexpr size_t kReadBytes = 1 << 20;

}  // namespace

absl::StatusOr<LineCount> CountLines(int fd, const std::string& path) {
  LineCount count;
  std::vector<char> buffer(kReadBytes);
  int64_t offset = 0;
  for (;;) {
    const ssize_t size = pread(fd, buffer.data(), buffer.size(), offset);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("reading ", path));
    }
    if (size == 0) break;
    for (ssize_t i = 0; i < size; ++i) {
      if (buffer[i] != '\n') continue;
      ++count.complete;
      count.complete_bytes = offset + i + 1;
    }
    offset += size;
  }
  count.has_rest = offset > count.complete_bytes;
  return count;
}

absl::StatusOr<struct stat> StatRegular(int fd, const std::string& path) {
  struct stat info;
  if (fstat(fd, &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("opening ", path));
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not a regular file; use stdin and stdout"));
  }
  return info;
}

absl::Status LockOutput(int fd, const std::string& path) {
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("output ", path, " is being written by another process"));
  }
  return absl::OkStatus();
}

ProgressLine::ProgressLine(int fd, int64_t total, int64_t done,
                           absl::string_view item)
    : writer_(fd, "the progress"),
      is_shown_(fd >= 0),
      total_(total),
      progress_(total, done, Progress::Clock::now(), item) {}

void ProgressLine::Update(int64_t done) {
  const auto now = Progress::Clock::now();
  if (!is_shown_ || (done < total_ && now < next_)) return;
  next_ = now + kProgressPeriod;
  was_drawn_ = true;
  writer_.Write(absl::StrCat("\r", progress_.Render(done, now), "\x1b[K"))
      .IgnoreError();
}

ProgressLine::~ProgressLine() {
  if (was_drawn_) writer_.Write("\n").IgnoreError();
}

}  // namespace sheaf
