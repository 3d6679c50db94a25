// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/access/ip_address.h"

namespace sheaf {

// The proxies of --trusted_proxies. Their metadata x-forwarded-for and
// x-client-subject describes their clients. The same metadata of other peers is
// ignored.
class TrustedProxies {
 public:
  TrustedProxies() = default;  // none
  // A list of addresses ("192.0.2.1"), networks ("10.0.0.0/8", "fd00::/8") and
  // "unix", the peers of a Unix socket, separated by commas. INVALID_ARGUMENT
  // names --trusted_proxies, the entry and what is allowed.
  static absl::StatusOr<TrustedProxies> Parse(absl::string_view list);

  bool is_empty() const { return !has_unix_ && networks_.empty(); }
  // `peer` has gRPC's form: "ipv4:192.0.2.1:1234", or "unix" with anything
  // behind it.
  bool IncludesPeer(absl::string_view peer) const;
  bool Includes(const IpAddress& address) const;

  // The client of a call that one of the proxies forwarded. `forwarded_for` has
  // the values of x-forwarded-for, joined with commas in their order. A proxy
  // appends its peer, so the client is the last address that is not a proxy's,
  // or the first address if all are. None if no address is there, or if one is
  // malformed that has only proxies behind it.
  std::optional<IpAddress> ClientOf(absl::string_view forwarded_for) const;

 private:
  struct Network {
    IpAddress first;
    int num_bits;
  };
  static std::optional<Network> ParseNetwork(absl::string_view text);

  bool has_unix_ = false;
  std::vector<Network> networks_;
};

}  // namespace sheaf
