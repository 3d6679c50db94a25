// SPDX-License-Identifier: Apache-2.0

#include "server/http/header_rules.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace sheaf {
namespace {

int CountOf(const HttpHeader& header, absl::string_view name) {
  return static_cast<int>(std::count_if(
      header.fields.begin(), header.fields.end(),
      [name](const auto& f) { return absl::EqualsIgnoreCase(f.first, name); }));
}

bool IsNumber(absl::string_view text) {
  constexpr size_t kMaxDigits = 18;  // fits into 64 bits
  return !text.empty() && text.size() <= kMaxDigits &&
         std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

}  // namespace

std::string WrongBytesOfHeader(absl::string_view header) {
  bool is_line_start = false;  // of a field's line
  for (size_t i = 0; i < header.size(); ++i) {
    const char c = header[i];
    if (c == '\0') return "the header has a NUL byte";
    if (is_line_start && (c == ' ' || c == '\t')) {
      return "a field of the header is continued on a second line";
    }
    is_line_start = false;
    if (c == '\n') return "a line of the header ends with LF without CR";
    if (c != '\r') continue;
    if (i + 1 >= header.size() || header[i + 1] != '\n') {
      return "the header has a CR without LF";
    }
    ++i;
    is_line_start = true;
  }
  return "";
}

std::string WrongTarget(absl::string_view target) {
  if (target.empty() || target.front() != '/') {
    return "the target is no path; this server takes \"/path\" only, without "
           "scheme and host";
  }
  if (!std::all_of(target.begin(), target.end(), absl::ascii_isgraph)) {
    return "the target has a byte that is not printable ASCII";
  }
  if (absl::StrContains(target, '#')) return "the target has a fragment";
  return "";
}

std::string WrongFields(const HttpHeader& header) {
  const int num_hosts = CountOf(header, "host");
  if (num_hosts > 1 || (num_hosts == 0 && !header.is_version_1_0)) {
    return "a request has one Host field";
  }
  const int num_lengths = CountOf(header, "content-length");
  const int num_encodings = CountOf(header, "transfer-encoding");
  if (num_lengths > 1) return "Content-Length is there twice";
  if (num_lengths == 1 && num_encodings > 0) {
    return "Content-Length and Transfer-Encoding are both there";
  }
  if (num_lengths == 1 && !IsNumber(header.Field("content-length"))) {
    return "Content-Length is no number";
  }
  if (num_encodings > 1 ||
      (num_encodings == 1 &&
       !absl::EqualsIgnoreCase(header.Field("transfer-encoding"), "chunked"))) {
    return "Transfer-Encoding is not \"chunked\"";
  }
  if (num_encodings == 1 && header.is_version_1_0) {
    return "HTTP/1.0 has no Transfer-Encoding";
  }
  if (CountOf(header, "trailer") > 0) {
    return "this server takes no trailers";
  }
  // Which of two a proxy believes is not known.
  for (const absl::string_view name :
       {"content-type", "authorization", "content-encoding", "expect"}) {
    if (CountOf(header, name) > 1) return "a field is there twice";
  }
  return "";
}

}  // namespace sheaf
