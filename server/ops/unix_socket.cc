// SPDX-License-Identifier: Apache-2.0

#include "server/ops/unix_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/check.h"
#include "base/host_port.h"

namespace sheaf {
namespace {

constexpr mode_t kMode = 0660;
constexpr int kLockTries = 20;
constexpr absl::Duration kLockPause = absl::Milliseconds(50);

sockaddr_un AddressOf(const std::string& path) {
  SHEAF_CHECK(!path.empty() && path.size() <= kMaxUnixPathBytes);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

int MakeSocket() {
  return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

absl::Status CannotListen(const std::string& path, absl::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrFormat("cannot listen on unix:%s%s", path, why));
}

absl::Status CannotListen(const std::string& path, int error) {
  const absl::Status reason = absl::ErrnoToStatus(error, "");
  return CannotListen(path, reason.message());
}

// Holds the directory's lock, so that if two servers find the file of a third,
// which is gone, only one of them removes it. Holds nothing if the directory
// cannot be opened, or if another program keeps the lock.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& path) {
    const size_t slash = path.rfind('/');
    const std::string directory =
        slash == std::string::npos ? "." : path.substr(0, slash + 1);
    fd_ = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < kLockTries && fd_ >= 0; ++i) {
      if (flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
      absl::SleepFor(kLockPause);
    }
  }
  ~DirectoryLock() {
    if (fd_ >= 0) close(fd_);
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int fd_;
};

// Whether no process listens on the socket's file any more.
bool IsLeftOver(const sockaddr_un& address) {
  const int fd = MakeSocket();
  if (fd < 0) return false;
  const int result =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const bool is_left_over = result != 0 && errno == ECONNREFUSED;
  close(fd);
  return is_left_over;
}

bool Bind(int fd, const sockaddr_un& address) {
  return bind(fd, reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) == 0;
}

// Binds and listens; replaces a file that was left over.
absl::Status BindAndListen(int fd, const std::string& path) {
  const sockaddr_un address = AddressOf(path);
  const DirectoryLock lock(path);
  fchmod(fd, kMode);  // so that the file never has more permissions
  if (!Bind(fd, address)) {
    if (errno != EADDRINUSE) return CannotListen(path, errno);
    struct stat file;
    if (lstat(path.c_str(), &file) == 0 && !S_ISSOCK(file.st_mode)) {
      return CannotListen(path, "; the file there is not a socket");
    }
    if (!IsLeftOver(address)) {
      return CannotListen(path, "; is the address taken?");
    }
    if (unlink(path.c_str()) != 0 || !Bind(fd, address)) {
      return CannotListen(path, errno);
    }
  }
  // The umask has cleared bits of the mode.
  if (chmod(path.c_str(), kMode) != 0 || listen(fd, SOMAXCONN) != 0) {
    const int error = errno;
    unlink(path.c_str());
    return CannotListen(path, error);
  }
  return absl::OkStatus();
}

}  // namespace

UnixSocketFile::UnixSocketFile(std::string path, int fd, dev_t device,
                               ino_t inode)
    : path_(std::move(path)), fd_(fd), device_(device), inode_(inode) {}

absl::StatusOr<std::unique_ptr<UnixSocketFile>> UnixSocketFile::Listen(
    const std::string& path) {
  const int fd = MakeSocket();
  if (fd < 0) return CannotListen(path, errno);
  absl::Status status = BindAndListen(fd, path);
  struct stat file;
  if (status.ok() && lstat(path.c_str(), &file) != 0) {
    status = CannotListen(path, errno);
  }
  if (!status.ok()) {
    close(fd);
    return status;
  }
  return std::unique_ptr<UnixSocketFile>(
      new UnixSocketFile(path, fd, file.st_dev, file.st_ino));
}

UnixSocketFile::~UnixSocketFile() {
  struct stat file;
  if (lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ &&
      file.st_ino == inode_) {
    unlink(path_.c_str());
  }
}

}  // namespace sheaf
