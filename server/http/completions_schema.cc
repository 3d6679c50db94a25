// SPDX-License-Identifier: Apache-2.0

#include "server/http/completions_schema.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/http/event_stream.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr char kRequest[] = "CompletionRequest";
constexpr char kCompletion[] = "Completion";
constexpr char kError[] = "CompletionError";

json RefTo(const char* name) {
  return {{"$ref", absl::StrCat("#/components/schemas/", name)}};
}

json JsonOf(const char* name) {
  return {{"application/json", {{"schema", RefTo(name)}}}};
}

// A value of a type, or null, which is the same as no value.
json Nullable(const char* type, json more = json::object()) {
  more["type"] = {type, "null"};
  return more;
}

json ArrayOf(json items) {
  return {{"type", "array"}, {"items", std::move(items)}};
}

// A parameter that is offered with one value only.
json Only(const json& value) {
  return {{"enum", value.is_null() ? json::array({nullptr})
                                   : json::array({value, nullptr})}};
}

json RequestSchema() {
  const json text = {{"type", "string"}};
  const json id = {{"type", "integer"}, {"format", "int32"}};
  json one_text = ArrayOf(text);
  one_text["minItems"] = one_text["maxItems"] = 1;
  json ids = ArrayOf(id);
  ids["minItems"] = 1;
  return {{"type", "object"},
          {"properties",
           {{"model", Nullable("string")},
            {"prompt",
             {{"description", "A text, or the ids of its tokens."},
              {"anyOf", {text, std::move(one_text), std::move(ids)}}}},
            {"max_tokens",
             Nullable("integer",
                      {{"format", "int32"}, {"minimum", 0}, {"default", 16}})},
            {"temperature", Nullable("number", {{"minimum", 0}})},
            {"top_p", Nullable("number")},
            {"seed", Nullable("integer", {{"format", "int64"}})},
            {"stop",
             {{"anyOf",
               {{{"type", {"string", "null"}}}, ArrayOf(Nullable("string"))}}}},
            {"stream", Nullable("boolean", {{"default", false}})},
            {"stream_options",
             Nullable("object", {{"properties",
                                  {{"include_usage", {{"type", "boolean"}}}}},
                                 {"additionalProperties", false}})},
            {"user", json::object()},
            {"n", Only(1)},
            {"best_of", Only(1)},
            {"echo", Only(false)},
            {"logprobs", Only(nullptr)},
            {"suffix", Only(nullptr)},
            {"presence_penalty", Only(0)},
            {"frequency_penalty", Only(0)},
            {"logit_bias", Only(json::object())}}},
          {"required", {"prompt"}},
          {"additionalProperties", false}};
}

json CompletionSchema() {
  const json text = {{"type", "string"}};
  const json count = {{"type", "integer"}, {"minimum", 0}};
  const json choice = {
      {"type", "object"},
      {"properties",
       {{"text", text},
        {"index", count},
        {"logprobs", {{"type", "null"}}},
        {"finish_reason", {{"enum", {"stop", "length", nullptr}}}}}},
      {"required", {"text", "index", "logprobs", "finish_reason"}}};
  const json usage = {
      {"type", "object"},
      {"properties",
       {{"prompt_tokens", count},
        {"completion_tokens", count},
        {"total_tokens", count}}},
      {"required", {"prompt_tokens", "completion_tokens", "total_tokens"}}};
  return {{"type", "object"},
          {"properties",
           {{"id", text},
            {"object", {{"const", "text_completion"}}},
            {"created", {{"type", "integer"}, {"format", "int64"}}},
            {"model", text},
            {"choices", ArrayOf(choice)},
            {"usage", usage}}},
          {"required", {"id", "object", "created", "model", "choices"}}};
}

json ErrorSchema() {
  const json text = {{"type", "string"}};
  const json error = {{"type", "object"},
                      {"properties",
                       {{"message", text},
                        {"type", text},
                        {"param", Nullable("string")},
                        {"code", text}}},
                      {"required", {"message", "type", "param", "code"}}};
  return {{"type", "object"},
          {"properties", {{"error", error}}},
          {"required", {"error"}}};
}

}  // namespace

json CompletionsPathItem() {
  json answer = JsonOf(kCompletion);
  answer[kEventStream] = {
      {"schema",
       {{"type", "string"},
        {"description",
         absl::StrCat("Server-sent events; the data of each is a ", kCompletion,
                      " or a ", kError, ", and that of the last [DONE].")}}}};
  const json responses = {
      {"200", {{"description", "OK"}, {"content", std::move(answer)}}},
      {"default", {{"description", "Error"}, {"content", JsonOf(kError)}}}};
  return {
      {"post",
       {{"operationId", "CreateCompletion"},
        {"summary",
         "Run the model without a task, in the form of OpenAI's API."},
        {"requestBody", {{"required", true}, {"content", JsonOf(kRequest)}}},
        {"responses", responses}}}};
}

void AddCompletionsSchemas(json& schemas) {
  schemas[kRequest] = RequestSchema();
  schemas[kCompletion] = CompletionSchema();
  schemas[kError] = ErrorSchema();
}

}  // namespace sheaf
