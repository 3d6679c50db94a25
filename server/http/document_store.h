// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"
#include "server/http/file_store.h"

namespace sheaf {

// Documents that are translated while their clients do other things, and then
// wait in a FileStore until they are fetched once. A document is found by its
// caller, its id and its key together.
//
// A document that has ended is known for FileStore::kLifetime, and a translated
// one as long as the FileStore has its file.
//
// Thread-safe.
class DocumentStore {
 public:
  // More documents of one caller, or of all, are refused.
  static constexpr size_t kMaxDocumentsOfCaller = 100;
  static constexpr size_t kMaxDocuments = 10'000;

  struct Handle {
    std::string id, key;  // 32 and 64 hexadecimal digits
  };
  struct State {
    enum class Kind { kTranslating, kDone, kFailed };
    Kind kind = Kind::kTranslating;
    int64_t num_characters = 0;
    std::string error = "";  // of kFailed
  };

  explicit DocumentStore(std::shared_ptr<FileStore> files)
      : files_(std::move(files)) {}

  // A document whose translation begins. RESOURCE_EXHAUSTED names the limit.
  absl::StatusOr<Handle> Add(absl::string_view caller, int64_t num_characters,
                             MonotonicTime now);

  // The translation has ended, with the file or with an error. REQUIRES: called
  // once for each document.
  void Finish(absl::string_view id, absl::string_view extension,
              absl::StatusOr<std::string> file, MonotonicTime now);

  // Nullopt: the caller has no such document, or not any more.
  std::optional<State> Look(absl::string_view caller, const Handle& handle,
                            MonotonicTime now);

  // The translated file, which is removed with its document. NOT_FOUND as
  // above; UNAVAILABLE if it is not translated.
  struct Result {
    std::string name;  // of FileStore::Put()
    std::shared_ptr<const std::string> file;
  };
  absl::StatusOr<Result> Take(absl::string_view caller, const Handle& handle,
                              MonotonicTime now);

 private:
  struct Document {
    std::string caller, key;
    State state;
    std::string file_name;  // of kDone, in files_
  };
  using ById = std::map<std::string, Document, std::less<>>;
  struct Ended {
    std::string id;
    MonotonicTime end;
  };

  ById::iterator Find(absl::string_view caller, const Handle& handle,
                      MonotonicTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropOld(MonotonicTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Drop(ById::iterator document) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<FileStore> files_;
  absl::Mutex mu_;
  ById documents_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, size_t, std::less<>> num_of_caller_
      ABSL_GUARDED_BY(mu_);
  // In the order of their ends; some may have been fetched since.
  std::deque<Ended> ended_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
