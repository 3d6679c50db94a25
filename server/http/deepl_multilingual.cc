// SPDX-License-Identifier: Apache-2.0

#include "server/http/deepl_multilingual.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/http/deepl_dictionaries.h"

namespace sheaf {
namespace {

using nlohmann::json;
using Item = CallerGlossaries::Item;

json MultilingualJson(const CallerGlossary& glossary) {
  json dictionaries = json::array();
  for (const auto& dictionary : glossary.dictionaries) {
    dictionaries.push_back(DictionaryJson(*dictionary));
  }
  return {{"glossary_id", glossary.id},
          {"name", glossary.name},
          {"creation_time", CreationTimeText(glossary)},
          {"dictionaries", std::move(dictionaries)}};
}

absl::StatusOr<HttpResponse> ListAll(const GlossaryBackend& backend,
                                     const HttpRequest& http) {
  absl::Status status = ReadParameters(http, {}).status();
  if (!status.ok()) return status;
  json all = json::array();
  for (const Item& item : backend.List(http)) {
    all.push_back(MultilingualJson(*item));
  }
  return JsonAnswer(200, {{"glossaries", std::move(all)}});
}

absl::StatusOr<HttpResponse> Describe(const GlossaryBackend& backend,
                                      const HttpRequest& http) {
  const absl::StatusOr<Item> item = backend.Find(http);
  if (!item.ok()) return item.status();
  return JsonAnswer(200, MultilingualJson(**item));
}

absl::StatusOr<HttpResponse> Delete(const GlossaryBackend& backend,
                                    const HttpRequest& http) {
  if (absl::Status status = backend.Delete(http); !status.ok()) return status;
  return HttpResponse{204};
}

// The fields of a request that describe a glossary.
struct GlossaryText {
  bool has_name = false;
  std::string name;
  std::vector<DictionaryText> dictionaries;
};

absl::StatusOr<GlossaryText> ReadGlossary(const GlossaryBackend& backend,
                                          const HttpRequest& http) {
  absl::StatusOr<BodyFields> fields = ReadBodyFields(http);
  if (!fields.ok()) return fields.status();
  absl::StatusOr<std::vector<DictionaryText>> dictionaries =
      TakeDictionaries(*fields, backend.pairs());
  if (!dictionaries.ok()) return dictionaries.status();
  if (absl::Status status = CheckParameters(*fields, {"name"}); !status.ok()) {
    return status;
  }
  absl::StatusOr<std::string> name = fields->String("name");
  if (!name.ok()) return name.status();
  return GlossaryText{fields->Find("name") != nullptr, *std::move(name),
                      *std::move(dictionaries)};
}

absl::StatusOr<HttpResponse> Create(const GlossaryBackend& backend,
                                    const HttpRequest& http) {
  if (absl::Status status = backend.CheckOffered(); !status.ok()) return status;
  absl::StatusOr<GlossaryText> text = ReadGlossary(backend, http);
  if (!text.ok()) return text.status();
  if (text->dictionaries.empty()) {
    return absl::InvalidArgumentError("Parameter 'dictionaries' not specified");
  }
  const absl::StatusOr<Item> item =
      backend.Create(http, std::move(text->name), text->dictionaries);
  if (!item.ok()) return item.status();
  return JsonAnswer(201, MultilingualJson(**item));
}

// Adds the entries to a dictionary; those of the same source are replaced.
absl::Status MergeInto(const GlossaryBackend& backend,
                       const DictionaryText& text, CallerGlossary& glossary) {
  DictionaryText merged = text;
  if (const auto old = glossary.Find(text.source, text.target);
      old != nullptr) {
    absl::StatusOr<std::vector<TermPair>> entries = ParseTermsTsv(old->tsv);
    if (!entries.ok()) return entries.status();
    merged.entries = MergeTerms(*std::move(entries), std::move(merged.entries));
  }
  absl::StatusOr<std::shared_ptr<const CallerDictionary>> dictionary =
      backend.Build(merged);
  if (!dictionary.ok()) return dictionary.status();
  SetDictionary(*std::move(dictionary), glossary);
  return absl::OkStatus();
}

absl::StatusOr<HttpResponse> Patch(const GlossaryBackend& backend,
                                   const HttpRequest& http) {
  const absl::StatusOr<GlossaryText> text = ReadGlossary(backend, http);
  if (!text.ok()) return text.status();
  if (!text->has_name && text->dictionaries.empty()) {
    return absl::InvalidArgumentError(
        "Parameter 'name' or 'dictionaries' not specified");
  }
  const absl::StatusOr<Item> item =
      backend.Change(http, [&](CallerGlossary& next) {
        if (text->has_name) next.name = text->name;
        for (const DictionaryText& each : text->dictionaries) {
          absl::Status status = each.entries.empty()
                                    ? backend.Build(each).status()
                                    : MergeInto(backend, each, next);
          if (!status.ok()) return status;
        }
        return absl::OkStatus();
      });
  if (!item.ok()) return item.status();
  return JsonAnswer(200, MultilingualJson(**item));
}

absl::StatusOr<HttpResponse> PutDictionary(const GlossaryBackend& backend,
                                           const HttpRequest& http) {
  const absl::StatusOr<BodyFields> fields = ReadParameters(
      http, {"source_lang", "target_lang", "entries", "entries_format"});
  if (!fields.ok()) return fields.status();
  const absl::StatusOr<DictionaryText> text =
      ReadDictionary(*fields, backend.pairs());
  if (!text.ok()) return text.status();
  // A list is not built for a glossary that does not exist.
  if (absl::Status status = backend.Find(http).status(); !status.ok()) {
    return status;
  }
  const absl::StatusOr<std::shared_ptr<const CallerDictionary>> dictionary =
      backend.Build(*text);
  if (!dictionary.ok()) return dictionary.status();
  const absl::Status status = backend
                                  .Change(http,
                                          [&](CallerGlossary& next) {
                                            SetDictionary(*dictionary, next);
                                            return absl::OkStatus();
                                          })
                                  .status();
  if (!status.ok()) return status;
  return JsonAnswer(200, DictionaryJson(**dictionary));
}

absl::StatusOr<HttpResponse> DeleteDictionary(const GlossaryBackend& backend,
                                              const HttpRequest& http) {
  const absl::StatusOr<BodyFields> fields =
      ReadParameters(http, {"source_lang", "target_lang"});
  if (!fields.ok()) return fields.status();
  const auto pair = ReadGlossaryPair(*fields, backend.pairs());
  if (!pair.ok()) return pair.status();
  const absl::Status status =
      backend
          .Change(http,
                  [&](CallerGlossary& next) -> absl::Status {
                    const auto found =
                        FindDictionary(next, pair->first, pair->second);
                    if (!found.ok()) return found.status();
                    auto& all = next.dictionaries;
                    all.erase(std::remove(all.begin(), all.end(), *found),
                              all.end());
                    return absl::OkStatus();
                  })
          .status();
  if (!status.ok()) return status;
  return HttpResponse{204};
}

absl::StatusOr<HttpResponse> Entries(const GlossaryBackend& backend,
                                     const HttpRequest& http) {
  const absl::StatusOr<BodyFields> fields =
      ReadParameters(http, {"source_lang", "target_lang"});
  if (!fields.ok()) return fields.status();
  const absl::StatusOr<Item> item = backend.Find(http);
  if (!item.ok()) return item.status();
  const auto pair = ReadGlossaryPair(*fields, backend.pairs());
  if (!pair.ok()) return pair.status();
  const auto found = FindDictionary(**item, pair->first, pair->second);
  if (!found.ok()) return found.status();
  return JsonAnswer(200, {{"dictionaries",
                           {{{"source_lang", (*found)->source},
                             {"target_lang", (*found)->target},
                             {"entries", (*found)->tsv},
                             {"entries_format", "tsv"}}}}});
}

}  // namespace

void AddDeepLMultilingual(const Services& services,
                          const std::shared_ptr<const GlossaryBackend>& backend,
                          HttpRouter& router) {
  const std::string all = "/v3/glossaries";
  const std::string one = all + "/{}";
  const std::string entries = one + "/entries";
  const std::string dictionaries = one + "/dictionaries";
  AddGlossaryPaths(
      {{"GET", all, DeepLWork::kAtOnce, ListAll},
       {"POST", all, DeepLWork::kLong, Create},
       {"GET", one, DeepLWork::kAtOnce, Describe},
       {"PATCH", one, DeepLWork::kLong, Patch},
       {"DELETE", one, DeepLWork::kLong, Delete},
       {"GET", entries, DeepLWork::kLong, Entries},
       {"PUT", dictionaries, DeepLWork::kLong, PutDictionary},
       {"DELETE", dictionaries, DeepLWork::kLong, DeleteDictionary}},
      services, backend, router);
}

}  // namespace sheaf
