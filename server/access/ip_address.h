// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace sheaf {

// An IPv4 or IPv6 address. An IPv4 address that is mapped into IPv6
// ("::ffff:192.0.2.1") equals the IPv4 address.
class IpAddress {
 public:
  static constexpr int kBits = 128;

  // "192.0.2.1" or "2001:db8::1", without a port, brackets or a zone.
  static std::optional<IpAddress> Parse(absl::string_view text);
  // None if the socket's address is neither IPv4 nor IPv6.
  static std::optional<IpAddress> Of(const sockaddr_storage& address);
  // Parses a peer in gRPC's form, "ipv4:192.0.2.1:1234" or
  // "ipv6:%5B2001:db8::1%5D:1234".
  static std::optional<IpAddress> OfPeer(absl::string_view peer);

  bool is_v4() const;
  bool is_loopback() const;
  // The first `num_bits` of the 128 bits that the address has in IPv6, where an
  // IPv4 address begins at bit 96; the others are 0.
  IpAddress Prefix(int num_bits) const;

  std::string ToString() const;  // "192.0.2.1", "2001:db8::1"
  // The peer's form without a port: "ipv4:192.0.2.1",
  // "ipv6:%5B2001:db8::1%5D".
  std::string ToPeer() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const IpAddress& address) {
    return H::combine(std::move(state), address.bytes_);
  }

 private:
  std::array<uint8_t, kBits / 8> bytes_ = {};  // IPv4: mapped into IPv6
};

// Limits per address hold for an IPv4 address, or for the network of 64 bits of
// an IPv6 address, because a client usually has all addresses of such a
// network.
IpAddress ClientNetwork(const IpAddress& address);
// "ipv4:192.0.2.1" or "ipv6:2001:db8::/64".
std::string ClientNetworkName(const IpAddress& address);

}  // namespace sheaf
