// SPDX-License-Identifier: Apache-2.0

#include "client/channel.h"

#include <arpa/inet.h>
#include <grpc/support/time.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/strings/substitute.h"
#include "absl/time/time.h"
#include "base/host_port.h"

namespace sheaf {
namespace {

// Large enough for the hypotheses of a long document. gRPC's default is 4 MiB.
constexpr int kMaxAnswerBytes = 64 << 20;

// A request that may be sent again is stored until its answer begins.
constexpr int kMaxRetriedRequestBytes = 8 << 20;

// A longer timeout counts as none, because gRPC counts up to 2^63 ns.
constexpr absl::Duration kLongestTimeout = absl::Hours(24 * 365 * 100);

// The maximum that gRPC allows.
constexpr int kMostAttempts = 5;

// A draining server reports it by its health and is then skipped. Only calls
// that failed before an answer began are sent again, at the time that the
// server gives if it gives one. No call is sent twice concurrently.
constexpr absl::string_view kServiceConfig = R"({
  "loadBalancingConfig": [{"round_robin": {}}],
  "healthCheckConfig": {"serviceName": "sheaf.v1.TextService"},
  "methodConfig": [{
    "name": [{"service": "sheaf.v1.TextService"},
             {"service": "sheaf.v1.ModelService"}]$0
  }]
})";
constexpr absl::string_view kRetryPolicy = R"(,
    "retryPolicy": {
      "maxAttempts": $0, "initialBackoff": "0.1s", "maxBackoff": "2s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]
    })";

absl::Status CheckAddress(absl::string_view server) {
  const size_t colon = server.rfind(':');
  uint32_t port = 0;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(server.substr(colon + 1), &port) || port == 0 ||
      port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("server is \"", server,
                     "\"; it must be HOST:PORT with a port in 1..65535, or "
                     "unix:PATH"));
  }
  return absl::OkStatus();
}

// Returns "ipv4" or "ipv6", gRPC's schemes for lists of addresses, or "" for a
// name.
absl::string_view FamilyOf(absl::string_view address) {
  std::string host(address.substr(0, address.rfind(':')));
  in_addr v4;
  in6_addr v6;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return "ipv4";
  if (host.size() < 2 || host.front() != '[') return "";
  host = host.substr(1, host.size() - 2);
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 ? "ipv6" : "";
}

constexpr absl::string_view kUnixScheme = "unix:";

// Returns gRPC's name for a Unix socket: a URI, in which some characters are
// escaped.
absl::StatusOr<std::string> UnixTarget(absl::string_view path) {
  // gRPC would split it at a comma.
  if (path.empty() || path.size() > kMaxUnixPathBytes ||
      absl::StrContains(path, ',')) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "server is \"unix:%s\"; the path has %d bytes, it must have 1..%d and "
        "no comma",
        path, path.size(), kMaxUnixPathBytes));
  }
  std::string target(kUnixScheme);
  for (const char c : path) {
    if (absl::ascii_isalnum(c) || absl::StrContains("/-_.~", c)) {
      target += c;
    } else {
      absl::StrAppendFormat(&target, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return target;
}

// Returns gRPC's name for all the servers together.
absl::StatusOr<std::string> TargetOf(const std::string& servers) {
  absl::string_view path = servers;
  if (absl::ConsumePrefix(&path, kUnixScheme)) return UnixTarget(path);
  const std::vector<std::string> addresses = absl::StrSplit(servers, ',');
  for (const std::string& address : addresses) {
    if (absl::Status status = CheckAddress(address); !status.ok()) {
      return status;
    }
  }
  if (addresses.size() == 1) return servers;
  const absl::string_view family = FamilyOf(addresses.front());
  for (const std::string& address : addresses) {
    if (family.empty() || FamilyOf(address) != family) {
      return absl::InvalidArgumentError(absl::StrCat(
          "server is \"", servers,
          "\"; a list must have only IPv4 or only IPv6 addresses, such as "
          "192.0.2.1:50051,192.0.2.2:50051; a name with several addresses, or "
          "unix:PATH, cannot be in a list"));
    }
  }
  return absl::StrCat(family, ":", servers);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Open(
    const ClientOptions& options, grpc::ChannelArguments arguments) {
  const absl::StatusOr<std::string> target = TargetOf(options.server);
  if (!target.ok()) return target.status();
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  // Model servers are in the local network, http_proxy is for the internet.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!options.tls.has_value()) {
    return grpc::CreateCustomChannel(
        *target, grpc::InsecureChannelCredentials(), arguments);
  }
  const TlsOptions& tls = *options.tls;
  if (tls.cert_pem.empty() != tls.key_pem.empty()) {
    return absl::InvalidArgumentError(
        "tls: a certificate and its key go together");
  }
  if (!tls.server_name.empty()) {
    arguments.SetSslTargetNameOverride(tls.server_name);
  }
  return grpc::CreateCustomChannel(
      *target,
      grpc::SslCredentials({.pem_root_certs = tls.ca_pem,
                            .pem_private_key = tls.key_pem,
                            .pem_cert_chain = tls.cert_pem}),
      arguments);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(
    const ClientOptions& options) {
  if (options.max_attempts < 1 || options.max_attempts > kMostAttempts) {
    return absl::InvalidArgumentError(
        absl::StrFormat("max_attempts is %d; it must be 1..%d",
                        options.max_attempts, kMostAttempts));
  }
  const std::string policy =
      options.max_attempts == 1
          ? ""
          : absl::Substitute(kRetryPolicy, options.max_attempts);
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(absl::Substitute(kServiceConfig, policy));
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, kMaxRetriedRequestBytes);
  return Open(options, arguments);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenPlainChannel(
    const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  return Open(options, arguments);
}

void PrepareContext(const std::string& token, const CallOptions& options,
                    grpc::ClientContext& context) {
  if (!token.empty()) {
    context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
  }
  if (options.timeout >= kLongestTimeout) return;
  // The monotonic clock, which unlike system_clock is never set.
  context.set_deadline(gpr_time_add(
      gpr_now(GPR_CLOCK_MONOTONIC),
      gpr_time_from_nanos(absl::ToInt64Nanoseconds(options.timeout),
                          GPR_TIMESPAN)));
}

absl::Status FromGrpc(const grpc::Status& status) {
  std::string message = status.error_message();
  // gRPC's words for a failed attempt to connect, and for its error.
  if (absl::StrContains(message, "; last error: ") &&
      (absl::StrContains(message, "Socket closed") ||
       absl::StrContains(message, "Connection reset by peer"))) {
    absl::StrAppend(&message,
                    " (the server may have as many connections as it allows, "
                    "or require TLS or a client certificate)");
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      message);
}

}  // namespace sheaf
