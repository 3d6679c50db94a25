// SPDX-License-Identifier: Apache-2.0

#include "server/http/completions_form.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "server/field_error.h"
#include "server/http/event_stream.h"
#include "server/http/http_status.h"
#include "server/http/json_text.h"

namespace sheaf {
namespace {

using nlohmann::json;

// OpenAI has no word for a repetition, which ends before the text does.
const char* ReasonOf(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEos:
    case FinishReason::kStopSequence:
      return "stop";
    case FinishReason::kLength:
    case FinishReason::kRepetition:
      return "length";
  }
  return "stop";
}

json Usage(const AnswerSummary& summary) {
  return {
      {"prompt_tokens", summary.num_input_tokens},
      {"completion_tokens", summary.num_output_tokens},
      {"total_tokens", summary.num_input_tokens + summary.num_output_tokens}};
}

json Completion(const CompletionId& id, const std::string& text,
                const AnswerSummary* summary) {
  json choice = {{"text", text},
                 {"index", 0},
                 {"logprobs", nullptr},
                 {"finish_reason", nullptr}};
  if (summary != nullptr) {
    choice["finish_reason"] = ReasonOf(summary->finish_reason);
  }
  return {{"id", id.id},
          {"object", "text_completion"},
          {"created", id.created},
          {"model", id.model},
          {"choices", json::array({std::move(choice)})}};
}

json ErrorOf(const absl::Status& status) {
  const int http_status = HttpStatusOf(status);
  const std::string field = FieldOf(status);
  json error = {{"message", std::string(status.message())},
                {"type", http_status == 401   ? "authentication_error"
                         : http_status == 429 ? "rate_limit_error"
                         : http_status < 500  ? "invalid_request_error"
                                              : "server_error"},
                {"param", nullptr},
                {"code", absl::StatusCodeToString(status.code())}};
  if (!field.empty()) error["param"] = field;
  return {{"error", std::move(error)}};
}

}  // namespace

HttpResponse CompletionAnswer(const CompletionId& id,
                              const TextAnswer& answer) {
  json completion = Completion(id, answer.whole.text, &answer.summary);
  completion["usage"] = Usage(answer.summary);
  return HttpResponse::Json(200, JsonText(completion));
}

std::shared_ptr<const StreamForm> CompletionEvents(const CompletionId& id,
                                                   bool has_usage) {
  auto form = std::make_shared<StreamForm>();
  form->head = EventsHead();
  form->part = [id](const AnswerPart& part) -> std::string {
    if (part.text.empty()) return "";
    return Event(JsonText(Completion(id, part.text, /*summary=*/nullptr)));
  };
  form->last = [id, has_usage](const AnswerPart& rest,
                               const AnswerSummary& summary) {
    std::string events = Event(JsonText(Completion(id, rest.text, &summary)));
    if (has_usage) {
      json usage = Completion(id, "", /*summary=*/nullptr);
      usage["choices"] = json::array();
      usage["usage"] = Usage(summary);
      absl::StrAppend(&events, Event(JsonText(usage)));
    }
    return absl::StrCat(events, Event("[DONE]"));
  };
  form->broken = [](const absl::Status& status) {
    return Event(JsonText(ErrorOf(status)));
  };
  return form;
}

HttpResponse CompletionError(const absl::Status& status) {
  return HttpResponse::Json(HttpStatusOf(status), JsonText(ErrorOf(status)));
}

}  // namespace sheaf
