// SPDX-License-Identifier: Apache-2.0

#include "server/http/file_store.h"

#include <openssl/rand.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace sheaf {
namespace {

std::string RandomName() {
  constexpr size_t kBytes = 16;
  std::string bytes(kBytes, '\0');
  SHEAF_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()),
                         static_cast<int>(bytes.size())) == 1);
  return absl::BytesToHexString(bytes);
}

}  // namespace

std::string FileStore::Put(absl::string_view extension, std::string bytes,
                           MonotonicTime now) {
  std::string name = absl::StrCat(RandomName(), ".", extension);
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
