// SPDX-License-Identifier: Apache-2.0

#include "server/http/libretranslate_files.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/monotonic_time.h"
#include "nlohmann/json.hpp"
#include "server/field_error.h"
#include "server/http/body_fields.h"
#include "server/http/file_texts.h"
#include "server/http/json_text.h"
#include "server/http/libretranslate_error.h"
#include "server/http/libretranslate_texts.h"
#include "server/http/plain_call.h"
#include "sheaf/v1/text.pb.h"
#include "text/documents/document.h"

namespace sheaf {
namespace {

constexpr char kDownloads[] = "/download_file/";

// The address under which the client reached this server.
absl::StatusOr<std::string> BaseOf(const HttpHeader& header) {
  const absl::string_view host = header.Field("host");
  const bool is_right =
      !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
        return absl::ascii_isalnum(c) || absl::StrContains(".-:[]_", c);
      });
  if (!is_right) {
    return absl::InvalidArgumentError("Host is no host, or is missing");
  }
  return absl::StrCat(header.is_secure ? "https://" : "http://", host);
}

struct FileRequest {
  FormField file;
  DocumentFormat format;
  std::string source, target, key, base;
};

absl::StatusOr<FileRequest> ReadFields(const HttpRequest& http) {
  absl::StatusOr<BodyFields> fields = ReadBodyFields(http);
  if (!fields.ok()) return fields.status();
  if (fields->files.size() != 1 || fields->files[0].name != "file") {
    return absl::InvalidArgumentError(
        "Invalid request: missing file parameter");
  }
  FileRequest request;
  request.file = std::move(fields->files[0]);
  for (const auto& [name, value] : {std::pair("source", &request.source),
                                    std::pair("target", &request.target)}) {
    absl::StatusOr<std::string> text = RequiredString(*fields, name);
    if (!text.ok()) return text.status();
    *value = *std::move(text);
  }
  absl::StatusOr<std::string> key = LibreTranslateKey(*fields);
  if (!key.ok()) return key.status();
  request.key = *std::move(key);
  absl::StatusOr<std::string> base = BaseOf(http.header);
  if (!base.ok()) return base.status();
  request.base = *std::move(base);
  const std::optional<DocumentFormat> format = DocumentFormatOfPath(
      absl::StrCat("a.", ExtensionOfFile(request.file.file_name)));
  if (!format.has_value()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "Invalid request: file format not supported (\"%s\"); this server "
        "translates %s",
        Escaped(request.file.file_name), DocumentFormatNames()));
  }
  request.format = *format;
  return request;
}

absl::StatusOr<TextWork> ReadFile(const HttpRequest& http,
                                  const RequestReader* reader,
                                  const std::shared_ptr<FileStore>& store) {
  absl::StatusOr<FileRequest> asked = ReadFields(http);
  if (!asked.ok()) return asked.status();
  absl::StatusOr<FileTexts> texts =
      ReadFileTexts(asked->format, std::move(asked->file.value), asked->source,
                    asked->target);
  if (!texts.ok()) return texts.status();
  TextWork work;
  work.token = asked->key;
  work.items.reserve(texts->requests.size());
  for (v1::TranslateRequest& request : texts->requests) {
    work.items.push_back(TextWork::ItemOf(reader, std::move(request)));
  }
  texts->requests.clear();
  work.answer = [texts = *std::move(texts), store, base = asked->base,
                 extension = ExtensionOfFile(asked->file.file_name)](
                    const std::vector<TextAnswer>& answers) {
    absl::StatusOr<std::string> bytes = texts.Write(answers);
    if (!bytes.ok()) return LibreTranslateError(bytes.status());
    const std::string name =
        store->Put(extension, *std::move(bytes), MonotonicTime::Now());
    return HttpResponse::Json(
        200, JsonText({{"translatedFileUrl",
                        absl::StrCat(base, kDownloads, name)}}));
  };
  return work;
}

absl::StatusOr<HttpResponse> Download(const HttpRequest& request,
                                      FileStore& store) {
  const std::string& name = request.path_values[0];
  const std::shared_ptr<const std::string> file =
      store.Get(name, MonotonicTime::Now());
  if (file == nullptr) {
    return absl::NotFoundError("there is no such file, or not any more");
  }
  HttpResponse response = {200, "application/octet-stream", *file};
  response.fields.emplace_back(
      "Content-Disposition",
      absl::StrCat("attachment; filename=\"", name, "\""));
  return response;
}

}  // namespace

std::function<absl::StatusOr<TextWork>(HttpRequest)> LibreTranslateFileReader(
    const RequestReader* reader, std::shared_ptr<FileStore> store) {
  return [reader, store = std::move(store)](const HttpRequest& request) {
    return ReadFile(request, reader, store);
  };
}

void AddDownloads(std::shared_ptr<FileStore> store, HttpRouter& router) {
  router.Add({"GET", absl::StrCat(kDownloads, "{}"),
              [store = std::move(store)](HttpCallContext context) {
                return std::make_shared<PlainCall>(
                    std::move(context), /*limiter=*/nullptr,
                    [store](const HttpRequest& request) {
                      return Download(request, *store);
                    },
                    PlainError);
              }});
}

}  // namespace sheaf
