// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/ops/durable_files.h"
#include "text/terms/glossary.h"
#include "text/terms/term_list.h"

namespace sheaf {

// The terms of a glossary for one pair of languages. Immutable.
struct CallerDictionary {
  std::string source, target;  // Language::code: "en"
  std::string tsv;             // TermsToTsv()
  int32_t num_entries = 0;
  std::shared_ptr<const Glossary> terms;

  // INVALID_ARGUMENT if there is no entry, or if they have more than
  // kMaxEntriesBytes; other errors are those of GlossaryOfTerms(). REQUIRES:
  // the codes are those of languages.
  static absl::StatusOr<std::shared_ptr<const CallerDictionary>> Make(
      std::string source, std::string target, absl::Span<const TermPair> pairs,
      absl::FunctionRef<bool()> is_wanted);
};

// A glossary that a caller has created.
struct CallerGlossary {
  using Dictionaries = std::vector<std::shared_ptr<const CallerDictionary>>;

  std::string id;     // 32 hexadecimal digits as a UUID
  std::string owner;  // CallerLease::caller()
  std::string name;
  absl::Time created;
  Dictionaries dictionaries;  // at most one for each pair of languages

  // The one of this pair, by Language::code; null: none.
  std::shared_ptr<const CallerDictionary> Find(absl::string_view source,
                                               absl::string_view target) const;
};

// The glossaries that callers create over HTTP (--http_glossaries), in memory
// and as files of a directory, one "ID.json" for each. Only its owner sees,
// uses, changes and deletes a glossary.
//
// Invariants:
//   1. What Create(), Replace() and Delete() report as done survives a crash
//      and a restart (DurableFiles).
//   2. All glossaries together, and those of one owner, keep the limits.
//
// A file that cannot be read when the server starts is reported and stays where
// it is; its glossary is absent.
//
// Thread-safe. Create(), Replace() and Delete() wait for the disk.
class CallerGlossaries {
 public:
  using Item = std::shared_ptr<const CallerGlossary>;

  struct Limits {
    size_t max_glossaries_of_owner = 1000;
    // Bytes of memory, which are about three times those of the entries.
    int64_t max_bytes = int64_t{64} << 20;
    int64_t max_bytes_of_owner = int64_t{16} << 20;
  };
  // Limits of a name, and of the entries of a dictionary as text.
  static constexpr size_t kMaxNameBytes = 1024;
  static constexpr size_t kMaxEntriesBytes = size_t{10} << 20;
  static constexpr size_t kMaxDictionaries = 100;

  // Called for a file that is not taken, or cannot be written or removed.
  using OnError = std::function<void(const absl::Status& status)>;

  // Errors are those of DurableFiles::Open(). Reads all files.
  static absl::StatusOr<std::unique_ptr<CallerGlossaries>> Open(
      const std::string& directory, const Limits& limits, OnError on_error);

  // Each returns the glossary as it is from now on.
  //   INVALID_ARGUMENT    the name or the number of dictionaries is not allowed
  //   RESOURCE_EXHAUSTED  a limit; the message names it
  //   INTERNAL            the disk; OnError has the reason
  absl::StatusOr<Item> Create(std::string owner, std::string name,
                              CallerGlossary::Dictionaries dictionaries);
  // ABORTED if `current` is no longer the state of the glossary, or it is
  // deleted. `next` keeps its id, owner and time.
  absl::StatusOr<Item> Replace(const Item& current, CallerGlossary next);

  // NOT_FOUND if the owner has no such glossary.
  absl::Status Delete(absl::string_view owner, absl::string_view id);

  // Null: the owner has none with this id.
  Item Get(absl::string_view owner, absl::string_view id) const;
  // The owner's, oldest first.
  std::vector<Item> List(absl::string_view owner) const;

 private:
  using ById = std::map<std::string, Item, std::less<>>;
  struct Owned {
    ById items;
    int64_t bytes = 0;
  };

  CallerGlossaries(std::unique_ptr<DurableFiles> files, const Limits& limits,
                   OnError on_error)
      : files_(std::move(files)),
        limits_(limits),
        on_error_(std::move(on_error)) {}

  absl::Status Load();
  absl::StatusOr<CallerGlossary> Read(const std::string& file) const;
  absl::Status CheckLimits(const CallerGlossary& next, int64_t old_bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Item> Store(CallerGlossary next, const Item& current)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  void Put(const Item& item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Drop(const Item& item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Report(const absl::Status& status) const;

  const std::unique_ptr<DurableFiles> files_;
  const Limits limits_;
  const OnError on_error_;
  // Held while a file is written; Get() and List() do not wait for it. Acquired
  // before mu_.
  absl::Mutex write_mu_;
  mutable absl::Mutex mu_;
  std::map<std::string, Owned, std::less<>> owners_ ABSL_GUARDED_BY(mu_);
  int64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace sheaf
