// SPDX-License-Identifier: Apache-2.0

#include "server/access/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sheaf {
namespace {

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0,    0,
                                             0, 0, 0, 0, 0xff, 0xff};
constexpr int kClientNetworkBits = 64;

}  // namespace

std::optional<IpAddress> IpAddress::Parse(absl::string_view text) {
  char copy[INET6_ADDRSTRLEN] = {};  // inet_pton() needs a final zero byte
  if (text.size() >= sizeof(copy)) return std::nullopt;
  std::copy(text.begin(), text.end(), copy);
  // A byte that is 0 would end the text early.
  if (std::strlen(copy) != text.size()) return std::nullopt;
  IpAddress address;
  if (inet_pton(AF_INET6, copy, address.bytes_.data()) == 1) return address;
  std::copy(kMapped.begin(), kMapped.end(), address.bytes_.begin());
  if (inet_pton(AF_INET, copy, address.bytes_.data() + kMapped.size()) == 1) {
    return address;
  }
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::Of(const sockaddr_storage& address) {
  IpAddress out;
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof(v6));
    std::memcpy(out.bytes_.data(), &v6.sin6_addr, out.bytes_.size());
    return out;
  }
  if (address.ss_family != AF_INET) return std::nullopt;
  sockaddr_in v4;
  std::memcpy(&v4, &address, sizeof(v4));
  std::copy(kMapped.begin(), kMapped.end(), out.bytes_.begin());
  std::memcpy(out.bytes_.data() + kMapped.size(), &v4.sin_addr,
              sizeof(v4.sin_addr));
  return out;
}

std::optional<IpAddress> IpAddress::OfPeer(absl::string_view peer) {
  peer = peer.substr(0, peer.rfind(':'));
  if (absl::ConsumePrefix(&peer, "ipv4:")) return Parse(peer);
  if (!absl::ConsumePrefix(&peer, "ipv6:%5B")) return std::nullopt;
  return Parse(peer.substr(0, peer.find('%')));  // ends before a zone or "]"
}

bool IpAddress::is_v4() const {
  return std::equal(kMapped.begin(), kMapped.end(), bytes_.begin());
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[kMapped.size()] == 127;
  return IN6_IS_ADDR_LOOPBACK(reinterpret_cast<const in6_addr*>(bytes_.data()));
}

IpAddress IpAddress::Prefix(int num_bits) const {
  IpAddress out = *this;
  for (int i = 0; i < static_cast<int>(bytes_.size()); ++i) {
    const int kept = std::clamp(num_bits - 8 * i, 0, 8);
    out.bytes_[i] &= static_cast<uint8_t>(0xff00 >> kept);
  }
  return out;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  return is_v4() ? inet_ntop(AF_INET, bytes_.data() + kMapped.size(), text,
                             sizeof(text))
                 : inet_ntop(AF_INET6, bytes_.data(), text, sizeof(text));
}

std::string IpAddress::ToPeer() const {
  return is_v4() ? absl::StrCat("ipv4:", ToString())
                 : absl::StrCat("ipv6:%5B", ToString(), "%5D");
}

IpAddress ClientNetwork(const IpAddress& address) {
  return address.is_v4() ? address : address.Prefix(kClientNetworkBits);
}

std::string ClientNetworkName(const IpAddress& address) {
  if (address.is_v4()) return address.ToPeer();
  return absl::StrCat("ipv6:", ClientNetwork(address).ToString(), "/",
                      kClientNetworkBits);
}

}  // namespace sheaf
