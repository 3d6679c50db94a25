// SPDX-License-Identifier: Apache-2.0

#include "server/http/form_body.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr absl::string_view kLineEnd = "\r\n";
// Of the header of a part, and its end.
constexpr size_t kMaxPartHeader = 2048;
constexpr absl::string_view kHeaderEnd = "\r\n\r\n";

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("the form is malformed: ", what));
}

absl::Status TooManyFields() {
  return absl::InvalidArgumentError(
      absl::StrCat("the form has more than ", kMaxFormFields,
                   " fields, the most that this server allows"));
}

int ValueOfDigit(char c) {
  if (absl::ascii_isdigit(c)) return c - '0';
  return absl::ascii_isxdigit(c) ? absl::ascii_tolower(c) - 'a' + 10 : -1;
}

// nullopt if an escape is malformed.
std::optional<std::string> Unescaped(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = ValueOfDigit(text[i + 1]);
      const int low = ValueOfDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(16 * high + low);
      i += 2;
    }
  }
  return out;
}

// A parameter of Content-Disposition: name="q". Browsers and clients write '"',
// CR and LF as %22, %0D and %0A there, or with a backslash.
std::optional<std::string> Parameter(absl::string_view disposition,
                                     absl::string_view name) {
  size_t at = 0;
  while ((at = disposition.find(';', at)) != absl::string_view::npos) {
    absl::string_view rest =
        absl::StripLeadingAsciiWhitespace(disposition.substr(++at));
    if (!absl::StartsWithIgnoreCase(rest, absl::StrCat(name, "="))) continue;
    rest.remove_prefix(name.size() + 1);
    if (!absl::ConsumePrefix(&rest, "\"")) {
      return std::string(
          absl::StripAsciiWhitespace(rest.substr(0, rest.find(';'))));
    }
    std::string value;
    for (size_t i = 0; i < rest.size() && rest[i] != '"'; ++i) {
      if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
      value += rest[i];
    }
    return value;
  }
  return std::nullopt;
}

// Reads the header of a part into its field.
absl::Status ReadPartHeader(absl::string_view header, FormField& field) {
  std::optional<std::string> name;
  while (!header.empty()) {
    const size_t end = std::min(header.find(kLineEnd), header.size());
    const absl::string_view line = header.substr(0, end);
    header.remove_prefix(std::min(end + kLineEnd.size(), header.size()));
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) return Malformed("a part's header");
    const absl::string_view key = line.substr(0, colon);
    const absl::string_view value = line.substr(colon + 1);
    if (absl::EqualsIgnoreCase(key, "content-disposition")) {
      if (name.has_value() ||
          !absl::StartsWithIgnoreCase(absl::StripLeadingAsciiWhitespace(value),
                                      "form-data")) {
        return Malformed("a part is no form-data");
      }
      name = Parameter(value, "name");
      const std::optional<std::string> file = Parameter(value, "filename");
      field.is_file = file.has_value();
      field.file_name = file.value_or("");
    } else if (absl::EqualsIgnoreCase(key, "content-transfer-encoding")) {
      const absl::string_view encoding = absl::StripAsciiWhitespace(value);
      if (!absl::EqualsIgnoreCase(encoding, "binary") &&
          !absl::EqualsIgnoreCase(encoding, "8bit") &&
          !absl::EqualsIgnoreCase(encoding, "7bit")) {
        return Malformed("a part has a Content-Transfer-Encoding");
      }
    }
  }
  if (!name.has_value()) return Malformed("a part has no name");
  field.name = *std::move(name);
  return absl::OkStatus();
}

absl::Status CheckUtf8(const FormField& field) {
  if (!IsValidUtf8(field.name) || !IsValidUtf8(field.file_name)) {
    return Malformed("a name is not UTF-8");
  }
  if (!field.is_file && !IsValidUtf8(field.value)) {
    return absl::InvalidArgumentError(
        absl::StrCat(field.name, " is not UTF-8"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FormFields> ParseUrlEncoded(absl::string_view text) {
  FormFields fields;
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const absl::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    if (fields.size() == kMaxFormFields) return TooManyFields();
    const size_t equals = std::min(pair.find('='), pair.size());
    std::optional<std::string> name = Unescaped(pair.substr(0, equals));
    std::optional<std::string> value =
        Unescaped(pair.substr(std::min(equals + 1, pair.size())));
    if (!name.has_value() || !value.has_value()) {
      return Malformed("'%' without two hexadecimal digits");
    }
    FormField field = {*std::move(name), *std::move(value)};
    if (absl::Status status = CheckUtf8(field); !status.ok()) return status;
    fields.push_back(std::move(field));
  }
  return fields;
}

absl::StatusOr<FormFields> ParseMultipart(absl::string_view body,
                                          absl::string_view boundary) {
  constexpr size_t kMaxBoundary = 70;  // RFC 2046
  if (boundary.size() > kMaxBoundary) return Malformed("a long boundary");
  FormFields fields;
  const std::string first = absl::StrCat("--", boundary);
  const std::string next = absl::StrCat(kLineEnd, first);
  if (!absl::ConsumePrefix(&body, first)) {
    return Malformed("the first boundary is missing");
  }
  while (!absl::ConsumePrefix(&body, "--")) {
    if (fields.size() == kMaxFormFields) return TooManyFields();
    if (!absl::ConsumePrefix(&body, kLineEnd)) {
      return Malformed("a boundary is not alone on its line");
    }
    const size_t header_end = body.substr(0, kMaxPartHeader).find(kHeaderEnd);
    if (header_end == absl::string_view::npos) {
      return Malformed("the header of a part has no end");
    }
    FormField field;
    if (absl::Status status = ReadPartHeader(body.substr(0, header_end), field);
        !status.ok()) {
      return status;
    }
    body.remove_prefix(header_end + kHeaderEnd.size());
    // An empty value is followed by the boundary's line end at once.
    const size_t end = body.find(next);
    if (end == absl::string_view::npos) {
      return Malformed("the last boundary is missing");
    }
    field.value = std::string(body.substr(0, end));
    body.remove_prefix(end + next.size());
    if (absl::Status status = CheckUtf8(field); !status.ok()) return status;
    fields.push_back(std::move(field));
  }
  if (!body.empty() && body != kLineEnd) {
    return Malformed("something follows the last boundary");
  }
  return fields;
}

}  // namespace sheaf
