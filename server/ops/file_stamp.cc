// SPDX-License-Identifier: Apache-2.0

#include "server/ops/file_stamp.h"

#include <sys/stat.h>

#include "absl/strings/str_format.h"

namespace sheaf {

std::string FileStamp(const std::string& path) {
  struct stat file;
  if (stat(path.c_str(), &file) != 0) return "";
  // A replaced file has another inode. The second time also changes with
  // permissions and owner.
  return absl::StrFormat("%d %d %d %d.%09d %d.%09d", file.st_dev, file.st_ino,
                         file.st_size, file.st_mtim.tv_sec,
                         file.st_mtim.tv_nsec, file.st_ctim.tv_sec,
                         file.st_ctim.tv_nsec);
}

}  // namespace sheaf
