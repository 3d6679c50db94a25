#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Closes a file descriptor when destroyed; -1 is none.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.fd_) {
    other.fd_ = -1;
  }
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// open(2); `flags` as there. The error names the file.
absl::StatusOr<FileDescriptor> OpenFile(const std::string& path, int flags);

// Reads a file descriptor line by line.
//
// Threads: one thread reads; Interrupt() may come from any other.
class LineReader {
 public:
  // `name` is what errors call the file; the descriptor stays the caller's.
  LineReader(int fd, absl::string_view name);

  // Reads a file that the reader opens and closes itself.
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(
      const std::string& path);

  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // The next line without its end (LF or CRLF), a last one without an end too;
  // nullopt at the end of the file and after Interrupt(). Waits for no more
  // than the line.
  absl::StatusOr<std::optional<std::string>> Next();

  // All that is left, as it is.
  absl::StatusOr<std::string> Rest();

  // Makes Next() return nullopt, now and from now on, even if it is waiting for
  // a terminal or a pipe.
  void Interrupt();

 private:
  // Appends what can be read to buffer_; false at the end or if interrupted.
  absl::StatusOr<bool> Fill();

  const int fd_;
  const std::string name_;
  std::optional<FileDescriptor> owned_;  // fd_, if Open() made it.
  std::atomic<bool> is_interrupted_ = false;
  // An eventfd, readable once interrupted. None if the machine has no more: a
  // waiting Next() then returns with the line that it waits for.
  const FileDescriptor wake_;
  std::string buffer_;
  size_t begin_ = 0;  // Of what is not handed out yet, in buffer_.
};

// Writes whole pieces to a file descriptor, which it does not own; nothing
// stays in a buffer. Not thread-safe.
class Writer {
 public:
  Writer(int fd, absl::string_view name) : fd_(fd), name_(name) {}

  absl::Status Write(absl::string_view text);

  // A Write() failed because whoever read the pipe has gone. REQUIRES: SIGPIPE
  // is ignored.
  bool is_closed() const { return is_closed_; }

 private:
  const int fd_;
  const std::string name_;
  bool is_closed_ = false;
};

}  // namespace sheaf
