#include "server/text/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sheaf {

absl::StatusOr<std::string> ReadRegularFile(const std::string& path,
                                            int64_t max_bytes) {
  // Without O_NONBLOCK a pipe would hold us until somebody writes to it.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": open"));
  absl::Cleanup close_file = [fd] { close(fd); };
  struct stat stat;
  if (fstat(fd, &stat) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": stat"));
  }
  if (!S_ISREG(stat.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is no regular file; one is needed"));
  }
  if (stat.st_size > max_bytes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s has %d bytes; at most %d are read", path, stat.st_size, max_bytes));
  }
  std::string bytes(static_cast<size_t>(stat.st_size), '\0');
  size_t num_read = 0;
  while (num_read < bytes.size()) {
    const ssize_t n =
        read(fd, bytes.data() + num_read, bytes.size() - num_read);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": read"));
    if (n == 0) break;  // cut short since: what reads the bytes complains
    num_read += static_cast<size_t>(n);
  }
  bytes.resize(num_read);
  return bytes;
}

}  // namespace sheaf
