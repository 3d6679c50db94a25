// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// Closes a file descriptor when destroyed; -1 means none.
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

// Opens a file with the flags of open(2). The error names the file.
absl::StatusOr<FileDescriptor> OpenFile(const std::string& path, int flags);

// Lines one after another.
//
// Threads: one thread reads; any other may call Interrupt().
class LineSource {
 public:
  virtual ~LineSource() = default;

  // Returns the next line without its end, or nullopt at the end and after
  // Interrupt().
  virtual absl::StatusOr<std::optional<std::string>> Next() = 0;

  // Makes Next() return nullopt from now on, even if it is waiting.
  virtual void Interrupt() = 0;
};

// Reads a file descriptor line by line.
class LineReader : public LineSource {
 public:
  // Errors call the file `name`. The caller keeps the descriptor.
  LineReader(int fd, absl::string_view name);

  // Reads a file that the reader opens and closes itself.
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(
      const std::string& path);

  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // Lines end with LF or CRLF; the last one may have no end. Does not wait for
  // more than the line.
  absl::StatusOr<std::optional<std::string>> Next() override;

  // Returns the rest of the file, unchanged.
  absl::StatusOr<std::string> Rest();

  // A Next() may be waiting for a terminal or a pipe.
  void Interrupt() override;

 private:
  // Appends available bytes to buffer_. Returns false at the end of the file
  // and after Interrupt().
  absl::StatusOr<bool> Fill();

  const int fd_;
  const std::string name_;
  std::optional<FileDescriptor> owned_;  // fd_, if Open() opened it
  std::atomic<bool> is_interrupted_ = false;
  // An eventfd, readable after Interrupt(). If the process may open no more
  // files, there is none, and a waiting Next() first waits for its line.
  const FileDescriptor wake_;
  std::string buffer_;
  size_t begin_ = 0;  // of the bytes in buffer_ that were not returned yet
};

// Writes to a file descriptor that it does not own, without a buffer. Not
// thread-safe.
class Writer {
 public:
  Writer(int fd, absl::string_view name) : fd_(fd), name_(name) {}

  absl::Status Write(absl::string_view text);

  // Whether a Write() failed because the reader of the pipe has closed it.
  // REQUIRES: SIGPIPE is ignored.
  bool is_closed() const { return is_closed_; }

 private:
  const int fd_;
  const std::string name_;
  bool is_closed_ = false;
};

}  // namespace sheaf
