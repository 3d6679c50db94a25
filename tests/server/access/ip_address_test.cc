// SPDX-License-Identifier: Apache-2.0

#include "server/access/ip_address.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

namespace sheaf {
namespace {

TEST(IpAddressTest, AnAddressIsReadWithoutPortBracketsOrZone) {
  EXPECT_EQ(IpAddress::Parse("192.0.2.1")->ToString(), "192.0.2.1");
  EXPECT_EQ(IpAddress::Parse("2001:DB8:0:0::1")->ToString(), "2001:db8::1");
  for (const std::string text :
       {"", " ", "192.0.2", "192.0.2.256", "192.0.2.1:80", "192.0.2.1 ",
        "[::1]", "fe80::1%eth0", "1::2::3", "example.org"}) {
    EXPECT_FALSE(IpAddress::Parse(text).has_value()) << text;
  }
  EXPECT_FALSE(IpAddress::Parse(std::string("::1\0", 4)).has_value());
  EXPECT_FALSE(IpAddress::Parse(std::string(10'000, '1')).has_value());
}

TEST(IpAddressTest, AMappedAddressIsTheIpv4Address) {
  EXPECT_EQ(IpAddress::Parse("::ffff:192.0.2.1"),
            IpAddress::Parse("192.0.2.1"));
  EXPECT_TRUE(IpAddress::Parse("::ffff:192.0.2.1")->is_v4());
  EXPECT_FALSE(IpAddress::Parse("::192.0.2.1")->is_v4());
}

TEST(IpAddressTest, AnAddressOfASocketIsTaken) {
  sockaddr_storage storage = {};
  sockaddr_in v4 = {};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(0xc0000201);
  std::memcpy(&storage, &v4, sizeof(v4));
  EXPECT_EQ(IpAddress::Of(storage), IpAddress::Parse("192.0.2.1"));
  sockaddr_in6 v6 = {};
  v6.sin6_family = AF_INET6;
  ASSERT_EQ(inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr), 1);
  std::memcpy(&storage, &v6, sizeof(v6));
  EXPECT_EQ(IpAddress::Of(storage), IpAddress::Parse("192.0.2.1"));
  storage.ss_family = AF_UNIX;
  EXPECT_FALSE(IpAddress::Of(storage).has_value());
}

TEST(IpAddressTest, APeerHasGrpcsForm) {
  EXPECT_EQ(IpAddress::OfPeer("ipv4:192.0.2.1:1234"),
            IpAddress::Parse("192.0.2.1"));
  EXPECT_EQ(IpAddress::OfPeer("ipv6:%5B2001:db8::1%5D:1234"),
            IpAddress::Parse("2001:db8::1"));
  EXPECT_EQ(IpAddress::OfPeer("ipv6:%5Bfe80::1%252%5D:1234"),
            IpAddress::Parse("fe80::1"));
  for (const std::string peer : {"", "unix:", "unix:/a:1", "ipv4:", "ipv6:"}) {
    EXPECT_FALSE(IpAddress::OfPeer(peer).has_value()) << peer;
  }
  EXPECT_EQ(IpAddress::Parse("192.0.2.1")->ToPeer(), "ipv4:192.0.2.1");
  EXPECT_EQ(IpAddress::Parse("2001:db8::1")->ToPeer(),
            "ipv6:%5B2001:db8::1%5D");
}

TEST(IpAddressTest, LoopbackIsANetworkOfIpv4AndAnAddressOfIpv6) {
  for (const std::string text :
       {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(IpAddress::Parse(text)->is_loopback()) << text;
  }
  for (const std::string text : {"126.0.0.1", "128.0.0.1", "::2", "::"}) {
    EXPECT_FALSE(IpAddress::Parse(text)->is_loopback()) << text;
  }
}

TEST(IpAddressTest, APrefixKeepsTheFirstBits) {
  const IpAddress address = *IpAddress::Parse("2001:db8:ffff::1");
  EXPECT_EQ(address.Prefix(128), address);
  EXPECT_EQ(address.Prefix(127).ToString(), "2001:db8:ffff::");
  EXPECT_EQ(address.Prefix(35).ToString(), "2001:db8:e000::");
  EXPECT_EQ(address.Prefix(0).ToString(), "::");
  EXPECT_EQ(IpAddress::Parse("10.1.2.3")->Prefix(96 + 8).ToString(),
            "10.0.0.0");
}

TEST(IpAddressTest, AClientIsAnIpv4AddressOrANetworkOf64Bits) {
  EXPECT_EQ(ClientNetworkName(*IpAddress::Parse("192.0.2.1")),
            "ipv4:192.0.2.1");
  EXPECT_EQ(ClientNetworkName(*IpAddress::Parse("2001:db8:1:2:3:4:5:6")),
            "ipv6:2001:db8:1:2::/64");
  EXPECT_EQ(ClientNetwork(*IpAddress::Parse("2001:db8::1")),
            ClientNetwork(*IpAddress::Parse("2001:db8::ffff")));
}

}  // namespace
}  // namespace sheaf
