// SPDX-License-Identifier: Apache-2.0

#include "server/ops/connection_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

using Peer = ConnectionTable::Peer;
using Verdict = ConnectionTable::Verdict;

const Peer kUnix;

Peer From(const std::string& address) { return {IpAddress::Parse(address)}; }
Peer Proxy(const std::string& address) {
  return {IpAddress::Parse(address), /*is_trusted=*/true};
}

// A table, and the descriptors of connections, as the listener and gRPC have
// them.
class Connections {
 public:
  explicit Connections(const ConnectionTable::Limits& limits)
      : table_(limits) {}
  ~Connections() {
    for (int fd : fds_) close(fd);
  }

  Verdict Open(const Peer& peer) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_GE(fd, 0);
    const Verdict verdict = table_.Take(fd, peer);
    if (verdict == Verdict::kTaken) {
      fds_.push_back(fd);
    } else {
      close(fd);
    }
    table_.CheckConsistency();
    return verdict;
  }
  // As gRPC does, without a word to the table.
  void Close(size_t index) {
    close(fds_[index]);
    fds_.erase(fds_.begin() + static_cast<ptrdiff_t>(index));
  }

  ConnectionTable& table() { return table_; }
  size_t size() const { return fds_.size(); }

 private:
  ConnectionTable table_;
  std::vector<int> fds_;
};

TEST(ConnectionTableTest, TheTotalIsLimited) {
  Connections connections({2, 9, 0});
  EXPECT_EQ(connections.Open(From("192.0.2.1")), Verdict::kTaken);
  EXPECT_EQ(connections.Open(From("192.0.2.2")), Verdict::kTaken);
  EXPECT_EQ(connections.Open(From("192.0.2.3")), Verdict::kTooMany);
  EXPECT_EQ(connections.Open(kUnix), Verdict::kTooMany);
  EXPECT_EQ(connections.table().num_open(), 2);
}

TEST(ConnectionTableTest, TheNumberOfOneClientIsLimited) {
  Connections connections({9, 2, 0});
  const Peer peer = From("192.0.2.1");
  EXPECT_EQ(connections.Open(peer), Verdict::kTaken);
  EXPECT_EQ(connections.Open(From("::ffff:192.0.2.1")), Verdict::kTaken);
  EXPECT_EQ(connections.Open(peer), Verdict::kTooManyOfClient);
  EXPECT_EQ(connections.table().NumOpenOf(peer), 2);
  EXPECT_EQ(connections.Open(From("192.0.2.2")), Verdict::kTaken);
  connections.Close(0);
  EXPECT_EQ(connections.Open(peer), Verdict::kTaken);
}

TEST(ConnectionTableTest, ANetworkOf64BitsIsOneClient) {
  Connections connections({9, 1, 0});
  EXPECT_EQ(connections.Open(From("2001:db8::1")), Verdict::kTaken);
  EXPECT_EQ(connections.Open(From("2001:db8::2")), Verdict::kTooManyOfClient);
  EXPECT_EQ(connections.Open(From("2001:db8:0:1::1")), Verdict::kTaken);
}

TEST(ConnectionTableTest, UnixSocketsAndProxiesCountInTotalOnly) {
  Connections connections({4, 1, 0});
  for (const Peer& peer : {kUnix, Proxy("192.0.2.1")}) {
    EXPECT_EQ(connections.Open(peer), Verdict::kTaken);
    EXPECT_EQ(connections.Open(peer), Verdict::kTaken);
  }
  EXPECT_EQ(connections.Open(Proxy("192.0.2.1")), Verdict::kTooMany);
}

TEST(ConnectionTableTest, PeersOfThisMachineHavePlacesBeyondBothLimits) {
  Connections connections({3, 2, 2});
  const Peer home = From("127.0.0.1");
  EXPECT_EQ(connections.Open(home), Verdict::kTaken);
  EXPECT_EQ(connections.Open(home), Verdict::kTaken);
  EXPECT_EQ(connections.Open(home), Verdict::kTaken);  // beyond its own limit
  EXPECT_EQ(connections.table().NumOpenOf(home), 2);
  EXPECT_EQ(connections.Open(From("192.0.2.1")), Verdict::kTaken);
  EXPECT_EQ(connections.Open(From("192.0.2.2")), Verdict::kTooMany);
  EXPECT_EQ(connections.Open(kUnix), Verdict::kTaken);
  EXPECT_EQ(connections.table().num_open(), 5);
  EXPECT_EQ(connections.Open(From("::1")), Verdict::kTooMany);
  connections.Close(2);  // a place beyond the limits
  EXPECT_EQ(connections.Open(From("192.0.2.2")), Verdict::kTooMany);
  EXPECT_EQ(connections.Open(From("::1")), Verdict::kTaken);
}

TEST(ConnectionTableTest, APeerWithManyConnectionsLeavesHalfOfTheLocalPlaces) {
  Connections connections({3, 9, 2});
  const Peer busy = From("127.0.0.2");
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(connections.Open(busy), Verdict::kTaken);
  }
  EXPECT_EQ(connections.Open(busy), Verdict::kTooMany);
  EXPECT_EQ(connections.Open(From("127.0.0.1")), Verdict::kTaken);
  EXPECT_EQ(connections.Open(From("127.0.0.1")), Verdict::kTooMany);
}

TEST(ConnectionTableTest, AClosedConnectionIsFoundByItsDescriptor) {
  constexpr int kMany = 200;  // more than one new connection looks at
  Connections connections({kMany, kMany, 0});
  const Peer peer = From("192.0.2.1");
  for (int i = 0; i < kMany; ++i) connections.Open(peer);
  for (size_t index : {0, 77, kMany - 1}) {
    EXPECT_EQ(connections.Open(peer), Verdict::kTooMany);
    connections.Close(index);
    EXPECT_EQ(connections.Open(peer), Verdict::kTaken) << index;
  }
}

TEST(ConnectionTableTest, OtherFilesDoNotHideAClosedConnectionForLong) {
  constexpr int kMany = 200;
  Connections connections({kMany, kMany, 0});
  const Peer peer = From("192.0.2.1");
  for (int i = 0; i < kMany; ++i) connections.Open(peer);
  connections.Close(100);
  const int other = socket(AF_UNIX, SOCK_STREAM, 0);  // takes its descriptor
  int num_refused = 0;
  while (num_refused < kMany && connections.Open(peer) != Verdict::kTaken) {
    ++num_refused;
  }
  EXPECT_LT(num_refused, 50);
  connections.Close(100);
  connections.table().Look(2 * kMany);
  EXPECT_EQ(connections.table().num_open(), kMany - 1);
  close(other);
}

TEST(ConnectionTableTest, CountsHoldThroughRandomOperations) {
  Connections connections({40, 10, 5});
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    if (random() % 2 == 0 && connections.size() > 0) {
      connections.Close(random() % connections.size());
    } else {
      const uint32_t client = random() % 8;
      connections.Open(client == 0   ? kUnix
                       : client == 1 ? From("127.0.0.1")
                       : client == 2 ? Proxy("192.0.2.9")
                                     : From(absl::StrCat("192.0.2.", client)));
    }
    connections.table().Look(random() % 4);
    connections.table().CheckConsistency();
  }
  connections.table().Look(10'000);
  EXPECT_EQ(connections.table().num_open(), connections.size());
}

}  // namespace
}  // namespace sheaf
