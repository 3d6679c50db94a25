// SPDX-License-Identifier: Apache-2.0

#include "client/http_answer.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/output.h"
#include "nlohmann/json.hpp"

namespace sheaf {
namespace {

using Json = nlohmann::json;

Json Parse(absl::string_view text) {
  return Json::parse(text.begin(), text.end(), nullptr,
                     /*allow_exceptions=*/false);
}

std::string StringOf(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

int32_t NumberOf(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_number_integer() ? it->get<int32_t>() : 0;
}

absl::StatusCode CodeOf(int http_status) {
  switch (http_status) {
    case 400:
      return absl::StatusCode::kInternal;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kUnknown;
  }
}

}  // namespace

absl::StatusOr<HttpOutput> ReadHttpOutput(absl::string_view json) {
  const Json message = Parse(json);
  if (!message.is_object()) {
    return absl::InternalError("the answer is no object of JSON");
  }
  HttpOutput output;
  for (const char* name : {"text", "tokens", "hypotheses"}) {
    output.has_output |= message.contains(name);
  }
  if (const auto usage = message.find("usage"); usage != message.end()) {
    if (!usage->is_object()) {
      return absl::InternalError("\"usage\" of the answer is no object");
    }
    output.usage.emplace();
    output.usage->set_input_tokens(NumberOf(*usage, "input_tokens"));
    output.usage->set_output_tokens(NumberOf(*usage, "output_tokens"));
    output.usage->set_segments(NumberOf(*usage, "segments"));
  }
  return output;
}

absl::Status HttpError(int http_status, absl::string_view body) {
  const Json problem = Parse(body);
  absl::StatusCode code = CodeOf(http_status);
  std::string message;
  if (problem.is_object()) {
    message =
        absl::StrCat(StringOf(problem, "detail"), StringOf(problem, "error"));
    const std::string name = StringOf(problem, "code");
    for (int i = 1; i <= static_cast<int>(absl::StatusCode::kUnauthenticated);
         ++i) {
      const auto each = static_cast<absl::StatusCode>(i);
      if (CodeName(each) == name) code = each;
    }
  }
  if (message.empty()) message = absl::StrCat("HTTP status ", http_status);
  return absl::Status(code, message);
}

std::optional<EventReader::Event> EventReader::Next() {
  constexpr absl::string_view kEnd = "\n\n";
  const absl::string_view rest = absl::string_view(bytes_).substr(begin_);
  const size_t size = rest.find(kEnd);
  if (size == absl::string_view::npos) {
    bytes_.erase(0, begin_);
    begin_ = 0;
    return std::nullopt;
  }
  Event event;
  bool has_data = false;
  for (absl::string_view line : absl::StrSplit(rest.substr(0, size), '\n')) {
    if (absl::ConsumePrefix(&line, "event: ")) {
      event.name = std::string(line);
    } else if (absl::ConsumePrefix(&line, "data: ")) {
      absl::StrAppend(&event.data, has_data ? "\n" : "", line);
      has_data = true;
    }
  }
  begin_ += size + kEnd.size();
  return event;
}

}  // namespace sheaf
