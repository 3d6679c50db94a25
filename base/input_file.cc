// SPDX-License-Identifier: Apache-2.0

#include "base/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sheaf {

namespace {

// The maximum size of a Git LFS pointer, by its specification.
constexpr uint64_t kMaxPointerBytes = 1023;
constexpr absl::string_view kPointerBegin =
    "version https://git-lfs.github.com/spec/v";

// Refuses what is often stored instead of a file: the pointer that Git LFS
// writes if it did not fetch the file, and the web page that a server sends if
// it has no such file.
absl::Status CheckIsNoStandIn(const InputFile& file) {
  uint8_t bytes[64];
  const size_t num_bytes = std::min<uint64_t>(sizeof(bytes), file.size());
  absl::Status read = file.ReadAt(0, absl::MakeSpan(bytes, num_bytes));
  if (!read.ok()) return read;
  const absl::string_view begin(reinterpret_cast<const char*>(bytes),
                                num_bytes);
  if (file.size() <= kMaxPointerBytes &&
      absl::StartsWith(begin, kPointerBegin)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s is a Git LFS pointer, not the file that it stands for; \"git lfs "
        "pull\" in its repository fetches that",
        file.path()));
  }
  const absl::string_view text = absl::StripLeadingAsciiWhitespace(begin);
  for (const absl::string_view page : {"<!doctype html", "<html", "<?xml"}) {
    if (!absl::StartsWithIgnoreCase(text, page)) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s is an HTML or XML page, as servers send where they do not have a "
        "file or do not give it; fetch the file anew",
        file.path()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<InputFile> InputFile::Open(const std::string& path) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  int fd;
  do {
    fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": open"));
  InputFile file(path, fd);
  struct stat stat;
  if (fstat(fd, &stat) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": stat"));
  }
  if (!S_ISREG(stat.st_mode)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s is %s; a regular file is needed", path,
        S_ISDIR(stat.st_mode) ? "a directory" : "a pipe, socket or device"));
  }
  file.size_ = static_cast<uint64_t>(stat.st_size);
  if (absl::Status status = CheckIsNoStandIn(file); !status.ok()) {
    return status;
  }
  return file;
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}

InputFile::~InputFile() {
  if (fd_ >= 0) close(fd_);
}

absl::Status InputFile::ReadAt(uint64_t offset, absl::Span<uint8_t> out) const {
  if (offset > size_ || out.size() > size_ - offset) {
    return absl::DataLossError(absl::StrFormat(
        "%s: cannot read %d bytes at byte %d; the file has %d bytes", path_,
        out.size(), offset, size_));
  }
  while (!out.empty()) {
    const ssize_t num_read =
        pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    if (num_read < 0 && errno == EINTR) continue;
    if (num_read < 0) {
      return absl::DataLossError(
          absl::StrFormat("%s: cannot read at byte %d: %s", path_, offset,
                          absl::ErrnoToStatus(errno, "pread").message()));
    }
    if (num_read == 0) {
      return absl::DataLossError(
          absl::StrFormat("%s: ends at byte %d, but had %d bytes when it was "
                          "opened; it was changed meanwhile",
                          path_, offset, size_));
    }
    offset += static_cast<uint64_t>(num_read);
    out.remove_prefix(static_cast<size_t>(num_read));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadTextFile(const std::string& path,
                                         uint64_t max_bytes) {
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  if (file->size() > max_bytes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s has %d bytes; at most %d are read", path, file->size(), max_bytes));
  }
  std::string text(file->size(), '\0');
  absl::Status status = file->ReadAt(
      0, absl::MakeSpan(reinterpret_cast<uint8_t*>(text.data()), text.size()));
  if (!status.ok()) return status;
  return text;
}

std::string Quoted(absl::string_view text) {
  constexpr size_t kMaxQuoted = 200;
  if (text.size() <= kMaxQuoted) {
    return absl::StrCat("\"", absl::CEscape(text), "\"");
  }
  return absl::StrCat("\"", absl::CEscape(text.substr(0, kMaxQuoted)),
                      "...\" (", text.size(), " bytes)");
}

}  // namespace sheaf
