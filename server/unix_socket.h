#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace sheaf {

// The longest path that fits into a sockaddr_un with its final zero.
inline constexpr size_t kMaxUnixPathBytes = 107;

// The file of a Unix socket that this process listens on. Whoever may write to
// the file may connect: the owner and the group (mode 0660, whatever the umask
// is). The directory's permissions are the operator's.
//
// The destructor removes the file, unless another server's has taken its place.
class UnixSocketFile {
 public:
  // FAILED_PRECONDITION if that cannot be: another server listens there, or a
  // file of another kind has the name. The file of a server that is gone is
  // replaced. REQUIRES: `path` has 1..kMaxUnixPathBytes bytes, none of them 0.
  static absl::StatusOr<std::unique_ptr<UnixSocketFile>> Listen(
      const std::string& path);
  ~UnixSocketFile();
  UnixSocketFile(const UnixSocketFile&) = delete;
  UnixSocketFile& operator=(const UnixSocketFile&) = delete;

  // Non-blocking; the caller closes it.
  int fd() const { return fd_; }

 private:
  UnixSocketFile(std::string path, int fd, dev_t device, ino_t inode);

  const std::string path_;
  const int fd_;
  const dev_t device_;
  const ino_t inode_;
};

}  // namespace sheaf
