// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "text/model_languages.h"
#include "text/terms/glossary.h"

namespace sheaf {

// The glossaries of a directory (--glossaries): a file NAME.SOURCE-TARGET.tsv
// for each name and pair of languages, such as "medical.en-de.tsv". NAME has
// 1..64 letters, digits, '-' and '_'; within a language, '_' stands for '-'
// ("legal.en-pt_BR.tsv"). glossary_file.h has the format. Files whose names do
// not end with ".tsv" are no glossaries.
//
// If a file becomes invalid, this is reported, and its last valid state stays.
//
// Thread-safe.
class Glossaries {
 public:
  static constexpr uint64_t kMaxFileBytes = uint64_t{256} << 20;
  static constexpr size_t kMaxFiles = 1000;

  // Called for each change of a file, with OK or the error, which names the
  // file; `num_terms` is 0 if the file is gone or invalid.
  using OnReload = std::function<void(
      const std::string& file, const absl::Status& status, int32_t num_terms)>;

  // INVALID_ARGUMENT names file and line, NOT_FOUND what cannot be read. Only
  // Look() reads the directory again.
  static absl::StatusOr<std::unique_ptr<Glossaries>> Load(
      const std::string& directory, OnReload on_reload);

  // Reads the files that have changed or were invalid, or all if `is_asked`;
  // then `on_reload` is called even for those without a change.
  void Look(bool is_asked);

  // The glossary of this name for a translation, by BCP 47 tags. The nearest
  // languages win (LanguageDistance()); an empty source means that it is not
  // known. INVALID_ARGUMENT, which begins with "glossary", lists the names that
  // there are for these languages.
  absl::StatusOr<std::shared_ptr<const Glossary>> Find(
      absl::string_view name, absl::string_view source,
      absl::string_view target) const;

 private:
  struct Named {
    std::string name;
    LanguagePair languages;
    std::shared_ptr<const Glossary> terms;
  };
  using ByFile = std::map<std::string, Named>;  // by the file's name

  // The last state of a file.
  struct FileState {
    std::string stamp;
    absl::Status status;  // of the last read
  };

  Glossaries(std::string directory, OnReload on_reload)
      : directory_(std::move(directory)), on_reload_(std::move(on_reload)) {}
  absl::StatusOr<Named> Read(const std::string& file) const;
  void LookAt(const std::string& file, bool is_asked, ByFile& files)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(look_mu_);
  std::shared_ptr<const ByFile> Current() const;

  const std::string directory_;
  const OnReload on_reload_;
  // Held while files are read; calls do not wait for it. Acquired before mu_.
  absl::Mutex look_mu_;
  std::map<std::string, FileState> states_ ABSL_GUARDED_BY(look_mu_);
  absl::Status directory_status_ ABSL_GUARDED_BY(look_mu_);
  mutable absl::Mutex mu_;
  std::shared_ptr<const ByFile> files_ ABSL_GUARDED_BY(mu_) =
      std::make_shared<const ByFile>();
};

}  // namespace sheaf
