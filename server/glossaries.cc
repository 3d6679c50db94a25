// SPDX-License-Identifier: Apache-2.0

#include "server/glossaries.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/input_file.h"
#include "server/ops/file_stamp.h"
#include "text/language_set.h"
#include "text/languages.h"
#include "text/terms/glossary_file.h"

namespace sheaf {
namespace {

constexpr absl::string_view kExtension = ".tsv";
constexpr size_t kMaxNameBytes = 64;

bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_';
         });
}

// The names of the directory's glossary files, in order.
absl::StatusOr<std::set<std::string>> ListFiles(const std::string& directory) {
  std::set<std::string> files;
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator(directory, error);
       !error && it != std::filesystem::directory_iterator();
       it.increment(error)) {
    std::string file = it->path().filename().string();
    if (absl::EndsWith(file, kExtension)) files.insert(std::move(file));
    if (files.size() > Glossaries::kMaxFiles) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s has more than %d glossary files", directory,
                          Glossaries::kMaxFiles));
    }
  }
  if (error) {
    return absl::NotFoundError(absl::StrFormat(
        "cannot list the glossaries in %s: %s", directory, error.message()));
  }
  return files;
}

absl::Status WithPath(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(path, ": ", status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Glossaries>> Glossaries::Load(
    const std::string& directory, OnReload on_reload) {
  std::unique_ptr<Glossaries> glossaries(
      new Glossaries(directory, std::move(on_reload)));
  const absl::StatusOr<std::set<std::string>> files = ListFiles(directory);
  if (!files.ok()) return files.status();
  ByFile all;
  absl::MutexLock lock(&glossaries->look_mu_);
  for (const std::string& file : *files) {
    glossaries->states_[file].stamp = FileStamp(directory + "/" + file);
    absl::StatusOr<Named> named = glossaries->Read(file);
    if (!named.ok()) return named.status();
    all.emplace(file, *std::move(named));
  }
  absl::MutexLock files_lock(&glossaries->mu_);
  glossaries->files_ = std::make_shared<const ByFile>(std::move(all));
  return glossaries;
}

absl::StatusOr<Glossaries::Named> Glossaries::Read(
    const std::string& file) const {
  const std::string path = directory_ + "/" + file;
  absl::string_view stem = absl::StripSuffix(file, kExtension);
  const size_t dot = stem.find('.');
  Named named;
  if (dot != absl::string_view::npos) {
    named.name = std::string(stem.substr(0, dot));
    const absl::StatusOr<std::vector<LanguagePair>> pairs =
        ParseLanguagePairs("the name", stem.substr(dot + 1));
    if (!pairs.ok()) return WithPath(path, pairs.status());
    if (pairs->size() == 1) named.languages = pairs->front();
  }
  if (!IsName(named.name) || named.languages.source.code.empty()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s is no name of a glossary; allowed is NAME.SOURCE-TARGET.tsv with a "
        "NAME of 1..%d letters, digits, \"-\" and \"_\"",
        path, kMaxNameBytes));
  }
  const absl::StatusOr<std::string> text = ReadTextFile(path, kMaxFileBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<std::shared_ptr<const Glossary>> terms = ParseGlossary(*text);
  if (!terms.ok()) return WithPath(path, terms.status());
  named.terms = *std::move(terms);
  return named;
}

void Glossaries::Look(bool is_asked) {
  absl::MutexLock lock(&look_mu_);
  const absl::StatusOr<std::set<std::string>> listed = ListFiles(directory_);
  const absl::Status before = std::exchange(directory_status_, listed.status());
  if (!listed.ok()) {
    if (is_asked || before != listed.status()) {
      on_reload_(directory_, listed.status(), /*num_terms=*/0);
    }
    return;
  }
  ByFile files = *Current();
  for (auto it = states_.begin(); it != states_.end();) {
    if (listed->contains(it->first)) {
      ++it;
      continue;
    }
    files.erase(it->first);
    on_reload_(it->first, absl::OkStatus(), /*num_terms=*/0);
    it = states_.erase(it);
  }
  for (const std::string& file : *listed) LookAt(file, is_asked, files);
  absl::MutexLock files_lock(&mu_);
  files_ = std::make_shared<const ByFile>(std::move(files));
}

void Glossaries::LookAt(const std::string& file, bool is_asked, ByFile& files) {
  FileState& state = states_[file];
  std::string stamp = FileStamp(directory_ + "/" + file);
  if (!is_asked && state.status.ok() && stamp == state.stamp) return;
  absl::StatusOr<Named> named = Read(file);
  const bool is_new =
      stamp != state.stamp || named.status() != state.status || is_asked;
  state = {std::move(stamp), named.status()};
  const int32_t num_terms = named.ok() ? named->terms->size() : 0;
  if (named.ok()) files[file] = *std::move(named);
  if (is_new) on_reload_(file, state.status, num_terms);
}

std::shared_ptr<const Glossaries::ByFile> Glossaries::Current() const {
  absl::MutexLock lock(&mu_);
  return files_;
}

absl::StatusOr<std::shared_ptr<const Glossary>> Glossaries::Find(
    absl::string_view name, absl::string_view source,
    absl::string_view target) const {
  const std::optional<Language> from = ReadLanguage(source);
  const std::optional<Language> to = ReadLanguage(target);
  const std::shared_ptr<const ByFile> files = Current();
  std::shared_ptr<const Glossary> nearest;
  int32_t least = 0;
  std::set<std::string> names;
  for (const auto& [file, each] : *files) {
    const std::optional<int32_t> source_distance =
        from ? LanguageDistance(*from, each.languages.source) : 0;
    const std::optional<int32_t> target_distance =
        to ? LanguageDistance(*to, each.languages.target) : 0;
    if (!source_distance || !target_distance) continue;
    names.insert(each.name);
    const int32_t distance = *source_distance + *target_distance;
    if (each.name != name || (nearest != nullptr && distance >= least)) {
      continue;
    }
    nearest = each.terms;
    least = distance;
  }
  if (nearest != nullptr) return nearest;
  return absl::InvalidArgumentError(
      absl::StrFormat("glossary is %s; for %s-%s this server has %s",
                      Quoted(name), source.empty() ? "?" : source, target,
                      names.empty() ? "none"
                                    : ListedShortly(std::vector<std::string>(
                                          names.begin(), names.end()))));
}

}  // namespace sheaf
