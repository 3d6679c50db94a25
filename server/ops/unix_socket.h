// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace sheaf {

// The file of a Unix socket that this process listens on. Its mode is 0660,
// whatever the umask is, so that owner and group may connect. The permissions
// of the directory are the operator's.
//
// The destructor removes the file, unless another server has replaced it.
class UnixSocketFile {
 public:
  // Replaces the file of a server that is gone. FAILED_PRECONDITION if another
  // server listens there, or if a file of another kind has the name. REQUIRES:
  // `path` has 1..kMaxUnixPathBytes bytes, none of them 0.
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
