// SPDX-License-Identifier: Apache-2.0

#include "server/http/file_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/ops/random_hex.h"

namespace sheaf {
namespace {

constexpr size_t kNameBytes = 16;

}  // namespace

std::string FileStore::Put(absl::string_view extension, std::string bytes,
                           MonotonicTime now) {
  std::string name = absl::StrCat(RandomHex(kNameBytes), ".", extension);
  auto file = std::make_shared<const std::string>(std::move(bytes));
  absl::MutexLock lock(&mu_);
  DropOld(now);
  bytes_ += file->size();
  entries_.push_back({name, now + kLifetime});
  files_.emplace(name, std::move(file));
  while (bytes_ > max_bytes_) DropOldest();
  return name;
}

std::shared_ptr<const std::string> FileStore::Get(absl::string_view name,
                                                  MonotonicTime now) {
  absl::MutexLock lock(&mu_);
  DropOld(now);
  const auto found = files_.find(name);
  return found == files_.end() ? nullptr : found->second;
}

std::shared_ptr<const std::string> FileStore::Take(absl::string_view name,
                                                   MonotonicTime now) {
  absl::MutexLock lock(&mu_);
  DropOld(now);
  const auto found = files_.find(name);
  if (found == files_.end()) return nullptr;
  std::shared_ptr<const std::string> file = std::move(found->second);
  bytes_ -= file->size();
  files_.erase(found);
  entries_.erase(
      std::find_if(entries_.begin(), entries_.end(),
                   [&](const Entry& entry) { return entry.name == name; }));
  return file;
}

void FileStore::DropOldest() {
  const auto found = files_.find(entries_.front().name);
  bytes_ -= found->second->size();
  files_.erase(found);
  entries_.pop_front();
}

void FileStore::DropOld(MonotonicTime now) {
  while (!entries_.empty() && entries_.front().end <= now) DropOldest();
}

}  // namespace sheaf
