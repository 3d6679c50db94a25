#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sheaf {

// A regular file, open for reading at any offset. It is read, never mapped: a
// file that another program cuts short then gives a Status, not a SIGBUS.
//
// Thread-safe: reads share no position.
class InputFile {
 public:
  // NotFound if there is no such file. InvalidArgument if it is a directory, a
  // pipe or a device (which is not waited for), or stands in place of a file: a
  // Git LFS pointer, a web page. Else the system's reason.
  static absl::StatusOr<InputFile> Open(const std::string& path);

  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }  // bytes, when it was opened

  // Fills `out` with the bytes from `offset`. DataLoss, with `out` partly
  // written, if the file ends before or cannot be read.
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const;

 private:
  InputFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_ = -1;  // -1 once moved from
  uint64_t size_ = 0;
};

// The whole of a text file of at most `max_bytes`, which errors name.
absl::StatusOr<std::string> ReadTextFile(const std::string& path,
                                         uint64_t max_bytes);

// `text` from a file as it may stand in a message: one line, in quotes, control
// characters escaped, and cut if long.
std::string Quoted(absl::string_view text);

}  // namespace sheaf
