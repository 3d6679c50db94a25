// SPDX-License-Identifier: Apache-2.0

#include "server/http/http_message.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

// Takes a value from the beginning of `rest`: a token, or a quoted string
// without escapes. Returns false if it is malformed.
bool TakeValue(absl::string_view& rest, std::string& value) {
  if (absl::StartsWith(rest, "\"")) {
    const size_t end = rest.find('"', 1);
    if (end == absl::string_view::npos) return false;
    value = std::string(rest.substr(1, end - 1));
    rest.remove_prefix(end + 1);
    return !absl::StrContains(value, '\\');
  }
  value =
      std::string(absl::StripAsciiWhitespace(rest.substr(0, rest.find(';'))));
  rest.remove_prefix(std::min(rest.find(';'), rest.size()));
  return !value.empty() && value.find_first_of(" \t\",") == std::string::npos;
}

}  // namespace

absl::string_view HttpHeader::Field(absl::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (absl::EqualsIgnoreCase(key, name)) return value;
  }
  return "";
}

std::string HttpHeader::Joined(absl::string_view name) const {
  std::string joined;
  for (const auto& [key, value] : fields) {
    if (!absl::EqualsIgnoreCase(key, name)) continue;
    absl::StrAppend(&joined, joined.empty() ? "" : ",", value);
  }
  return joined;
}

absl::string_view ReasonOf(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 456:
      return "Quota Exceeded";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 529:
      return "Too Many Requests";
    default:
      return "Unknown";
  }
}

MediaType ParseMediaType(absl::string_view value) {
  MediaType media;
  const size_t end = std::min(value.find(';'), value.size());
  media.type =
      absl::AsciiStrToLower(absl::StripAsciiWhitespace(value.substr(0, end)));
  absl::string_view rest = value.substr(end);
  while (!rest.empty()) {
    rest = absl::StripLeadingAsciiWhitespace(rest);
    if (rest.empty()) break;
    if (rest.front() != ';') {
      media.is_valid = false;
      break;
    }
    rest = absl::StripLeadingAsciiWhitespace(rest.substr(1));
    if (rest.empty()) break;
    const size_t equals = rest.find('=');
    if (equals == absl::string_view::npos) {
      media.is_valid = false;
      break;
    }
    const std::string name = absl::AsciiStrToLower(rest.substr(0, equals));
    rest.remove_prefix(equals + 1);
    std::string text;
    media.is_valid &= TakeValue(rest, text);
    if (!media.is_valid) break;
    if (name == "charset") {
      media.is_valid &= media.charset.empty();
      media.charset = absl::AsciiStrToLower(text);
    } else if (name == "boundary") {
      media.is_valid &= media.boundary.empty();
      media.boundary = text;
    }
  }
  return media;
}

}  // namespace sheaf
