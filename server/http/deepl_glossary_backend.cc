// SPDX-License-Identifier: Apache-2.0

#include "server/http/deepl_glossary_backend.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/field_error.h"
#include "server/http/http_status.h"
#include "server/http/json_text.h"

namespace sheaf {
namespace {

// DeepL's status for a quota that is exceeded. Clients do not try again.
constexpr int kQuotaExceeded = 456;

absl::Status WithQuota(const absl::Status& status) {
  return absl::IsResourceExhausted(status)
             ? WithHttpStatus(status, kQuotaExceeded)
             : status;
}

}  // namespace

// Lets other texts be read meanwhile.
bool GlossaryBackend::IsWanted() const {
  services_->reading->Yield();
  return !services_->intake->is_abandoned();
}

absl::Status GlossaryBackend::CheckOffered() const {
  if (glossaries_ != nullptr) return absl::OkStatus();
  return absl::PermissionDeniedError(
      "this server keeps no glossaries of callers (--http_glossaries)");
}

std::vector<GlossaryBackend::Item> GlossaryBackend::List(
    const HttpRequest& http) const {
  if (glossaries_ == nullptr) return {};
  return glossaries_->List(http.caller);
}

absl::StatusOr<GlossaryBackend::Item> GlossaryBackend::Find(
    const HttpRequest& http) const {
  const std::string& id = http.path_values[0];
  Item item =
      glossaries_ == nullptr ? nullptr : glossaries_->Get(http.caller, id);
  if (item != nullptr) return item;
  return GlossaryNotFound(absl::StrFormat("you have no glossary \"%s\"", id));
}

absl::Status GlossaryBackend::Delete(const HttpRequest& http) const {
  const absl::StatusOr<Item> item = Find(http);
  if (!item.ok()) return item.status();
  absl::Status status = glossaries_->Delete(http.caller, (*item)->id);
  return absl::IsNotFound(status) ? GlossaryNotFound(status.message()) : status;
}

absl::StatusOr<std::shared_ptr<const CallerDictionary>> GlossaryBackend::Build(
    const DictionaryText& text) const {
  absl::StatusOr<std::shared_ptr<const CallerDictionary>> dictionary =
      CallerDictionary::Make(text.source, text.target, text.entries,
                             [this] { return IsWanted(); });
  if (dictionary.ok() || !absl::IsInvalidArgument(dictionary.status())) {
    return dictionary;
  }
  return WithField(dictionary.status(), "entries");
}

absl::StatusOr<GlossaryBackend::Item> GlossaryBackend::Create(
    const HttpRequest& http, std::string name,
    const std::vector<DictionaryText>& texts) const {
  CallerGlossary glossary;
  for (const DictionaryText& text : texts) {
    absl::StatusOr<std::shared_ptr<const CallerDictionary>> dictionary =
        Build(text);
    if (!dictionary.ok()) return dictionary.status();
    SetDictionary(*std::move(dictionary), glossary);
  }
  absl::StatusOr<Item> item = glossaries_->Create(
      http.caller, std::move(name), std::move(glossary.dictionaries));
  if (!item.ok()) return WithQuota(item.status());
  return item;
}

absl::StatusOr<GlossaryBackend::Item> GlossaryBackend::Change(
    const HttpRequest& http,
    absl::FunctionRef<absl::Status(CallerGlossary&)> change) const {
  while (true) {
    const absl::StatusOr<Item> current = Find(http);
    if (!current.ok()) return current;
    CallerGlossary next = **current;
    if (absl::Status status = change(next); !status.ok()) return status;
    absl::StatusOr<Item> item = glossaries_->Replace(*current, std::move(next));
    if (item.ok()) return item;
    if (!absl::IsAborted(item.status())) return WithQuota(item.status());
  }
}

void AddGlossaryPaths(std::vector<GlossaryPath> paths, const Services& services,
                      const std::shared_ptr<const GlossaryBackend>& backend,
                      HttpRouter& router) {
  for (GlossaryPath& each : paths) {
    AddDeepLPath(
        each.method, each.path, each.work, services,
        [backend, answer = std::move(each.answer)](const HttpRequest& http) {
          return answer(*backend, http);
        },
        router);
  }
}

absl::Status GlossaryNotFound(absl::string_view detail) {
  return WithField(absl::NotFoundError(detail), "glossary");
}

absl::StatusOr<std::shared_ptr<const CallerDictionary>> FindDictionary(
    const CallerGlossary& glossary, absl::string_view source,
    absl::string_view target) {
  std::shared_ptr<const CallerDictionary> dictionary =
      glossary.Find(source, target);
  if (dictionary != nullptr) return dictionary;
  std::vector<std::string> names;
  for (const auto& each : glossary.dictionaries) {
    names.push_back(absl::StrCat(each->source, "-", each->target));
  }
  return GlossaryNotFound(absl::StrFormat(
      "the glossary has no dictionary for %s-%s; it has %s", source, target,
      names.empty() ? "none" : absl::StrJoin(names, ", ")));
}

void SetDictionary(std::shared_ptr<const CallerDictionary> dictionary,
                   CallerGlossary& glossary) {
  const auto old = glossary.Find(dictionary->source, dictionary->target);
  if (old == nullptr) {
    glossary.dictionaries.push_back(std::move(dictionary));
  } else {
    std::replace(glossary.dictionaries.begin(), glossary.dictionaries.end(),
                 old, dictionary);
  }
}

absl::StatusOr<BodyFields> ReadParameters(
    const HttpRequest& http, absl::Span<const absl::string_view> allowed) {
  absl::StatusOr<BodyFields> fields = ReadBodyFields(http);
  if (!fields.ok()) return fields;
  absl::Status status = CheckParameters(*fields, allowed);
  if (!status.ok()) return status;
  return fields;
}

HttpResponse JsonAnswer(int status, const nlohmann::json& value) {
  return HttpResponse::Json(status, JsonText(value));
}

}  // namespace sheaf
