// SPDX-License-Identifier: Apache-2.0

#include "server/http/libretranslate.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "server/http/deepl.h"
#include "server/http/deepl_parameters.h"
#include "server/http/file_store.h"
#include "server/http/json_text.h"
#include "server/http/libretranslate_error.h"
#include "server/http/libretranslate_files.h"
#include "server/http/libretranslate_languages.h"
#include "server/http/libretranslate_texts.h"
#include "server/http/plain_call.h"
#include "server/http/text_call.h"

namespace sheaf {
namespace {

// Adds a path that the model answers.
void AddTexts(const char* path, const Services& services,
              std::function<absl::StatusOr<TextWork>(HttpRequest)> read,
              HttpRouter& router) {
  AddTextPath(path, services,
              {std::move(read), LibreTranslateError,
               /*has_token_in_body=*/true},
              router);
}

// Adds a path with an answer that is made once.
void AddConstant(const char* path, CallerLimiter* limiter,
                 const nlohmann::json& answer, HttpRouter& router) {
  router.Add({"GET", path,
              [limiter, text = JsonText(answer)](HttpCallContext context) {
                return std::make_shared<PlainCall>(
                    std::move(context), limiter,
                    [text](const HttpRequest&) -> absl::StatusOr<HttpResponse> {
                      return HttpResponse::Json(200, text);
                    },
                    LibreTranslateError);
              }});
}

void AddSuggest(HttpRouter& router) {
  router.Add({"POST", "/suggest", [](HttpCallContext context) {
                return std::make_shared<PlainCall>(
                    std::move(context), /*limiter=*/nullptr,
                    [](const HttpRequest&) -> absl::StatusOr<HttpResponse> {
                      return absl::PermissionDeniedError(
                          "this server takes no suggestions");
                    },
                    LibreTranslateError);
              }});
}

}  // namespace

void AddLibreTranslate(const Services& services, const RequestLimits& limits,
                       bool needs_token,
                       const std::shared_ptr<FileStore>& files,
                       HttpRouter& router) {
  // Clients of DeepLX ask at the same path.
  AddTexts(
      "/translate", services,
      [libre = LibreTranslateReader(services.request_reader, limits),
       deepl_x = DeepLXReader(services.request_reader)](HttpRequest request) {
        return IsDeepLX(request) ? deepl_x(std::move(request))
                                 : libre(std::move(request));
      },
      router);
  AddTexts("/detect", services,
           LibreTranslateDetectReader(services.request_reader), router);
  AddTexts("/translate_file", services,
           LibreTranslateFileReader(services.request_reader, files), router);
  AddDownloads(files, router);
  const nlohmann::json languages =
      LibreTranslateLanguages(services.request_reader->model().tasks);
  // A client asks for the languages before its user has a token, and
  // LibreTranslate tells them to all.
  AddConstant("/languages", /*limiter=*/nullptr, languages, router);
  AddConstant("/frontend/settings", /*limiter=*/nullptr,
              LibreTranslateSettings(languages, limits, needs_token), router);
  AddSuggest(router);
}

}  // namespace sheaf
