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
#include "server/http/json_text.h"
#include "server/http/libretranslate_error.h"
#include "server/http/libretranslate_texts.h"
#include "server/http/plain_call.h"
#include "sheaf/v1/text.pb.h"
#include "text/documents/document.h"

namespace sheaf {
namespace {

constexpr char kDownloads[] = "/download_file/";

v1::TextFormat ToProto(TextFormat format) {
  switch (format) {
    case TextFormat::kPlain:
      return v1::TEXT_FORMAT_PLAIN;
    case TextFormat::kHtml:
      return v1::TEXT_FORMAT_HTML;
    case TextFormat::kXml:
      return v1::TEXT_FORMAT_XML;
  }
  return v1::TEXT_FORMAT_UNSPECIFIED;
}

v1::LineBreaks ToProto(LineBreaks line_breaks) {
  switch (line_breaks) {
    case LineBreaks::kAutomatic:
      return v1::LINE_BREAKS_UNSPECIFIED;
    case LineBreaks::kKeep:
      return v1::LINE_BREAKS_KEEP;
    case LineBreaks::kParagraphs:
      return v1::LINE_BREAKS_PARAGRAPHS;
  }
  return v1::LINE_BREAKS_UNSPECIFIED;
}

v1::TranslateRequest RequestOf(const DocumentUnit& unit,
                               const std::string& source,
                               const std::string& target) {
  v1::TranslateRequest request;
  request.set_text(unit.text);
  request.set_source_language(source);
  request.set_target_language(target);
  request.set_format(ToProto(unit.format));
  // Markup says where lines end.
  if (unit.format == TextFormat::kPlain) {
    request.set_line_breaks(ToProto(unit.line_breaks));
  }
  for (const std::string& kept : unit.do_not_translate) {
    request.add_do_not_translate(kept);
  }
  return request;
}

// "txt" of "a.b.TXT"; only letters and digits, so that it can be in a name.
std::string ExtensionOf(const std::string& file_name) {
  const size_t dot = file_name.rfind('.');
  std::string extension = absl::AsciiStrToLower(
      dot == std::string::npos ? "" : file_name.substr(dot + 1));
  const bool is_plain =
      std::all_of(extension.begin(), extension.end(), absl::ascii_isalnum);
  return is_plain ? extension : "";
}

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
      absl::StrCat("a.", ExtensionOf(request.file.file_name)));
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
  absl::StatusOr<Document> parsed =
      Document::Parse(asked->format, std::move(asked->file.value),
                      {.target_language = asked->target});
  if (!parsed.ok()) return parsed.status();
  const auto document = std::make_shared<Document>(*std::move(parsed));
  if (document->units().size() > kMaxFileTexts) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the file has %d texts; this server allows %d",
                        document->units().size(), kMaxFileTexts));
  }
  TextWork work;
  work.token = asked->key;
  for (const DocumentUnit& unit : document->units()) {
    work.items.push_back(TextWork::ItemOf(
        reader, RequestOf(unit, asked->source, asked->target)));
  }
  // A file without a text is checked like one that has a blank text.
  if (work.items.empty()) {
    DocumentUnit blank;
    blank.text = " ";
    work.items.push_back(TextWork::ItemOf(
        reader, RequestOf(blank, asked->source, asked->target)));
  }
  work.answer = [document, store, base = asked->base,
                 extension = ExtensionOf(asked->file.file_name)](
                    const std::vector<TextAnswer>& answers) {
    std::vector<std::string> texts;
    texts.reserve(document->units().size());
    for (size_t i = 0; i < document->units().size(); ++i) {
      texts.push_back(answers[i].whole.text);
    }
    absl::StatusOr<std::string> bytes = document->Write(texts);
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

std::vector<std::string> TranslatedFileExtensions() {
  std::vector<std::string> extensions;
  for (const char* extension : {".txt", ".md", ".html", ".htm", ".xml", ".srt",
                                ".vtt", ".po", ".xlf", ".xliff", ".json"}) {
    if (DocumentFormatOfPath(absl::StrCat("a", extension)).has_value()) {
      extensions.emplace_back(extension);
    }
  }
  return extensions;
}

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
