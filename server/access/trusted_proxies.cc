// SPDX-License-Identifier: Apache-2.0

#include "server/access/trusted_proxies.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace sheaf {
namespace {

constexpr int kV4Bits = 32;

// The digits of "/8"; none if they are no number of 0..max.
std::optional<int> ParseBits(absl::string_view digits, int max) {
  int bits = 0;
  if (digits.empty() ||
      !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(digits, &bits) || bits > max) {
    return std::nullopt;
  }
  return bits;
}

}  // namespace

// None if the address has a bit behind the prefix, because then either of them
// is a mistake.
std::optional<TrustedProxies::Network> TrustedProxies::ParseNetwork(
    absl::string_view text) {
  const size_t slash = text.find('/');
  const absl::string_view host = text.substr(0, slash);
  const std::optional<IpAddress> first = IpAddress::Parse(host);
  if (!first.has_value()) return std::nullopt;
  if (slash == absl::string_view::npos)
    return Network{*first, IpAddress::kBits};
  // The prefix of "::ffff:10.0.0.0/104" counts the bits of IPv6.
  const bool has_v4_form = !absl::StrContains(host, ':');
  const std::optional<int> bits = ParseBits(
      text.substr(slash + 1), has_v4_form ? kV4Bits : IpAddress::kBits);
  if (!bits.has_value()) return std::nullopt;
  const int num_bits = has_v4_form ? IpAddress::kBits - kV4Bits + *bits : *bits;
  if (first->Prefix(num_bits) != *first) return std::nullopt;
  return Network{*first, num_bits};
}

absl::StatusOr<TrustedProxies> TrustedProxies::Parse(absl::string_view list) {
  TrustedProxies proxies;
  if (list.empty()) return proxies;
  for (absl::string_view entry : absl::StrSplit(list, ',')) {
    entry = absl::StripAsciiWhitespace(entry);
    if (entry == "unix") {
      proxies.has_unix_ = true;
      continue;
    }
    const std::optional<Network> network = ParseNetwork(entry);
    if (!network.has_value()) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "--trusted_proxies has \"%s\"; allowed is a list, separated by "
          "commas, of addresses (192.0.2.1), networks without bits behind "
          "their prefix (10.0.0.0/8, fd00::/8) and unix",
          absl::CHexEscape(entry)));
    }
    proxies.networks_.push_back(*network);
  }
  return proxies;
}

bool TrustedProxies::IncludesPeer(absl::string_view peer) const {
  if (absl::StartsWith(peer, "unix")) return has_unix_;
  const std::optional<IpAddress> address = IpAddress::OfPeer(peer);
  return address.has_value() && Includes(*address);
}

bool TrustedProxies::Includes(const IpAddress& address) const {
  return std::any_of(networks_.begin(), networks_.end(),
                     [&address](const Network& network) {
                       // "::/0" is all of IPv6, but none of IPv4.
                       return network.first.is_v4() == address.is_v4() &&
                              address.Prefix(network.num_bits) == network.first;
                     });
}

std::optional<IpAddress> TrustedProxies::ClientOf(
    absl::string_view forwarded_for) const {
  while (true) {
    const size_t comma = forwarded_for.rfind(',');
    const bool is_first = comma == absl::string_view::npos;
    const std::optional<IpAddress> address =
        IpAddress::Parse(absl::StripAsciiWhitespace(
            forwarded_for.substr(is_first ? 0 : comma + 1)));
    if (is_first || !address.has_value() || !Includes(*address)) return address;
    forwarded_for = forwarded_for.substr(0, comma);
  }
}

}  // namespace sheaf
