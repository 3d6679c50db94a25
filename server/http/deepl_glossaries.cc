// SPDX-License-Identifier: Apache-2.0

#include "server/http/deepl_glossaries.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "server/field_error.h"
#include "server/http/deepl_dictionaries.h"
#include "server/http/deepl_glossary_backend.h"
#include "server/http/deepl_multilingual.h"
#include "server/http/http_status.h"
#include "server/http/json_text.h"

namespace sheaf {
namespace {

using nlohmann::json;
using Item = CallerGlossaries::Item;

constexpr char kTsv[] = "text/tab-separated-values";

// One with a single pair of languages, which /v2/glossaries can describe.
absl::StatusOr<Item> FindOfOnePair(const GlossaryBackend& backend,
                                   const HttpRequest& http) {
  absl::StatusOr<Item> item = backend.Find(http);
  if (!item.ok() || (*item)->dictionaries.size() == 1) return item;
  return GlossaryNotFound(absl::StrFormat(
      "the glossary has %d dictionaries; /v3/glossaries has such glossaries",
      (*item)->dictionaries.size()));
}

json MonolingualJson(const CallerGlossary& glossary) {
  json info = DictionaryJson(*glossary.dictionaries[0]);
  info["glossary_id"] = glossary.id;
  info["name"] = glossary.name;
  info["ready"] = true;
  info["creation_time"] = CreationTimeText(glossary);
  return info;
}

absl::StatusOr<HttpResponse> ListAll(const GlossaryBackend& backend,
                                     const HttpRequest& http) {
  absl::Status status = ReadParameters(http, {}).status();
  if (!status.ok()) return status;
  json all = json::array();
  for (const Item& item : backend.List(http)) {
    if (item->dictionaries.size() == 1) all.push_back(MonolingualJson(*item));
  }
  return JsonAnswer(200, {{"glossaries", std::move(all)}});
}

absl::StatusOr<HttpResponse> Describe(const GlossaryBackend& backend,
                                      const HttpRequest& http) {
  const absl::StatusOr<Item> item = FindOfOnePair(backend, http);
  if (!item.ok()) return item.status();
  return JsonAnswer(200, MonolingualJson(**item));
}

absl::StatusOr<HttpResponse> Delete(const GlossaryBackend& backend,
                                    const HttpRequest& http) {
  absl::Status status = FindOfOnePair(backend, http).status();
  if (status.ok()) status = backend.Delete(http);
  if (!status.ok()) return status;
  return HttpResponse{204};
}

absl::StatusOr<HttpResponse> Create(const GlossaryBackend& backend,
                                    const HttpRequest& http) {
  if (absl::Status status = backend.CheckOffered(); !status.ok()) return status;
  const absl::StatusOr<BodyFields> fields = ReadParameters(
      http,
      {"name", "source_lang", "target_lang", "entries", "entries_format"});
  if (!fields.ok()) return fields.status();
  absl::StatusOr<std::string> name = fields->String("name");
  if (!name.ok()) return name.status();
  const absl::StatusOr<DictionaryText> text =
      ReadDictionary(*fields, backend.pairs());
  if (!text.ok()) return text.status();
  const absl::StatusOr<Item> item =
      backend.Create(http, *std::move(name), {*text});
  if (!item.ok()) return item.status();
  return JsonAnswer(201, MonolingualJson(**item));
}

// Whether "Accept" allows the only format of entries.
bool AcceptsTsv(absl::string_view accept) {
  if (accept.empty()) return true;
  for (absl::string_view range : absl::StrSplit(accept, ',')) {
    const std::string type = absl::AsciiStrToLower(
        absl::StripAsciiWhitespace(range.substr(0, range.find(';'))));
    if (type == kTsv || type == "text/*" || type == "*/*") return true;
  }
  return false;
}

absl::StatusOr<HttpResponse> Entries(const GlossaryBackend& backend,
                                     const HttpRequest& http) {
  const absl::StatusOr<Item> item = FindOfOnePair(backend, http);
  if (!item.ok()) return item.status();
  const std::string accept = http.header.Joined("accept");
  if (!AcceptsTsv(accept)) {
    return WithHttpStatus(
        absl::InvalidArgumentError(absl::StrFormat(
            "Accept is \"%s\"; this server has %s", Escaped(accept), kTsv)),
        415);
  }
  return HttpResponse{200, absl::StrCat(kTsv, "; charset=utf-8"),
                      (*item)->dictionaries[0]->tsv};
}

}  // namespace

void AddDeepLGlossaries(const Services& services, CallerGlossaries* glossaries,
                        const json& languages, HttpRouter& router) {
  const auto backend = std::make_shared<const GlossaryBackend>(
      &services, glossaries, GlossaryPairs(languages));
  const std::string all = "/v2/glossaries";
  const std::string one = all + "/{}";
  const auto list_pairs = [text = JsonText(backend->pairs().ToJson())](
                              const GlossaryBackend&, const HttpRequest&)
      -> absl::StatusOr<HttpResponse> { return HttpResponse::Json(200, text); };
  AddGlossaryPaths(
      {{"GET", all, DeepLWork::kAtOnce, ListAll},
       {"POST", all, DeepLWork::kLong, Create},
       {"GET", one, DeepLWork::kAtOnce, Describe},
       {"DELETE", one, DeepLWork::kLong, Delete},
       {"GET", one + "/entries", DeepLWork::kAtOnce, Entries},
       {"GET", "/v2/glossary-language-pairs", DeepLWork::kAtOnce, list_pairs}},
      services, backend, router);
  AddDeepLMultilingual(services, backend, router);
}

}  // namespace sheaf
