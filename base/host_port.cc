// SPDX-License-Identifier: Apache-2.0

#include "base/host_port.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace sheaf {
namespace {

absl::StatusOr<HostPort> ParseUnixPath(absl::string_view path) {
  // gRPC's clients split a path at a comma.
  if (!path.empty() && path.size() <= kMaxUnixPathBytes &&
      path.find_first_of(absl::string_view("\0,", 2)) ==
          absl::string_view::npos) {
    return HostPort{"", 0, std::string(path)};
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "the path has %d bytes; allowed is unix:PATH with a path of 1..%d bytes, "
      "without a comma or a zero",
      path.size(), kMaxUnixPathBytes));
}

}  // namespace

std::string HostPort::ToString() const {
  if (is_unix()) return absl::StrCat("unix:", path);
  return absl::StrContains(host, ':') ? absl::StrFormat("[%s]:%d", host, port)
                                      : absl::StrFormat("%s:%d", host, port);
}

bool HostPort::is_loopback() const {
  if (is_unix() || host == "localhost") return true;
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    return (ntohl(v4.s_addr) >> 24) == 127;
  }
  in6_addr v6;
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 &&
         IN6_IS_ADDR_LOOPBACK(&v6);
}

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text) {
  if (absl::ConsumePrefix(&text, "unix:")) return ParseUnixPath(text);
  const absl::Status wrong = absl::InvalidArgumentError(
      "allowed is HOST:PORT, as 127.0.0.1:50051 or [::1]:50051, with a port of "
      "0..65535; or, for --listen, unix:PATH");
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return wrong;
  HostPort out;
  absl::string_view host = text.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) {
    if (!absl::ConsumeSuffix(&host, "]")) return wrong;
  } else if (absl::StrContains(host, ':')) {
    return wrong;
  }
  const absl::string_view port = text.substr(colon + 1);
  const bool is_name =
      !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
        return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == ':';
      });
  if (!is_name || port.empty() ||
      !std::all_of(port.begin(), port.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(port, &out.port) || out.port > 65535) {
    return wrong;
  }
  out.host = std::string(host);
  return out;
}

}  // namespace sheaf
