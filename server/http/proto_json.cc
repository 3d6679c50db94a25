// SPDX-License-Identifier: Apache-2.0

#include "server/http/proto_json.h"

#include <google/protobuf/util/json_util.h>

#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/strict_json.h"
#include "server/field_error.h"

namespace sheaf {
namespace {

// The most token ids of a request, and its options.
constexpr int64_t kMaxValues = int64_t{1} << 17;

// "topP" for "top_p", as the mapping does.
std::string CamelCase(const std::string& name) {
  std::string camel;
  bool is_upper = false;
  for (const char c : name) {
    if (c == '_') {
      is_upper = true;
      continue;
    }
    camel += is_upper ? absl::ascii_toupper(c) : c;
    is_upper = false;
  }
  return camel;
}

// The parser takes a field by both of its names, and the last one wins.
absl::Status CheckNames(const nlohmann::json& json) {
  std::vector<const nlohmann::json*> left = {&json};
  while (!left.empty()) {
    const nlohmann::json& value = *left.back();
    left.pop_back();
    std::set<std::string> names;
    if (value.is_object()) {
      for (const auto& [name, member] : value.items()) {
        if (!names.insert(CamelCase(name)).second) {
          return absl::InvalidArgumentError(absl::StrFormat(
              "the field \"%s\" is there twice", Escaped(name)));
        }
        left.push_back(&member);
      }
    } else if (value.is_array()) {
      for (const nlohmann::json& element : value) left.push_back(&element);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseProtoJson(const std::string& text,
                            google::protobuf::Message* message) {
  const absl::StatusOr<nlohmann::json> json = ParseStrictJson(
      text, "the body", {.max_bytes = text.size(), .max_values = kMaxValues});
  if (!json.ok()) return json.status();
  if (!json->is_object()) {
    return absl::InvalidArgumentError("the body is no object of JSON");
  }
  if (absl::Status status = CheckNames(*json); !status.ok()) return status;
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(text, message);
  if (parsed.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the body is no ", message->GetDescriptor()->name(), ": ",
                   Escaped(std::string(parsed.message()))));
}

std::string ToProtoJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  SHEAF_CHECK(
      google::protobuf::util::MessageToJsonString(message, &text, options)
          .ok());
  return text;
}

}  // namespace sheaf
