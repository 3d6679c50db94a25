// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// The files of one directory that must survive a crash. A file has its old or
// its new content at any moment, and a change that was reported as done stays.
//
// Only one process at a time can open a directory: it holds a lock on the file
// "lock" in it.
//
// Errors name the path and the system's reason. Thread-safe, except that two
// threads may not change the same file at a time.
class DurableFiles {
 public:
  // NOT_FOUND if the directory cannot be opened, FAILED_PRECONDITION if another
  // process has it or if it cannot be written. Removes what a crash has left
  // half-written.
  static absl::StatusOr<std::unique_ptr<DurableFiles>> Open(
      const std::string& directory);
  // Whether the directory can be opened, as far as can be told without opening
  // it.
  static absl::Status CheckDirectory(const std::string& directory);
  ~DurableFiles();
  DurableFiles(const DurableFiles&) = delete;
  DurableFiles& operator=(const DurableFiles&) = delete;

  const std::string& directory() const { return directory_; }
  std::string PathOf(absl::string_view name) const;

  // Creates or replaces the file `name`. If it fails, the file has its old
  // content, or its new one if only the last sync of the directory failed.
  absl::Status Write(absl::string_view name, absl::string_view bytes) const;
  // Does nothing if there is no such file.
  absl::Status Remove(absl::string_view name) const;

 private:
  DurableFiles(std::string directory, int directory_fd, int lock_fd)
      : directory_(std::move(directory)),
        directory_fd_(directory_fd),
        lock_fd_(lock_fd) {}
  absl::Status RemoveUnfinished() const;
  absl::Status Sync() const;

  const std::string directory_;
  const int directory_fd_;
  const int lock_fd_;
};

}  // namespace sheaf
