// SPDX-License-Identifier: Apache-2.0

#include "client/translate_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/line_io.h"
#include "client/output_lines.h"

namespace sheaf {
namespace {

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
  return LockOutput(output, job.output);
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
