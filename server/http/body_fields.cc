// SPDX-License-Identifier: Apache-2.0

#include "server/http/body_fields.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/strict_json.h"
#include "server/field_error.h"
#include "server/http/http_status.h"

namespace sheaf {
namespace {

constexpr char kJson[] = "application/json";
constexpr char kForm[] = "application/x-www-form-urlencoded";
constexpr char kMultipart[] = "multipart/form-data";
constexpr char kBodyName[] = "the body";

// The most texts of an array, many times over.
constexpr int64_t kMaxValues = int64_t{1} << 14;

absl::Status WrongMedia(std::string message) {
  return WithHttpStatus(absl::InvalidArgumentError(std::move(message)), 415);
}

absl::Status CheckEncoding(const HttpHeader& header, const MediaType& media) {
  const absl::string_view encoding = header.Field("content-encoding");
  if (!encoding.empty() && !absl::EqualsIgnoreCase(encoding, "identity")) {
    return WrongMedia(
        absl::StrFormat("Content-Encoding is \"%s\"; this server takes none",
                        Escaped(encoding)));
  }
  if (!media.charset.empty() && media.charset != "utf-8" &&
      media.charset != "utf8") {
    return WrongMedia(absl::StrFormat(
        "the charset of Content-Type is \"%s\"; this server takes UTF-8",
        Escaped(media.charset)));
  }
  if (media.is_valid) return absl::OkStatus();
  return WrongMedia("Content-Type is malformed");
}

absl::StatusOr<nlohmann::json> ParseJson(const std::string& body) {
  absl::StatusOr<nlohmann::json> json = ParseStrictJson(
      body, kBodyName, {.max_bytes = body.size(), .max_values = kMaxValues});
  if (json.ok() && !json->is_object()) {
    return absl::InvalidArgumentError("the body is no object of JSON");
  }
  return json;
}

// A name that is there twice gets an array.
void AddValue(const FormField& field, nlohmann::json& values) {
  nlohmann::json& value = values[field.name];
  if (value.is_null()) {
    value = field.value;
  } else if (value.is_array()) {
    value.push_back(field.value);
  } else {
    value = nlohmann::json::array({std::move(value), field.value});
  }
}

absl::Status AddForm(absl::StatusOr<FormFields> fields, BodyFields& out) {
  if (!fields.ok()) return fields.status();
  for (FormField& field : *fields) {
    if (field.is_file) {
      out.files.push_back(std::move(field));
    } else {
      AddValue(field, out.values);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNames(const BodyFields& fields,
                        absl::Span<const absl::string_view> names) {
  const auto check = [names](absl::string_view name) -> absl::Status {
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrFormat("\"%s\" is no parameter of this path; allowed is %s",
                        Escaped(name), absl::StrJoin(names, ", ")));
  };
  for (const auto& [name, value] : fields.values.items()) {
    if (absl::Status status = check(name); !status.ok()) return status;
  }
  for (const FormField& file : fields.files) {
    if (absl::Status status = check(file.name); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

const nlohmann::json* BodyFields::Find(absl::string_view name) const {
  const auto found = values.find(std::string(name));
  return found == values.end() || found->is_null() ? nullptr : &*found;
}

absl::StatusOr<std::string> BodyFields::String(absl::string_view name) const {
  const nlohmann::json* value = Find(name);
  if (value == nullptr) return "";
  if (value->is_string()) return value->get<std::string>();
  return absl::InvalidArgumentError(
      absl::StrFormat("%s is no string, or there twice", name));
}

absl::StatusOr<nlohmann::json> ReadJsonBody(const HttpRequest& request) {
  const MediaType media = ParseMediaType(request.header.Field("content-type"));
  if (absl::Status status = CheckEncoding(request.header, media);
      !status.ok()) {
    return status;
  }
  if (media.type != kJson) {
    return WrongMedia(
        absl::StrFormat("Content-Type is \"%s\"; this path takes %s",
                        Escaped(media.type), kJson));
  }
  return ParseJson(request.body);
}

absl::StatusOr<BodyFields> ReadBodyFields(
    const HttpRequest& request, absl::Span<const absl::string_view> names) {
  const MediaType media = ParseMediaType(request.header.Field("content-type"));
  if (absl::Status status = CheckEncoding(request.header, media);
      !status.ok()) {
    return status;
  }
  BodyFields fields;
  absl::Status status;
  const std::string& query = request.header.query;
  if (media.type == kJson) {
    absl::StatusOr<nlohmann::json> values = ParseJson(request.body);
    if (!values.ok()) return values.status();
    if (!query.empty()) {
      return absl::InvalidArgumentError(
          "the request has a query and a body of JSON; allowed is one of them");
    }
    fields.is_json = true;
    fields.values = *std::move(values);
  } else if (media.type == kMultipart && !media.boundary.empty()) {
    status = AddForm(ParseMultipart(request.body, media.boundary), fields);
    status.Update(AddForm(ParseUrlEncoded(query), fields));
  } else if (media.type == kForm ||
             (media.type.empty() && request.body.empty())) {
    status = AddForm(ParseUrlEncoded(request.body), fields);
    status.Update(AddForm(ParseUrlEncoded(query), fields));
  } else {
    status = WrongMedia(
        absl::StrFormat("Content-Type is \"%s\"; this path takes %s, %s and %s",
                        Escaped(media.type), kJson, kForm, kMultipart));
  }
  status.Update(CheckNames(fields, names));
  if (!status.ok()) return status;
  return fields;
}

}  // namespace sheaf
