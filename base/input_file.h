// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sheaf {

// A regular file, open for reading at any offset. It is read and never mapped,
// so that a file that another program truncates gives a Status, not a SIGBUS.
//
// Thread-safe, because reads share no position.
class InputFile {
 public:
  // NotFound if there is no such file. InvalidArgument if it is a directory, a
  // pipe or a device (opening never waits), or a placeholder such as a Git LFS
  // pointer or a web page. Otherwise the system's reason.
  static absl::StatusOr<InputFile> Open(const std::string& path);

  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }  // in bytes, when it was opened

  // Fills `out` with the bytes from `offset`. DataLoss if the file ends too
  // early or cannot be read; `out` is then partly written.
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const;

 private:
  InputFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_ = -1;  // -1 once moved from
  uint64_t size_ = 0;
};

// Returns the contents of a text file of at most `max_bytes`. Errors name the
// file.
absl::StatusOr<std::string> ReadTextFile(const std::string& path,
                                         uint64_t max_bytes);

// Returns text from a file in a form for messages: in quotes on one line, with
// control characters escaped, and cut if it is long.
std::string Quoted(absl::string_view text);

}  // namespace sheaf
