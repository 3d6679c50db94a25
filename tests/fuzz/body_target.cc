// SPDX-License-Identifier: Apache-2.0

#include <google/protobuf/util/field_comparator.h>
#include <google/protobuf/util/message_differencer.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "server/http/body_fields.h"
#include "server/http/form_body.h"
#include "server/http/json_text.h"
#include "server/http/proto_json.h"
#include "sheaf/v1/text.pb.h"
#include "tests/fuzz/targets.h"

namespace sheaf {
namespace {

// Untrusted input is the caller's fault, and the answer says what is wrong.
void CheckStatus(const absl::Status& status) {
  SHEAF_CHECK(status.ok() || absl::IsInvalidArgument(status));
  SHEAF_CHECK(status.ok() || !status.message().empty());
}

// Protobuf's parser reads -0 as 0, which is equal to it.
bool AreEqual(const google::protobuf::Message& a,
              const google::protobuf::Message& b) {
  google::protobuf::util::DefaultFieldComparator comparator;
  comparator.set_treat_nan_as_equal(true);
  google::protobuf::util::MessageDifferencer differencer;
  differencer.set_field_comparator(&comparator);
  return differencer.Compare(a, b);
}

// A message that was read from JSON and written as JSON is the same when it is
// read again.
template <typename Message>
void CheckProtoJson(const std::string& text) {
  Message message;
  const absl::Status status = ParseProtoJson(text, &message);
  CheckStatus(status);
  if (!status.ok()) return;
  Message again;
  SHEAF_CHECK(ParseProtoJson(ToProtoJson(message), &again).ok());
  SHEAF_CHECK(AreEqual(again, message));
}

bool AreSame(const FormFields& a, const FormFields& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const FormField& x, const FormField& y) {
                      return x.name == y.name && x.value == y.value &&
                             x.is_file == y.is_file &&
                             x.file_name == y.file_name;
                    });
}

// Every byte escaped.
std::string UrlEncoded(const FormFields& fields) {
  std::string text;
  const auto add = [&text](absl::string_view value) {
    for (const char c : value) {
      absl::StrAppendFormat(&text, "%%%02x", static_cast<uint8_t>(c));
    }
  };
  for (const FormField& field : fields) {
    text += '&';
    add(field.name);
    text += '=';
    add(field.value);
  }
  return text;
}

void CheckUrlEncoded(absl::string_view text) {
  const absl::StatusOr<FormFields> fields = ParseUrlEncoded(text);
  CheckStatus(fields.status());
  if (!fields.ok()) return;
  const absl::StatusOr<FormFields> again = ParseUrlEncoded(UrlEncoded(*fields));
  SHEAF_CHECK(again.ok() && AreSame(*again, *fields));
}

// The parser may refuse a longer header of a part, which backslashes make.
constexpr size_t kMaxHeader = 2000;

std::string Quoted(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

void CheckMultipart(absl::string_view body, absl::string_view boundary) {
  const absl::StatusOr<FormFields> fields = ParseMultipart(body, boundary);
  CheckStatus(fields.status());
  if (!fields.ok()) return;
  std::string written;
  for (const FormField& field : *fields) {
    std::string header = absl::StrCat("content-disposition:form-data; name=",
                                      Quoted(field.name));
    if (field.is_file) {
      absl::StrAppend(&header, ";filename=", Quoted(field.file_name));
    }
    if (header.size() > kMaxHeader) return;
    absl::StrAppend(&written, "--", boundary, "\r\n", header, "\r\n\r\n",
                    field.value, "\r\n");
  }
  absl::StrAppend(&written, "--", boundary, "--\r\n");
  const absl::StatusOr<FormFields> again = ParseMultipart(written, boundary);
  SHEAF_CHECK(again.ok() && AreSame(*again, *fields));
}

}  // namespace

void CheckBody(absl::string_view input) {
  const size_t line_end = input.find('\n');
  if (line_end == absl::string_view::npos) return;
  const std::string type(input.substr(0, line_end));
  HttpRequest request;
  request.header.fields = {{"Content-Type", type}};
  request.body = std::string(input.substr(line_end + 1));
  CheckStatus(CheckJsonOnly(request));
  const absl::StatusOr<BodyFields> fields = ReadBodyFields(request);
  CheckStatus(fields.status());
  if (fields.ok()) {
    SHEAF_CHECK(fields->values.is_object());
    SHEAF_CHECK(!JsonText(fields->values).empty());
  }
  const MediaType media = ParseMediaType(type);
  if (media.type == "application/json") {
    CheckProtoJson<v1::TranslateRequest>(request.body);
    CheckProtoJson<v1::SummarizeRequest>(request.body);
    CheckProtoJson<v1::GenerateRequest>(request.body);
    CheckProtoJson<v1::DetectLanguageRequest>(request.body);
  } else if (!media.boundary.empty()) {
    CheckMultipart(request.body, media.boundary);
  } else {
    CheckUrlEncoded(request.body);
  }
}

}  // namespace sheaf
