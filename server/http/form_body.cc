// SPDX-License-Identifier: Apache-2.0

#include "server/http/form_body.h"

#include <algorithm>
#include <optional>
#include <utility>

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

// Takes the value of a parameter from the beginning of `rest`, up to the next
// ';'. Browsers and clients write '"', CR and LF as %22, %0D and %0A there, or
// with a backslash.
std::string TakeParameter(absl::string_view& rest) {
  std::string value;
  rest = absl::StripLeadingAsciiWhitespace(rest);
  if (absl::ConsumePrefix(&rest, "\"")) {
    size_t i = 0;
    for (; i < rest.size() && rest[i] != '"'; ++i) {
      if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
      value += rest[i];
    }
    rest.remove_prefix(i);
    rest.remove_prefix(std::min(rest.find(';'), rest.size()));
  } else {
    const size_t end = std::min(rest.find(';'), rest.size());
    value = std::string(absl::StripAsciiWhitespace(rest.substr(0, end)));
    rest.remove_prefix(end);
  }
  return value;
}

// Reads a value of Content-Disposition: form-data; name="q"; filename="a.txt".
absl::Status ReadDisposition(absl::string_view rest,
                             std::optional<std::string>& name,
                             std::optional<std::string>& file_name) {
  const absl::string_view type = rest.substr(0, rest.find(';'));
  if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(type), "form-data")) {
    return Malformed("a part is no form-data");
  }
  rest.remove_prefix(type.size());
  while (absl::ConsumePrefix(&rest, ";")) {
    const size_t end = std::min(rest.find_first_of("=;"), rest.size());
    const absl::string_view key =
        absl::StripAsciiWhitespace(rest.substr(0, end));
    rest.remove_prefix(end);
    if (!absl::ConsumePrefix(&rest, "=")) continue;
    std::string value = TakeParameter(rest);
    for (const auto& [known, out] :
         {std::pair("name", &name), std::pair("filename", &file_name)}) {
      if (!absl::EqualsIgnoreCase(key, known)) continue;
      if (out->has_value()) return Malformed("a part has two names");
      *out = std::move(value);
      break;
    }
  }
  return absl::OkStatus();
}

// Reads the header of a part into its field.
absl::Status ReadPartHeader(absl::string_view header, FormField& field) {
  std::optional<std::string> name, file_name;
  while (!header.empty()) {
    const size_t end = std::min(header.find(kLineEnd), header.size());
    const absl::string_view line = header.substr(0, end);
    header.remove_prefix(std::min(end + kLineEnd.size(), header.size()));
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) return Malformed("a part's header");
    const absl::string_view key = line.substr(0, colon);
    const absl::string_view value = line.substr(colon + 1);
    if (absl::EqualsIgnoreCase(key, "content-disposition")) {
      if (absl::Status status = ReadDisposition(value, name, file_name);
          !status.ok()) {
        return status;
      }
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
  field.is_file = file_name.has_value();
  field.file_name = std::move(file_name).value_or("");
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
