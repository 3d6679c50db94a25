// SPDX-License-Identifier: Apache-2.0

#include "server/http/openapi.h"

#include <google/protobuf/descriptor.h>

#include "absl/strings/str_cat.h"
#include "base/version.h"
#include "nlohmann/json.hpp"
#include "server/http/completions_schema.h"
#include "server/http/event_stream.h"
#include "server/http/json_text.h"
#include "sheaf/v1/model.pb.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using nlohmann::json;

json RefTo(const std::string& name) {
  return {{"$ref", absl::StrCat("#/components/schemas/", name)}};
}

// As the JSON mapping of protobuf writes a value. It takes 64-bit numbers as
// strings and as numbers, and writes strings.
json SchemaOfValue(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return {{"type", "integer"}, {"format", "int32"}};
    case FieldDescriptor::CPPTYPE_UINT32:
      return {{"type", "integer"}, {"minimum", 0}};
    case FieldDescriptor::CPPTYPE_INT64:
      return {{"type", {"string", "integer"}}, {"format", "int64"}};
    case FieldDescriptor::CPPTYPE_UINT64:
      return {{"type", {"string", "integer"}}, {"format", "uint64"}};
    case FieldDescriptor::CPPTYPE_FLOAT:
      return {{"type", "number"}, {"format", "float"}};
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return {{"type", "number"}, {"format", "double"}};
    case FieldDescriptor::CPPTYPE_BOOL:
      return {{"type", "boolean"}};
    case FieldDescriptor::CPPTYPE_ENUM:
      return RefTo(field.enum_type()->name());
    case FieldDescriptor::CPPTYPE_STRING:
      return {{"type", "string"}};
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return RefTo(field.message_type()->name());
  }
  return json::object();
}

json SchemaOf(const EnumDescriptor& type) {
  json names = json::array();
  for (int i = 0; i < type.value_count(); ++i) {
    names.push_back(type.value(i)->name());
  }
  return {{"type", "string"}, {"enum", names}};
}

json SchemaOf(const Descriptor& type) {
  json properties = json::object();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    json value = SchemaOfValue(field);
    properties[field.name()] =
        field.is_repeated()
            ? json{{"type", "array"}, {"items", std::move(value)}}
            : std::move(value);
  }
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"additionalProperties", false}};
}

// The schemas of a file's messages and enums.
void AddSchemas(const google::protobuf::FileDescriptor& file, json& schemas) {
  for (int i = 0; i < file.message_type_count(); ++i) {
    const Descriptor& type = *file.message_type(i);
    schemas[type.name()] = SchemaOf(type);
  }
  for (int i = 0; i < file.enum_type_count(); ++i) {
    const EnumDescriptor& type = *file.enum_type(i);
    schemas[type.name()] = SchemaOf(type);
  }
}

json ProblemSchema() {
  const json text = {{"type", "string"}};
  return {{"type", "object"},
          {"description", "RFC 9457"},
          {"properties",
           {{"type", text},
            {"title", text},
            {"status", {{"type", "integer"}}},
            {"detail", text},
            {"code", text},
            {"field", text}}},
          {"required", {"type", "title", "status", "detail", "code"}}};
}

json JsonContent(const std::string& type) {
  return {{"application/json", {{"schema", RefTo(type)}}}};
}

json Responses(json content) {
  return {{"200", {{"description", "OK"}, {"content", std::move(content)}}},
          {"default",
           {{"description", "Error"},
            {"content",
             {{"application/problem+json", {{"schema", RefTo("Problem")}}}}}}}};
}

// A POST. `chunk` is empty for a method that has no stream.
json PostOf(const std::string& id, const std::string& summary,
            const std::string& chunk) {
  json content = JsonContent(absl::StrCat(id, "Response"));
  if (!chunk.empty()) {
    content[kEventStream] = {
        {"schema",
         {{"type", "string"},
          {"description",
           absl::StrCat("Server-sent events; the data of each is a ", chunk,
                        ". An event \"error\" has a Problem.")}}}};
  }
  return {{"post",
           {{"operationId", id},
            {"summary", summary},
            {"requestBody",
             {{"required", true},
              {"content", JsonContent(absl::StrCat(id, "Request"))}}},
            {"responses", Responses(std::move(content))}}}};
}

json GetOf(const std::string& id, const std::string& summary,
           const std::string& response, bool has_name) {
  json get = {{"operationId", id},
              {"summary", summary},
              {"responses", Responses(JsonContent(response))}};
  if (has_name) {
    get["parameters"] = json::array({{{"name", "name"},
                                      {"in", "path"},
                                      {"required", true},
                                      {"schema", {{"type", "string"}}}}});
  }
  return {{"get", std::move(get)}};
}

}  // namespace

std::string OpenApiText() {
  json schemas = {{"Problem", ProblemSchema()}};
  AddSchemas(*v1::TranslateRequest::descriptor()->file(), schemas);
  AddSchemas(*v1::Model::descriptor()->file(), schemas);
  AddCompletionsSchemas(schemas);
  const json document = {
      {"openapi", "3.1.0"},
      {"info", {{"title", "Sheaf"}, {"version", Version()}}},
      {"paths",
       {{"/v1/translate",
         PostOf("Translate", "Translate a text.", "TextChunk")},
        {"/v1/summarize",
         PostOf("Summarize", "Summarize a text.", "TextChunk")},
        {"/v1/generate",
         PostOf("Generate", "Run the model without a task.", "GenerateChunk")},
        {"/v1/detect",
         PostOf("DetectLanguage", "Tell the languages of texts.", "")},
        {"/v1/completions", CompletionsPathItem()},
        {"/v1/models", GetOf("ListModels", "List the models.",
                             "ListModelsResponse", /*has_name=*/false)},
        {"/v1/models/{name}",
         GetOf("GetModel", "Describe a model.", "Model", /*has_name=*/true)}}},
      {"components",
       {{"schemas", std::move(schemas)},
        {"securitySchemes",
         {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}},
      // A server without --auth_tokens_file needs none.
      {"security", json::array({json::object(), {{"token", json::array()}}})}};
  return JsonText(document);
}

}  // namespace sheaf
