// SPDX-License-Identifier: Apache-2.0

#include "client/translate_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/line_io.h"
#include "client/progress.h"

namespace sheaf {
namespace {

constexpr std::chrono::milliseconds kProgressPeriod(100);
constexpr size_t kReadBytes = 1 << 20;

struct LineCount {
  int64_t complete = 0;        // lines with a newline
  int64_t complete_bytes = 0;  // size of these
  bool has_rest = false;       // more bytes follow the last newline

  int64_t total() const { return complete + (has_rest ? 1 : 0); }
};

// Reads from the beginning. Does not change the file's position.
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

// REQUIRES: this process has not written to either file.
absl::Status CheckFiles(const FileJob& job, int input, int output) {
  absl::StatusOr<struct stat> from = StatRegular(input, job.input);
  if (!from.ok()) return from.status();
  absl::StatusOr<struct stat> to = StatRegular(output, job.output);
  if (!to.ok()) return to.status();
  if (from->st_dev == to->st_dev && from->st_ino == to->st_ino) {
    return absl::FailedPreconditionError(
        absl::StrCat("output ", job.output, " is the input itself"));
  }
  // The lock is held until the descriptor is closed.
  if (flock(output, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "output ", job.output, " is being written by another process"));
  }
  return absl::OkStatus();
}

// Truncates the output after its complete lines, moves there, and returns their
// number.
absl::StatusOr<int64_t> PrepareOutput(const FileJob& job, int64_t input_lines,
                                      int output) {
  LineCount done;
  if (!job.overwrite) {
    absl::StatusOr<LineCount> count = CountLines(output, job.output);
    if (!count.ok()) return count.status();
    done = *count;
  }
  if (done.total() > input_lines) {
    return absl::FailedPreconditionError(absl::StrCat(
        "output ", job.output, " has ", done.total(), " lines, more than the ",
        input_lines, " of input ", job.input,
        "; it belongs to another input (--overwrite starts again)"));
  }
  if (ftruncate(output, done.complete_bytes) != 0 ||
      lseek(output, done.complete_bytes, SEEK_SET) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("writing ", job.output));
  }
  return done.complete;
}

// Draws at most once per kProgressPeriod, and always draws the last state.
class ProgressLine {
 public:
  ProgressLine(int fd, int64_t total, int64_t done)
      : writer_(fd, "the progress"),
        is_shown_(fd >= 0),
        total_(total),
        progress_(total, done, Progress::Clock::now()) {}

  // A failure to show the progress is ignored.
  void Update(int64_t done) {
    const auto now = Progress::Clock::now();
    if (!is_shown_ || (done < total_ && now < next_)) return;
    next_ = now + kProgressPeriod;
    was_drawn_ = true;
    writer_.Write(absl::StrCat("\r", progress_.Render(done, now), "\x1b[K"))
        .IgnoreError();
  }

  ~ProgressLine() {
    if (was_drawn_) writer_.Write("\n").IgnoreError();
  }

 private:
  Writer writer_;
  const bool is_shown_;
  const int64_t total_;
  const Progress progress_;
  Progress::Clock::time_point next_;
  bool was_drawn_ = false;
};

absl::Status SkipLines(LineReader& reader, int64_t num_lines) {
  for (int64_t i = 0; i < num_lines; ++i) {
    absl::StatusOr<std::optional<std::string>> line = reader.Next();
    if (!line.ok()) return line.status();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status TranslateFile(const FileJob& job, MapLine translate) {
  absl::StatusOr<FileDescriptor> input = OpenFile(job.input, O_RDONLY);
  if (!input.ok()) return input.status();
  // Without O_TRUNC, because CheckFiles() must come first.
  absl::StatusOr<FileDescriptor> output =
      OpenFile(job.output, O_RDWR | O_CREAT);
  if (!output.ok()) return output.status();
  absl::Status checked = CheckFiles(job, input->get(), output->get());
  if (!checked.ok()) return checked;
  absl::StatusOr<LineCount> total = CountLines(input->get(), job.input);
  if (!total.ok()) return total.status();
  absl::StatusOr<int64_t> done =
      PrepareOutput(job, total->total(), output->get());
  if (!done.ok()) return done.status();

  LineReader reader(input->get(), job.input);
  absl::Status skipped = SkipLines(reader, *done);
  if (!skipped.ok()) return skipped;
  Writer writer(output->get(), job.output);
  ProgressLine progress(job.progress_fd, total->total(), *done);
  progress.Update(*done);
  return MapLines(reader, {.concurrency = job.concurrency, .first_line = *done},
                  translate, [&](absl::string_view lines, int64_t written) {
                    absl::Status status = writer.Write(lines);
                    if (status.ok()) progress.Update(written);
                    return status;
                  });
}

}  // namespace sheaf
