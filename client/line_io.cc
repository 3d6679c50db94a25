// SPDX-License-Identifier: Apache-2.0

#include "client/line_io.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

constexpr size_t kReadBytes = 64 << 10;

}  // namespace

LineReader::LineReader(int fd, absl::string_view name)
    : fd_(fd), name_(name), wake_(eventfd(0, EFD_CLOEXEC)) {}

absl::StatusOr<std::unique_ptr<LineReader>> LineReader::Open(
    const std::string& path) {
  absl::StatusOr<FileDescriptor> file = OpenFile(path, O_RDONLY);
  if (!file.ok()) return file.status();
  auto reader = std::make_unique<LineReader>(file->get(), path);
  reader->owned_.emplace(*std::move(file));
  return reader;
}

absl::StatusOr<std::optional<std::string>> LineReader::Next() {
  if (is_interrupted_) return std::nullopt;
  size_t searched = begin_;
  size_t end;
  while ((end = buffer_.find('\n', searched)) == std::string::npos) {
    searched = buffer_.size() - begin_;  // Fill() moves the line to the front.
    absl::StatusOr<bool> more = Fill();
    if (!more.ok()) return more.status();
    if (!*more) {
      if (is_interrupted_ || begin_ == buffer_.size()) return std::nullopt;
      end = buffer_.size();
      break;
    }
  }
  std::string line = buffer_.substr(begin_, end - begin_);
  begin_ = end == buffer_.size() ? end : end + 1;
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

absl::StatusOr<std::string> LineReader::Rest() {
  for (;;) {
    absl::StatusOr<bool> more = Fill();
    if (!more.ok()) return more.status();
    if (!*more) break;
  }
  std::string rest = buffer_.substr(begin_);
  begin_ = buffer_.size();
  return rest;
}

void LineReader::Interrupt() {
  is_interrupted_ = true;
  eventfd_write(wake_.get(), 1);
}

absl::StatusOr<bool> LineReader::Fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  while (!is_interrupted_) {
    pollfd fds[] = {{wake_.get(), POLLIN, 0}, {fd_, POLLIN, 0}};
    if (poll(fds, 2, /*timeout=*/-1) < 0 && errno != EINTR) {
      return absl::ErrnoToStatus(errno, absl::StrCat("reading ", name_));
    }
    if (fds[1].revents == 0) continue;
    const size_t size = buffer_.size();
    buffer_.resize(size + kReadBytes);
    const ssize_t count = read(fd_, buffer_.data() + size, kReadBytes);
    const int error = errno;
    buffer_.resize(size + (count > 0 ? count : 0));
    if (count >= 0) return count > 0;
    if (error != EINTR && error != EAGAIN) {
      return absl::ErrnoToStatus(error, absl::StrCat("reading ", name_));
    }
  }
  return false;
}

absl::Status Writer::Write(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(fd_, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(count);
    } else if (errno == EAGAIN) {
      pollfd wait = {fd_, POLLOUT, 0};
      poll(&wait, 1, /*timeout=*/-1);
    } else if (errno != EINTR) {
      is_closed_ = errno == EPIPE;
      return absl::ErrnoToStatus(errno, absl::StrCat("writing ", name_));
    }
  }
  return absl::OkStatus();
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<FileDescriptor> OpenFile(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0666);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("opening ", path));
  return FileDescriptor(fd);
}

}  // namespace sheaf
