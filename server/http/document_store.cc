// SPDX-License-Identifier: Apache-2.0

#include "server/http/document_store.h"

#include <openssl/crypto.h>

#include "absl/strings/str_format.h"
#include "base/check.h"
#include "server/ops/random_hex.h"

namespace sheaf {
namespace {

constexpr size_t kIdBytes = 16;
constexpr size_t kKeyBytes = 32;

// Takes the same time however much of the key is right.
bool IsSameKey(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() &&
         CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

absl::StatusOr<DocumentStore::Handle> DocumentStore::Add(
    absl::string_view caller, int64_t num_characters, MonotonicTime now) {
  Handle handle = {RandomHex(kIdBytes), RandomHex(kKeyBytes)};
  absl::MutexLock lock(&mu_);
  DropOld(now);
  const auto own = num_of_caller_.find(caller);
  if (own != num_of_caller_.end() && own->second >= kMaxDocumentsOfCaller) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "you have %d documents that are translated or wait to be downloaded, "
        "the maximum of this server",
        own->second));
  }
  if (documents_.size() >= kMaxDocuments) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "%d documents are translated or wait to be downloaded, the maximum of "
        "this server",
        documents_.size()));
  }
  ++num_of_caller_[std::string(caller)];
  Document document;
  document.caller = std::string(caller);
  document.key = handle.key;
  document.state.num_characters = num_characters;
  documents_.emplace(handle.id, std::move(document));
  return handle;
}

void DocumentStore::Finish(absl::string_view id, absl::string_view extension,
                           absl::StatusOr<std::string> file,
                           MonotonicTime now) {
  absl::MutexLock lock(&mu_);
  const auto found = documents_.find(id);
  SHEAF_CHECK(found != documents_.end());
  Document& document = found->second;
  if (file.ok()) {
    document.state.kind = State::Kind::kDone;
    document.file_name = files_->Put(extension, *std::move(file), now);
  } else {
    document.state.kind = State::Kind::kFailed;
    document.state.error = std::string(file.status().message());
  }
  ended_.push_back({std::string(id), now + FileStore::kLifetime});
}

std::optional<DocumentStore::State> DocumentStore::Look(
    absl::string_view caller, const Handle& handle, MonotonicTime now) {
  absl::MutexLock lock(&mu_);
  const auto found = Find(caller, handle, now);
  if (found == documents_.end()) return std::nullopt;
  return found->second.state;
}

absl::StatusOr<DocumentStore::Result> DocumentStore::Take(
    absl::string_view caller, const Handle& handle, MonotonicTime now) {
  absl::MutexLock lock(&mu_);
  const auto found = Find(caller, handle, now);
  if (found == documents_.end()) {
    return absl::NotFoundError(
        "there is no such document, or not any more, or the key is another");
  }
  if (found->second.state.kind != State::Kind::kDone) {
    return absl::UnavailableError("the document is not translated");
  }
  Result result = {found->second.file_name,
                   files_->Take(found->second.file_name, now)};
  Drop(found);
  if (result.file != nullptr) return result;
  return absl::NotFoundError("the document is gone");
}

DocumentStore::ById::iterator DocumentStore::Find(absl::string_view caller,
                                                  const Handle& handle,
                                                  MonotonicTime now) {
  DropOld(now);
  const auto found = documents_.find(handle.id);
  if (found == documents_.end() || found->second.caller != caller ||
      !IsSameKey(found->second.key, handle.key)) {
    return documents_.end();
  }
  // Others may have taken its place in the FileStore.
  if (found->second.state.kind == State::Kind::kDone &&
      files_->Get(found->second.file_name, now) == nullptr) {
    Drop(found);
    return documents_.end();
  }
  return found;
}

void DocumentStore::DropOld(MonotonicTime now) {
  while (!ended_.empty() && ended_.front().end <= now) {
    const auto found = documents_.find(ended_.front().id);
    if (found != documents_.end()) Drop(found);
    ended_.pop_front();
  }
}

void DocumentStore::Drop(ById::iterator document) {
  const auto own = num_of_caller_.find(document->second.caller);
  if (--own->second == 0) num_of_caller_.erase(own);
  documents_.erase(document);
}

}  // namespace sheaf
