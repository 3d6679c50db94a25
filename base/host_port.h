// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// The longest path that fits into a sockaddr_un with its final zero byte.
inline constexpr size_t kMaxUnixPathBytes = sizeof(sockaddr_un::sun_path) - 1;

// An address to listen on: "127.0.0.1:50051", "localhost:0", "[::1]:9464",
// "unix:/run/sheaf.sock".
struct HostPort {
  std::string host;       // without brackets
  int32_t port = 0;       // 0 to 65535; 0: any free port
  std::string path = "";  // of a Unix socket; replaces the two above if set

  // "HOST:PORT", with an IPv6 address in brackets, or "unix:PATH".
  std::string ToString() const;
  bool is_unix() const { return !path.empty(); }
  // True if only this machine can connect.
  bool is_loopback() const;
};

// INVALID_ARGUMENT says what is allowed.
absl::StatusOr<HostPort> ParseHostPort(absl::string_view text);

}  // namespace sheaf
