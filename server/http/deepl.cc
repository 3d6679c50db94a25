// SPDX-License-Identifier: Apache-2.0

#include "server/http/deepl.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "nlohmann/json.hpp"
#include "server/http/body_fields.h"
#include "server/http/deepl_documents.h"
#include "server/http/deepl_error.h"
#include "server/http/deepl_glossaries.h"
#include "server/http/deepl_languages.h"
#include "server/http/deepl_parameters.h"
#include "server/http/deepl_route.h"
#include "server/http/deepl_terms.h"
#include "server/http/json_text.h"
#include "server/http/libretranslate_languages.h"
#include "server/http/plain_call.h"

namespace sheaf {
namespace {

using nlohmann::json;

// No limit, as DeepL writes it.
constexpr int64_t kCharacterLimit = 1'000'000'000'000;

// The language that a text was translated from.
std::string SourceOf(const v1::TranslateRequest& request,
                     const DetectedTexts& detected,
                     const RequestReader& reader) {
  if (!detected.empty()) {
    return DeepLSourceCode(detected.front().front().tag);
  }
  if (!IsAnySource(request.source_language())) {
    return DeepLSourceCode(request.source_language());
  }
  // Nothing is detected if there is one language only.
  const absl::StatusOr<LanguageSet> sources =
      reader.model().tasks.SourcesTo(request.target_language());
  if (!sources.ok() || sources->is_empty()) return "";
  return DeepLSourceCode(sources->offers().front().tag);
}

// One item for each text. A request of sheaf.v1 has a text that is not empty.
std::vector<TextWork::Item> ItemsOf(
    const DeepLRequest& request, const RequestReader* reader,
    const std::shared_ptr<const Glossary>& terms = nullptr) {
  std::vector<TextWork::Item> items;
  items.reserve(request.texts.size());
  v1::TranslateRequest each = request.common;
  for (const std::string& text : request.texts) {
    each.set_text(text.empty() ? " " : text);
    items.push_back(TranslationItem(reader, each, terms));
  }
  return items;
}

HttpResponse AnswerTranslate(const DeepLRequest& request,
                             const std::vector<TextAnswer>& answers,
                             const RequestReader& reader,
                             const DeepLUsage& usage) {
  json translations = json::array();
  for (size_t i = 0; i < answers.size(); ++i) {
    const int64_t num_characters = NumDeepLCharacters(request.texts[i]);
    *usage += num_characters;
    json translation = {
        {"detected_source_language",
         SourceOf(request.common, answers[i].summary.detected, reader)},
        {"text", request.texts[i].empty() ? "" : answers[i].whole.text}};
    if (request.shows_billed_characters) {
      translation["billed_characters"] = num_characters;
    }
    if (!request.model_type.empty()) {
      translation["model_type_used"] = request.model_type;
    }
    translations.push_back(std::move(translation));
  }
  return HttpResponse::Json(200, JsonText({{"translations", translations}}));
}

std::function<absl::StatusOr<TextWork>(HttpRequest)> TranslateReader(
    const RequestReader* reader, const CallerGlossaries* glossaries,
    const DeepLUsage& usage) {
  return [reader, glossaries,
          usage](const HttpRequest& http) -> absl::StatusOr<TextWork> {
    absl::StatusOr<DeepLRequest> request = ReadDeepLRequest(http);
    if (!request.ok()) return request.status();
    const absl::StatusOr<std::shared_ptr<const Glossary>> terms =
        TakeCallerGlossary(glossaries, http.caller, request->common);
    if (!terms.ok()) return terms.status();
    TextWork work;
    work.items = ItemsOf(*request, reader, *terms);
    work.answer = [reader, usage, request = *std::move(request)](
                      const std::vector<TextAnswer>& answers) {
      return AnswerTranslate(request, answers, *reader, usage);
    };
    return work;
  };
}

// Clients of DeepL ask with both methods.
void AddPlain(const char* path, const Services& services,
              const PlainCall::Answer& answer, HttpRouter& router) {
  for (const char* method : {"GET", "POST"}) {
    AddDeepLPath(method, path, DeepLWork::kAtOnce, services, answer, router);
  }
}

PlainCall::Answer LanguagesAnswer(const json& languages) {
  return [sources = JsonText(DeepLSources(languages)),
          targets = JsonText(DeepLTargets(languages))](
             const HttpRequest& http) -> absl::StatusOr<HttpResponse> {
    const absl::StatusOr<BodyFields> fields = ReadBodyFields(http);
    if (!fields.ok()) return fields.status();
    const absl::StatusOr<std::string> type = fields->String("type");
    if (!type.ok()) return type.status();
    if (type->empty() || *type == "source") {
      return HttpResponse::Json(200, sources);
    }
    if (*type == "target") return HttpResponse::Json(200, targets);
    return absl::InvalidArgumentError(
        "type is neither \"source\" nor \"target\"");
  };
}

}  // namespace

std::function<absl::StatusOr<TextWork>(HttpRequest)> DeepLXReader(
    const RequestReader* reader) {
  return [reader](const HttpRequest& http) -> absl::StatusOr<TextWork> {
    absl::StatusOr<DeepLRequest> request = ReadDeepLRequest(http);
    if (!request.ok()) return request.status();
    if (request->texts.size() > 1) {
      return absl::InvalidArgumentError("text is no string");
    }
    TextWork work;
    work.items = ItemsOf(*request, reader);
    work.answer = [reader, request = *std::move(request)](
                      const std::vector<TextAnswer>& answers) {
      const json answer = {
          {"code", 200},
          {"id", 0},
          {"method", "Free"},
          {"data", request.texts[0].empty() ? "" : answers[0].whole.text},
          {"alternatives", json::array()},
          {"source_lang",
           SourceOf(request.common, answers[0].summary.detected, *reader)},
          {"target_lang",
           absl::AsciiStrToUpper(request.common.target_language())}};
      return HttpResponse::Json(200, JsonText(answer));
    };
    return work;
  };
}

void AddDeepL(const DeepLBackend& backend, HttpRouter& router) {
  const Services& services = *backend.services;
  const auto usage = std::make_shared<std::atomic<int64_t>>(0);
  const auto method = std::make_shared<TextMethod>(TextMethod{
      TranslateReader(services.request_reader, backend.glossaries, usage),
      DeepLError});
  router.Add(
      {"POST", "/v2/translate", [&services, method](HttpCallContext context) {
         TakeDeepLKey(context.caller);
         return std::make_shared<TextCall>(std::move(context), services,
                                           method);
       }});
  const json languages =
      LibreTranslateLanguages(services.request_reader->model().tasks);
  AddPlain("/v2/languages", services, LanguagesAnswer(languages), router);
  AddPlain(
      "/v2/usage", services,
      [usage](const HttpRequest&) -> absl::StatusOr<HttpResponse> {
        return HttpResponse::Json(
            200, JsonText({{"character_count", usage->load()},
                           {"character_limit", kCharacterLimit}}));
      },
      router);
  AddDeepLGlossaries(services, backend.glossaries, languages, router);
  AddDeepLDocuments(backend, usage, router);
}

}  // namespace sheaf
