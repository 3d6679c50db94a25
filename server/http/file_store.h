// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"

namespace sheaf {

// Files that wait in memory until their clients fetch them. Their names cannot
// be guessed, so a name is all that a client needs. The oldest files make room
// for new ones, and all end after kLifetime.
//
// Thread-safe.
class FileStore {
 public:
  static constexpr absl::Duration kLifetime = absl::Minutes(10);

  // `max_bytes` is the maximum of all files together.
  explicit FileStore(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Returns the name: 32 hexadecimal digits, '.' and the extension. A file of
  // more than max_bytes is gone at once.
  std::string Put(absl::string_view extension, std::string bytes,
                  MonotonicTime now);

  // Null: there is no such file, or not any more.
  std::shared_ptr<const std::string> Get(absl::string_view name,
                                         MonotonicTime now);
  // The same, and removes it.
  std::shared_ptr<const std::string> Take(absl::string_view name,
                                          MonotonicTime now);

 private:
  struct Entry {
    std::string name;
    MonotonicTime end;
  };
  void DropOldest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropOld(MonotonicTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t max_bytes_;
  absl::Mutex mu_;
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mu_);  // oldest first
  absl::flat_hash_map<std::string, std::shared_ptr<const std::string>> files_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
