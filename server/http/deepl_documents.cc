// SPDX-License-Identifier: Apache-2.0

#include "server/http/deepl_documents.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/monotonic_time.h"
#include "nlohmann/json.hpp"
#include "server/access/intake.h"
#include "server/field_error.h"
#include "server/http/body_fields.h"
#include "server/http/deepl_dictionaries.h"
#include "server/http/deepl_error.h"
#include "server/http/deepl_parameters.h"
#include "server/http/deepl_route.h"
#include "server/http/deepl_terms.h"
#include "server/http/detached_call.h"
#include "server/http/document_store.h"
#include "server/http/file_texts.h"
#include "server/http/json_text.h"
#include "server/http/text_call.h"

namespace sheaf {
namespace {

using nlohmann::json;

// Memory of a document while it is translated: the file, its texts, their
// requests and translations, and what each text takes besides.
constexpr int64_t kCopies = 5;
constexpr int64_t kBytesPerText = 1024;

// The services that all paths use.
struct Documents {
  const Services* services;
  const CallerGlossaries* glossaries;
  DeepLUsage usage;
  std::shared_ptr<DocumentStore> store;
};
using SharedDocuments = std::shared_ptr<const Documents>;

// A document on its way through the model.
struct Job {
  SharedDocuments documents;
  std::string extension;
  DocumentStore::Handle handle;
  int64_t num_characters = 0;
  std::optional<IntakeBytes> bytes;  // until the end

  // `response` has the file, or the words of an error.
  void End(HttpResponse response) {
    bytes.reset();
    absl::StatusOr<std::string> file = std::move(response.body);
    if (response.status != 200) file = absl::UnknownError(*file);
    if (file.ok()) *documents->usage += num_characters;
    documents->store->Finish(handle.id, extension, std::move(file),
                             MonotonicTime::Now());
  }
};

absl::Status Reserve(const HttpRequest& http, const DeepLDocument& asked,
                     size_t num_bytes, const FileTexts& texts, Job& job) {
  for (const DocumentUnit& unit : texts.document->units()) {
    job.num_characters += NumDeepLCharacters(unit.text);
  }
  job.extension = asked.extension;
  absl::StatusOr<IntakeBytes> bytes = job.documents->services->intake->Take(
      http.caller,
      kCopies * static_cast<int64_t>(num_bytes) +
          kBytesPerText * static_cast<int64_t>(texts.requests.size()));
  if (!bytes.ok()) return bytes.status();
  job.bytes.emplace(*std::move(bytes));
  absl::StatusOr<DocumentStore::Handle> handle = job.documents->store->Add(
      http.caller, job.num_characters, MonotonicTime::Now());
  if (!handle.ok()) return handle.status();
  job.handle = *std::move(handle);
  return absl::OkStatus();
}

// Reads an upload, and answers it if it is right.
absl::StatusOr<TextWork> ReadUpload(const HttpRequest& http,
                                    const SharedDocuments& documents,
                                    DetachedReply& reply) {
  const RequestReader* reader = documents->services->request_reader;
  absl::StatusOr<DeepLDocument> asked = ReadDeepLDocument(http);
  if (!asked.ok()) return asked.status();
  const std::string target = asked->common.target_language();
  const absl::StatusOr<std::shared_ptr<const Glossary>> terms =
      TakeCallerGlossary(documents->glossaries, http.caller, asked->common);
  if (!terms.ok()) return terms.status();
  // Checks languages and glossary before the answer.
  v1::TranslateRequest blank = asked->common;
  blank.set_text(" ");
  absl::Status status = reader
                            ->Read(
                                blank, [] { return true; }, *terms)
                            .status();
  if (!status.ok()) return status;
  const size_t num_bytes = asked->bytes.size();
  absl::StatusOr<FileTexts> texts =
      ReadFileTexts(asked->format, std::move(asked->bytes),
                    asked->common.source_language(), target);
  if (!texts.ok()) return WithField(texts.status(), "file");
  const auto job = std::make_shared<Job>();
  job->documents = documents;
  status = Reserve(http, *asked, num_bytes, *texts, *job);
  if (!status.ok()) return status;
  TextWork work;
  work.items.reserve(texts->requests.size());
  for (v1::TranslateRequest& request : texts->requests) {
    request.set_glossary(asked->common.glossary());
    work.items.push_back(TranslationItem(reader, std::move(request), *terms));
  }
  texts->requests.clear();
  work.answer =
      [texts = *std::move(texts)](const std::vector<TextAnswer>& answers) {
        absl::StatusOr<std::string> file = texts.Write(answers);
        if (!file.ok()) return HttpResponse{500, "", file.status().ToString()};
        return HttpResponse{200, "", *std::move(file)};
      };
  reply.Detach(
      HttpResponse::Json(200, JsonText({{"document_id", job->handle.id},
                                        {"document_key", job->handle.key}})),
      [job](HttpResponse response) { job->End(std::move(response)); });
  return work;
}

std::shared_ptr<HttpCall> OpenUpload(HttpCallContext context,
                                     const SharedDocuments& documents) {
  TakeDeepLKey(context.caller);
  const auto reply = std::make_shared<DetachedReply>(context.reply);
  context.reply = reply;
  TextMethod method;
  method.read = [documents, reply](const HttpRequest& http) {
    return ReadUpload(http, documents, *reply);
  };
  method.error = [reply](const absl::Status& status) {
    if (!reply->is_detached()) return DeepLError(status);
    return HttpResponse{500, "", std::string(status.message())};
  };
  return std::make_shared<DetachedCall>(
      std::make_shared<TextCall>(std::move(context), *documents->services,
                                 std::make_shared<TextMethod>(method)),
      reply);
}

absl::StatusOr<DocumentStore::Handle> ReadHandle(const HttpRequest& http) {
  const absl::StatusOr<BodyFields> fields = ReadBodyFields(http);
  if (!fields.ok()) return fields.status();
  absl::Status status = CheckParameters(*fields, {"document_key"});
  if (!status.ok()) return status;
  absl::StatusOr<std::string> key = fields->String("document_key");
  if (!key.ok()) return key.status();
  if (key->empty()) {
    return absl::InvalidArgumentError("Parameter 'document_key' not specified");
  }
  return DocumentStore::Handle{http.path_values[0], *std::move(key)};
}

absl::StatusOr<HttpResponse> Status(DocumentStore& store,
                                    const HttpRequest& http) {
  const absl::StatusOr<DocumentStore::Handle> handle = ReadHandle(http);
  if (!handle.ok()) return handle.status();
  const std::optional<DocumentStore::State> state =
      store.Look(http.caller, *handle, MonotonicTime::Now());
  if (!state.has_value()) {
    return WithField(absl::NotFoundError("there is no such document, or not "
                                         "any more, or the key is another"),
                     "document");
  }
  json answer = {{"document_id", handle->id}};
  switch (state->kind) {
    case DocumentStore::State::Kind::kTranslating:
      answer["status"] = "translating";
      break;
    case DocumentStore::State::Kind::kDone:
      answer["status"] = "done";
      answer["billed_characters"] = state->num_characters;
      break;
    case DocumentStore::State::Kind::kFailed:
      answer["status"] = "error";
      answer["error_message"] = state->error;
      break;
  }
  return HttpResponse::Json(200, JsonText(answer));
}

absl::StatusOr<HttpResponse> Result(DocumentStore& store,
                                    const HttpRequest& http) {
  const absl::StatusOr<DocumentStore::Handle> handle = ReadHandle(http);
  if (!handle.ok()) return handle.status();
  const absl::StatusOr<DocumentStore::Result> result =
      store.Take(http.caller, *handle, MonotonicTime::Now());
  if (absl::IsNotFound(result.status())) {
    return WithField(result.status(), "document");
  }
  if (!result.ok()) return result.status();
  HttpResponse response = {200, "application/octet-stream", *result->file};
  response.fields.emplace_back(
      "Content-Disposition",
      absl::StrCat("attachment; filename=\"", result->name, "\""));
  return response;
}

}  // namespace

void AddDeepLDocuments(const DeepLBackend& backend, const DeepLUsage& usage,
                       HttpRouter& router) {
  const auto store = std::make_shared<DocumentStore>(backend.files);
  const auto documents = std::make_shared<const Documents>(
      Documents{backend.services, backend.glossaries, usage, store});
  router.Add({"POST", "/v2/document", [documents](HttpCallContext context) {
                return OpenUpload(std::move(context), documents);
              }});
  for (const auto& [path, answer] :
       {std::pair("/v2/document/{}", &Status),
        std::pair("/v2/document/{}/result", &Result)}) {
    AddDeepLPath(
        "POST", path, DeepLWork::kAtOnce, *backend.services,
        [store, answer = answer](const HttpRequest& http) {
          return answer(*store, http);
        },
        router);
  }
}

}  // namespace sheaf
