// SPDX-License-Identifier: Apache-2.0

#include "server/http/rest.h"

#include <memory>
#include <string>
#include <utility>

#include "base/version.h"
#include "server/field_error.h"
#include "server/http/body_fields.h"
#include "server/http/event_stream.h"
#include "server/http/openapi.h"
#include "server/http/plain_call.h"
#include "server/http/problem.h"
#include "server/http/proto_json.h"
#include "server/http/text_call.h"
#include "server/messages.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {
namespace {

// The answers of a stream of Chunk.
template <typename Chunk>
std::shared_ptr<const StreamForm> ChunkEvents() {
  auto form = std::make_shared<StreamForm>();
  form->head = EventsHead();
  form->part = [](const AnswerPart& part) -> std::string {
    Chunk chunk;
    SetChunk(part, /*summary=*/nullptr, &chunk);
    return IsEmpty(chunk) ? "" : Event(ToProtoJson(chunk));
  };
  form->last = [](const AnswerPart& rest, const AnswerSummary& summary) {
    Chunk chunk;
    SetChunk(rest, &summary, &chunk);
    return Event(ToProtoJson(chunk));
  };
  form->broken = [](const absl::Status& status) {
    return NamedEvent("error", ProblemText(status));
  };
  return form;
}

template <typename Response>
HttpResponse WholeAnswer(const std::vector<TextAnswer>& answers) {
  Response response;
  SetAnswer(answers[0].whole, answers[0].summary, &response);
  return HttpResponse::Json(200, ToProtoJson(response));
}

template <typename Request, typename Response>
absl::StatusOr<TextWork> ReadWork(const HttpRequest& http,
                                  const RequestReader* reader) {
  if (absl::Status status = CheckJsonOnly(http); !status.ok()) return status;
  Request request;
  if (absl::Status status = ParseProtoJson(http.body, &request); !status.ok()) {
    return status;
  }
  TextWork work;
  work.items.push_back(TextWork::ItemOf(reader, std::move(request)));
  work.answer = WholeAnswer<Response>;
  return work;
}

void AddTexts(const char* path,
              std::function<absl::StatusOr<TextWork>(HttpRequest)> read,
              const Services& services, HttpRouter& router) {
  AddTextPath(path, services, {std::move(read), ProblemResponse}, router);
}

template <typename Request, typename Response, typename Chunk>
void AddStreamable(const char* path, const Services& services,
                   HttpRouter& router) {
  AddTexts(
      path,
      [reader = services.request_reader](
          const HttpRequest& http) -> absl::StatusOr<TextWork> {
        absl::StatusOr<TextWork> work =
            ReadWork<Request, Response>(http, reader);
        if (work.ok() && AcceptsEvents(http.header)) {
          work->stream = ChunkEvents<Chunk>();
        }
        return work;
      },
      services, router);
}

void AddPlain(const char* pattern, CallerLimiter* limiter,
              PlainCall::Answer answer, HttpRouter& router) {
  router.Add({"GET", pattern,
              [limiter, answer = std::move(answer)](HttpCallContext context) {
                return std::make_shared<PlainCall>(std::move(context), limiter,
                                                   answer, ProblemResponse);
              }});
}

void AddModels(const v1::Model& model, CallerLimiter* limiter,
               HttpRouter& router) {
  v1::ListModelsResponse models;
  *models.add_models() = model;
  models.set_server_version(Version());
  AddPlain(
      "/v1/models", limiter,
      [text = ToProtoJson(models)](const HttpRequest&) {
        return HttpResponse::Json(200, text);
      },
      router);
  AddPlain(
      "/v1/models/{}", limiter,
      [name = model.name(), text = ToProtoJson(model)](
          const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
        if (request.path_values[0] == name) {
          return HttpResponse::Json(200, text);
        }
        return FieldError(absl::StatusCode::kNotFound, "name",
                          "is \"%s\"; this server serves \"%s\"",
                          Escaped(request.path_values[0]), name);
      },
      router);
}

}  // namespace

void AddRest(const Services& services, const v1::Model& model,
             HttpRouter& router) {
  AddStreamable<v1::TranslateRequest, v1::TranslateResponse, v1::TextChunk>(
      "/v1/translate", services, router);
  AddStreamable<v1::SummarizeRequest, v1::SummarizeResponse, v1::TextChunk>(
      "/v1/summarize", services, router);
  AddStreamable<v1::GenerateRequest, v1::GenerateResponse, v1::GenerateChunk>(
      "/v1/generate", services, router);
  AddTexts(
      "/v1/detect",
      [reader = services.request_reader](const HttpRequest& http) {
        return ReadWork<v1::DetectLanguageRequest, v1::DetectLanguageResponse>(
            http, reader);
      },
      services, router);
  AddModels(model, services.limiter, router);
  AddPlain(
      "/openapi.json", /*limiter=*/nullptr,
      [text = OpenApiText()](const HttpRequest&) {
        return HttpResponse::Json(200, text);
      },
      router);
}

}  // namespace sheaf
