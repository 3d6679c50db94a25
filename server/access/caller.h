// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "base/monotonic_time.h"

namespace sheaf {

// Describes a request before its message is read; filled by the transport. The
// strings come from the client and are untrusted; empty means not sent.
struct Caller {
  std::string method;  // "sheaf.v1.TextService/Translate", for the log
  // "ipv4:192.0.2.1:12345", without a port behind a trusted proxy, or "unix".
  std::string peer;
  // The client for the limits per address: "ipv4:192.0.2.1",
  // "ipv6:2001:db8::/64", "unix".
  std::string address;
  // The subject of the client's verified certificate, if it has one.
  std::string certificate_subject;
  std::string authorization;  // "Bearer TOKEN"
  std::string request_id;
  std::string traceparent;  // W3C Trace Context
  MonotonicTime deadline = MonotonicTime::InfiniteFuture();
};

}  // namespace sheaf
