// SPDX-License-Identifier: Apache-2.0

#include "server/access/trusted_proxies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TrustedProxies Proxies(const std::string& list) {
  absl::StatusOr<TrustedProxies> proxies = TrustedProxies::Parse(list);
  EXPECT_TRUE(proxies.ok()) << proxies.status();
  return *std::move(proxies);
}

bool Include(const std::string& list, const std::string& address) {
  return Proxies(list).Includes(*IpAddress::Parse(address));
}

// The client's address as text; "" without one.
std::string ClientOf(const std::string& list, const std::string& forwarded) {
  const std::optional<IpAddress> client = Proxies(list).ClientOf(forwarded);
  return client.has_value() ? client->ToString() : "";
}

TEST(TrustedProxiesTest, WithoutAListNoPeerIsTrusted) {
  EXPECT_TRUE(Proxies("").is_empty());
  EXPECT_FALSE(Include("", "127.0.0.1"));
  EXPECT_FALSE(Proxies("").IncludesPeer("unix"));
  EXPECT_FALSE(Proxies("").IncludesPeer("ipv4:127.0.0.1:1"));
}

TEST(TrustedProxiesTest, AnEntryIsAnAddressANetworkOrUnix) {
  const std::string list = "192.0.2.1, 10.0.0.0/8,2001:db8::1,fd00::/8,unix";
  EXPECT_FALSE(Proxies(list).is_empty());
  for (const std::string peer :
       {"ipv4:192.0.2.1:1234", "ipv4:10.255.0.1:1", "unix", "unix:/run/a.sock",
        "ipv6:%5B2001:db8::1%5D:1", "ipv6:%5Bfdff::1%5D:1"}) {
    EXPECT_TRUE(Proxies(list).IncludesPeer(peer)) << peer;
  }
  for (const std::string peer :
       {"ipv4:192.0.2.2:1234", "ipv4:11.0.0.1:1", "ipv6:%5B2001:db8::2%5D:1",
        "ipv6:%5Bfe00::1%5D:1", "", "ipv4:10.0.0.1 :1"}) {
    EXPECT_FALSE(Proxies(list).IncludesPeer(peer)) << peer;
  }
}

TEST(TrustedProxiesTest, ANetworkOfIpv6HasNoIpv4Addresses) {
  EXPECT_TRUE(Include("0.0.0.0/0", "192.0.2.1"));
  EXPECT_FALSE(Include("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(Include("::/0", "2001:db8::1"));
  EXPECT_FALSE(Include("::/0", "192.0.2.1"));
}

TEST(TrustedProxiesTest, AMappedEntryIsAnIpv4Entry) {
  EXPECT_TRUE(Include("::ffff:10.0.0.0/104", "10.1.2.3"));
  EXPECT_FALSE(Include("::ffff:10.0.0.0/104", "11.1.2.3"));
  EXPECT_TRUE(Include("::ffff:192.0.2.1", "192.0.2.1"));
}

TEST(TrustedProxiesTest, AnErrorNamesTheEntryAndWhatIsAllowed) {
  for (const std::string entry :
       {"", "localhost", "192.0.2.1:80", "10.0.0.0/33", "10.0.0.0/",
        "fd00::/129", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.1/8",
        "::ffff:10.0.0.0/90", "unix:/run/a.sock", "Unix"}) {
    const absl::Status status =
        TrustedProxies::Parse("192.0.2.1," + entry).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << entry;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("--trusted_proxies has \"" + entry + "\""),
                      HasSubstr("192.0.2.1"), HasSubstr("10.0.0.0/8"),
                      HasSubstr("unix")));
  }
}

TEST(TrustedProxiesTest, TheClientIsTheLastAddressThatIsNoProxys) {
  EXPECT_EQ(ClientOf("10.0.0.0/8", "192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(ClientOf("10.0.0.0/8", "192.0.2.1, 10.0.0.7,10.0.0.8"),
            "192.0.2.1");
  EXPECT_EQ(ClientOf("10.0.0.0/8", "10.0.0.7, 2001:db8::1"), "2001:db8::1");
}

TEST(TrustedProxiesTest, WhatAClientClaimsBeforeItsAddressIsIgnored) {
  EXPECT_EQ(ClientOf("10.0.0.0/8", "198.51.100.1, 192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(ClientOf("10.0.0.0/8", "garbage, , 192.0.2.1, 10.0.0.7"),
            "192.0.2.1");
}

TEST(TrustedProxiesTest, IfAllAreProxiesTheFirstIsTheClient) {
  EXPECT_EQ(ClientOf("10.0.0.0/8", "10.0.0.6, 10.0.0.7"), "10.0.0.6");
}

TEST(TrustedProxiesTest, AMalformedAddressIsNoClient) {
  for (const std::string forwarded :
       {"", " ", "unknown", "unix:", "192.0.2.1:80", "[2001:db8::1]",
        "192.0.2.1,", "192.0.2.1, garbage", "192.0.2.1, x, 10.0.0.7"}) {
    EXPECT_EQ(ClientOf("10.0.0.0/8", forwarded), "") << forwarded;
  }
  EXPECT_EQ(ClientOf("10.0.0.0/8", std::string(100'000, '1')), "");
  EXPECT_EQ(ClientOf("10.0.0.0/8", std::string(100'000, ',')), "");
}

}  // namespace
}  // namespace sheaf
