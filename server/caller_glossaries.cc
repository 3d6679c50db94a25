// SPDX-License-Identifier: Apache-2.0

#include "server/caller_glossaries.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "server/caller_glossary_file.h"

namespace sheaf {
namespace {

// The memory of a glossary without its terms, names included.
constexpr int64_t kGlossaryBytes = 4096;

int64_t BytesOf(const CallerGlossary& glossary) {
  int64_t bytes = kGlossaryBytes;
  for (const auto& dictionary : glossary.dictionaries) {
    bytes += static_cast<int64_t>(dictionary->tsv.size()) +
             dictionary->terms->num_bytes() + kGlossaryBytes;
  }
  return bytes;
}

std::string FileOf(absl::string_view id) {
  return absl::StrCat(id, kCallerGlossaryExtension);
}

absl::Status CheckForm(const CallerGlossary& glossary) {
  if (absl::Status status = CheckGlossaryName(glossary.name); !status.ok()) {
    return status;
  }
  if (glossary.dictionaries.size() <= CallerGlossaries::kMaxDictionaries) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "the glossary has %d dictionaries; this server allows 0..%d",
      glossary.dictionaries.size(), CallerGlossaries::kMaxDictionaries));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const CallerDictionary>> CallerDictionary::Make(
    std::string source, std::string target, absl::Span<const TermPair> pairs,
    absl::FunctionRef<bool()> is_wanted) {
  if (pairs.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no entry for ", source, "-", target));
  }
  std::string tsv = TermsToTsv(pairs);
  if (tsv.size() > CallerGlossaries::kMaxEntriesBytes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the entries for %s-%s have %d bytes; this server allows %d", source,
        target, tsv.size(), CallerGlossaries::kMaxEntriesBytes));
  }
  absl::StatusOr<std::shared_ptr<const Glossary>> terms =
      GlossaryOfTerms(pairs, is_wanted);
  if (!terms.ok()) return terms.status();
  auto dictionary = std::make_shared<CallerDictionary>();
  dictionary->source = std::move(source);
  dictionary->target = std::move(target);
  dictionary->tsv = std::move(tsv);
  dictionary->num_entries = static_cast<int32_t>(pairs.size());
  dictionary->terms = *std::move(terms);
  return dictionary;
}

std::shared_ptr<const CallerDictionary> CallerGlossary::Find(
    absl::string_view source, absl::string_view target) const {
  const auto found = std::find_if(
      dictionaries.begin(), dictionaries.end(), [&](const auto& dictionary) {
        return dictionary->source == source && dictionary->target == target;
      });
  return found == dictionaries.end() ? nullptr : *found;
}

absl::StatusOr<std::unique_ptr<CallerGlossaries>> CallerGlossaries::Open(
    const std::string& directory, const Limits& limits, OnError on_error) {
  absl::StatusOr<std::unique_ptr<DurableFiles>> files =
      DurableFiles::Open(directory);
  if (!files.ok()) return files.status();
  std::unique_ptr<CallerGlossaries> glossaries(
      new CallerGlossaries(*std::move(files), limits, std::move(on_error)));
  if (absl::Status status = glossaries->Load(); !status.ok()) return status;
  return glossaries;
}

absl::Status CallerGlossaries::Load() {
  std::error_code error;
  std::filesystem::directory_iterator files(files_->directory(), error);
  for (; !error && files != std::filesystem::directory_iterator();
       files.increment(error)) {
    const std::string file = files->path().filename().string();
    const std::string id(absl::StripSuffix(file, kCallerGlossaryExtension));
    if (!absl::EndsWith(file, kCallerGlossaryExtension)) continue;
    absl::Status status = absl::InvalidArgumentError(
        absl::StrCat(files_->PathOf(file), " is no name of a glossary"));
    if (IsGlossaryId(id)) {
      absl::StatusOr<CallerGlossary> read =
          ReadGlossaryFile(files_->PathOf(file), id);
      absl::MutexLock lock(&mu_);
      status = read.ok() ? CheckLimits(*read, /*old_bytes=*/0) : read.status();
      if (status.ok()) {
        Put(std::make_shared<const CallerGlossary>(*std::move(read)));
      } else if (read.ok()) {
        status = absl::Status(
            status.code(),
            absl::StrCat(files_->PathOf(file), ": ", status.message()));
      }
    }
    if (!status.ok()) on_error_(status);
  }
  if (!error) return absl::OkStatus();
  return absl::NotFoundError(absl::StrFormat("cannot list the directory %s: %s",
                                             files_->directory(),
                                             error.message()));
}

absl::Status CallerGlossaries::Report(const absl::Status& status) const {
  on_error_(status);
  return absl::InternalError("the glossary cannot be kept on this server now");
}

absl::Status CallerGlossaries::CheckLimits(const CallerGlossary& next,
                                           int64_t old_bytes) {
  const auto found = owners_.find(next.owner);
  const size_t num_owned =
      found == owners_.end() ? 0 : found->second.items.size();
  const int64_t owned_bytes = found == owners_.end() ? 0 : found->second.bytes;
  const int64_t more = BytesOf(next) - old_bytes;
  if (old_bytes == 0 && num_owned >= limits_.max_glossaries_of_owner) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "you have %d glossaries, the maximum of this server", num_owned));
  }
  if (more <= 0) return absl::OkStatus();
  if (owned_bytes + more > limits_.max_bytes_of_owner) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "your glossaries would take %d bytes; this server allows %d",
        owned_bytes + more, limits_.max_bytes_of_owner));
  }
  if (bytes_ + more > limits_.max_bytes) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "the glossaries of all callers would take more than the %d bytes that "
        "this server has for them",
        limits_.max_bytes));
  }
  return absl::OkStatus();
}

void CallerGlossaries::Put(const Item& item) {
  Owned& owned = owners_[item->owner];
  const int64_t bytes = BytesOf(*item);
  owned.items[item->id] = item;
  owned.bytes += bytes;
  bytes_ += bytes;
}

void CallerGlossaries::Drop(const Item& item) {
  const auto owner = owners_.find(item->owner);
  owner->second.items.erase(item->id);
  owner->second.bytes -= BytesOf(*item);
  bytes_ -= BytesOf(*item);
  if (owner->second.items.empty()) owners_.erase(owner);
}

// `current` is null for a new glossary.
absl::StatusOr<CallerGlossaries::Item> CallerGlossaries::Store(
    CallerGlossary next, const Item& current) {
  if (absl::Status status = CheckForm(next); !status.ok()) return status;
  {
    absl::MutexLock lock(&mu_);
    const absl::Status status =
        CheckLimits(next, current == nullptr ? 0 : BytesOf(*current));
    if (!status.ok()) return status;
  }
  const auto item = std::make_shared<const CallerGlossary>(std::move(next));
  if (absl::Status status = files_->Write(FileOf(item->id), ToFileText(*item));
      !status.ok()) {
    return Report(status);
  }
  absl::MutexLock lock(&mu_);
  if (current != nullptr) Drop(current);
  Put(item);
  return item;
}

absl::StatusOr<CallerGlossaries::Item> CallerGlossaries::Create(
    std::string owner, std::string name,
    CallerGlossary::Dictionaries dictionaries) {
  CallerGlossary next;
  next.id = NewGlossaryId();
  next.owner = std::move(owner);
  next.name = std::move(name);
  next.created = absl::Now();
  next.dictionaries = std::move(dictionaries);
  absl::MutexLock lock(&write_mu_);
  return Store(std::move(next), nullptr);
}

absl::StatusOr<CallerGlossaries::Item> CallerGlossaries::Replace(
    const Item& current, CallerGlossary next) {
  absl::MutexLock lock(&write_mu_);
  if (Get(current->owner, current->id) != current) {
    return absl::AbortedError("the glossary has changed meanwhile");
  }
  next.id = current->id;
  next.owner = current->owner;
  next.created = current->created;
  return Store(std::move(next), current);
}

absl::Status CallerGlossaries::Delete(absl::string_view owner,
                                      absl::string_view id) {
  absl::MutexLock lock(&write_mu_);
  const Item item = Get(owner, id);
  if (item == nullptr) return absl::NotFoundError("there is no such glossary");
  if (absl::Status status = files_->Remove(FileOf(id)); !status.ok()) {
    return Report(status);
  }
  absl::MutexLock files_lock(&mu_);
  Drop(item);
  return absl::OkStatus();
}

CallerGlossaries::Item CallerGlossaries::Get(absl::string_view owner,
                                             absl::string_view id) const {
  absl::MutexLock lock(&mu_);
  const auto owned = owners_.find(owner);
  if (owned == owners_.end()) return nullptr;
  const auto item = owned->second.items.find(id);
  return item == owned->second.items.end() ? nullptr : item->second;
}

std::vector<CallerGlossaries::Item> CallerGlossaries::List(
    absl::string_view owner) const {
  std::vector<Item> items;
  {
    absl::MutexLock lock(&mu_);
    const auto owned = owners_.find(owner);
    if (owned == owners_.end()) return items;
    items.reserve(owned->second.items.size());
    for (const auto& [id, item] : owned->second.items) items.push_back(item);
  }
  std::stable_sort(
      items.begin(), items.end(),
      [](const Item& a, const Item& b) { return a->created < b->created; });
  return items;
}

}  // namespace sheaf
