// SPDX-License-Identifier: Apache-2.0

#include "server/parse_message.h"

#include <google/protobuf/stubs/logging.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/field_error.h"

namespace sheaf {
namespace {

// The last message that protobuf logged on this thread.
thread_local std::string protobuf_message;

void KeepMessage(google::protobuf::LogLevel, const char*, int,
                 const std::string& message) {
  protobuf_message = message;
}

// The path of the field that protobuf names in "String field
// 'sheaf.v1.TranslateRequest.text' contains invalid UTF-8 data ..."; empty if
// it logged anything else. Protobuf tells the field in no other way, so
// parse_message_test pins this form.
std::string FieldThatIsNotUtf8(absl::string_view message) {
  constexpr absl::string_view kBefore = "String field 'sheaf.v1.";
  const size_t begin = message.find(kBefore);
  if (begin == absl::string_view::npos) return "";
  absl::string_view name = message.substr(begin + kBefore.size());
  name = name.substr(0, name.find('\''));
  const size_t dot = name.find('.');
  const absl::string_view parent =
      name.substr(0, dot) == "DecodingOptions" ? "decoding." : "";
  return absl::StrCat(parent, name.substr(dot + 1));
}

}  // namespace

void RedirectProtobufLog() { google::protobuf::SetLogHandler(&KeepMessage); }

absl::Status ParseMessage(absl::string_view bytes,
                          google::protobuf::MessageLite* message) {
  protobuf_message.clear();
  if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::OkStatus();
  }
  const std::string field = FieldThatIsNotUtf8(protobuf_message);
  if (!field.empty()) {
    return FieldError(absl::StatusCode::kInvalidArgument, field,
                      "is not valid UTF-8");
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("the request's %d bytes are not a %s", bytes.size(),
                      message->GetTypeName()));
}

}  // namespace sheaf
