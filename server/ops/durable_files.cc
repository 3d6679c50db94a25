// SPDX-License-Identifier: Apache-2.0

#include "server/ops/durable_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sheaf {
namespace {

constexpr char kLock[] = "lock";
constexpr absl::string_view kUnfinished = ".unfinished";

absl::Status Failed(absl::StatusCode code, absl::string_view what,
                    const std::string& path) {
  return absl::Status(code, absl::StrFormat("cannot %s %s: %s", what, path,
                                            std::strerror(errno)));
}

// Writes all bytes and has them reach the disk.
bool WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(fd) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DurableFiles>> DurableFiles::Open(
    const std::string& directory) {
  const int directory_fd =
      open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_fd < 0) {
    return Failed(absl::StatusCode::kNotFound, "open the directory", directory);
  }
  const int lock_fd =
      openat(directory_fd, kLock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  std::unique_ptr<DurableFiles> files(
      new DurableFiles(directory, directory_fd, lock_fd));
  if (lock_fd < 0) {
    return Failed(absl::StatusCode::kFailedPrecondition, "write",
                  files->PathOf(kLock));
  }
  if (flock(lock_fd, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        errno == EWOULDBLOCK
            ? absl::StrCat(directory, " is in use by another process")
            : absl::StrFormat("cannot lock %s: %s", files->PathOf(kLock),
                              std::strerror(errno)));
  }
  if (absl::Status status = files->RemoveUnfinished(); !status.ok()) {
    return status;
  }
  return files;
}

absl::Status DurableFiles::CheckDirectory(const std::string& directory) {
  // The slash fails for a file that is no directory.
  if (access((directory + "/").c_str(), R_OK | W_OK | X_OK) == 0) {
    return absl::OkStatus();
  }
  return Failed(absl::StatusCode::kNotFound, "write to the directory",
                directory);
}

DurableFiles::~DurableFiles() {
  if (lock_fd_ >= 0) close(lock_fd_);
  close(directory_fd_);
}

std::string DurableFiles::PathOf(absl::string_view name) const {
  return absl::StrCat(directory_, "/", name);
}

absl::Status DurableFiles::RemoveUnfinished() const {
  std::error_code error;
  std::filesystem::directory_iterator files(directory_, error);
  for (; !error && files != std::filesystem::directory_iterator();
       files.increment(error)) {
    const std::string name = files->path().filename().string();
    if (absl::EndsWith(name, kUnfinished)) {
      std::filesystem::remove(files->path(), error);
    }
    if (error) break;
  }
  if (!error) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "cannot clean the directory %s: %s", directory_, error.message()));
}

absl::Status DurableFiles::Write(absl::string_view name,
                                 absl::string_view bytes) const {
  const std::string unfinished = absl::StrCat(name, kUnfinished);
  const int fd =
      openat(directory_fd_, unfinished.c_str(),
             O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  bool is_written = fd >= 0 && WriteAll(fd, bytes);
  if (fd >= 0 && close(fd) != 0) is_written = false;
  if (is_written && renameat(directory_fd_, unfinished.c_str(), directory_fd_,
                             std::string(name).c_str()) == 0) {
    return Sync();
  }
  const absl::Status status =
      Failed(absl::StatusCode::kInternal, "write", PathOf(name));
  unlinkat(directory_fd_, unfinished.c_str(), 0);
  return status;
}

absl::Status DurableFiles::Remove(absl::string_view name) const {
  if (unlinkat(directory_fd_, std::string(name).c_str(), 0) != 0 &&
      errno != ENOENT) {
    return Failed(absl::StatusCode::kInternal, "remove", PathOf(name));
  }
  return Sync();
}

absl::Status DurableFiles::Sync() const {
  if (fsync(directory_fd_) == 0) return absl::OkStatus();
  return Failed(absl::StatusCode::kInternal, "write", directory_);
}

}  // namespace sheaf
