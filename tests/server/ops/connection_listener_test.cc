// SPDX-License-Identifier: Apache-2.0

#include "server/ops/connection_listener.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "tests/support/http_peer.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;

constexpr int kPatienceMs = 10'000;

class ConnectionListenerTest : public testing::Test {
 protected:
  ~ConnectionListenerTest() override {
    listener_->Stop();
    for (int fd : accepted_) close(fd);
  }

  // Without the places of local peers, because all peers of a test are local.
  void Start(int32_t max_connections, int32_t max_per_address = 1000) {
    Listen({.max_connections = max_connections,
            .max_connections_per_address = max_per_address,
            .num_local_places = 0});
  }
  void Listen(const ConnectionListener::Options& options) {
    auto listener = ConnectionListener::Listen({"127.0.0.1", 0}, options);
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    ConnectionListener::Events events;
    events.on_connection = [this](int fd) {
      absl::MutexLock lock(&mu_);
      accepted_.push_back(fd);
    };
    events.on_refused = [this](const ConnectionListener::Refusal& refusal) {
      absl::MutexLock lock(&mu_);
      refusals_.push_back(refusal);
    };
    events.on_num_open = [this](int32_t num_open) {
      absl::MutexLock lock(&mu_);
      num_open_ = num_open;
    };
    listener_->Start(std::move(events));
  }
  HttpPeer Connect() { return HttpPeer(listener_->port()); }
  // From 127.0.0.`last`.
  HttpPeer ConnectFrom(uint32_t last) {
    return HttpPeer(listener_->port(), (127u << 24) + last);
  }
  // The only refusal so far.
  ConnectionListener::Refusal refusal() {
    absl::MutexLock lock(&mu_);
    EXPECT_EQ(refusals_.size(), 1);
    return refusals_.at(0);
  }
  void AwaitAccepted(size_t n) {
    absl::MutexLock lock(&mu_);
    const auto have_come = [&] { return accepted_.size() == n; };
    mu_.Await(absl::Condition(&have_come));
  }
  // As gRPC does with a connection that has ended.
  void CloseOne() {
    absl::MutexLock lock(&mu_);
    close(accepted_.back());
    accepted_.pop_back();
  }

  absl::Mutex mu_;
  std::vector<int> accepted_;
  std::vector<ConnectionListener::Refusal> refusals_;
  int32_t num_open_ = 0;
  std::unique_ptr<ConnectionListener> listener_;
};

TEST_F(ConnectionListenerTest, OneBeyondTheLimitIsClosedAtOnce) {
  Start(/*max_connections=*/2);
  const HttpPeer first = Connect(), second = Connect();
  AwaitAccepted(2);
  EXPECT_TRUE(ConnectFrom(7).IsClosed(kPatienceMs));
  EXPECT_FALSE(refusal().is_for_address);
  EXPECT_EQ(refusal().num_open, 2);
  EXPECT_EQ(refusal().address, "ipv4:127.0.0.7");
}

TEST_F(ConnectionListenerTest, OneAddressDoesNotTakeThePlacesOfAnother) {
  Start(/*max_connections=*/10, /*max_per_address=*/2);
  const HttpPeer first = ConnectFrom(2), second = ConnectFrom(2);
  AwaitAccepted(2);
  EXPECT_TRUE(ConnectFrom(2).IsClosed(kPatienceMs));
  EXPECT_TRUE(refusal().is_for_address);
  EXPECT_EQ(refusal().num_open, 2);
  EXPECT_EQ(refusal().address, "ipv4:127.0.0.2");
  const HttpPeer other = ConnectFrom(3);
  AwaitAccepted(3);
}

TEST_F(ConnectionListenerTest, ATrustedProxyHasNoLimitOfItsOwn) {
  Listen({.max_connections = 10,
          .max_connections_per_address = 1,
          .trusted_proxies = *TrustedProxies::Parse("127.0.0.2"),
          .num_local_places = 0});
  const HttpPeer first = ConnectFrom(2), second = ConnectFrom(2);
  AwaitAccepted(2);
  const HttpPeer other = ConnectFrom(3);
  AwaitAccepted(3);
  EXPECT_TRUE(ConnectFrom(3).IsClosed(kPatienceMs));
}

TEST_F(ConnectionListenerTest, AHealthCheckOfThisMachineFindsAPlace) {
  Listen({.max_connections = 2});
  const HttpPeer first = Connect(), second = Connect();
  AwaitAccepted(2);
  const HttpPeer check = Connect();
  AwaitAccepted(3);
}

TEST_F(ConnectionListenerTest, APlaceIsFreeOnceItsConnectionIsClosed) {
  Start(/*max_connections=*/2);
  const HttpPeer first = Connect(), second = Connect();
  AwaitAccepted(2);
  CloseOne();
  const HttpPeer third = Connect();
  AwaitAccepted(2);
  absl::MutexLock lock(&mu_);
  EXPECT_TRUE(refusals_.empty());
  const auto is_known = [&] { return num_open_ == 2; };
  mu_.Await(absl::Condition(&is_known));
}

TEST_F(ConnectionListenerTest, WithoutDescriptorsItWaitsAndContinues) {
  Start(/*max_connections=*/100);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  HttpPeer early = Connect();
  AwaitAccepted(1);
  // No descriptor is left, except for the end of the next client.
  const int next = open("/dev/null", O_RDONLY);
  close(next);
  rlimit none = before;
  none.rlim_cur = next + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  HttpPeer waits = Connect();  // by the kernel
  EXPECT_TRUE(waits.is_connected());
  HttpPeer none_left(0);  // takes no descriptor, because there is none
  EXPECT_FALSE(none_left.is_connected());
  usleep(50'000);  // the listener meets the limit; without this it may not
  {
    absl::MutexLock lock(&mu_);
    EXPECT_EQ(accepted_.size(), 1);
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  AwaitAccepted(2);
  const HttpPeer late = Connect();
  AwaitAccepted(3);
}

TEST_F(ConnectionListenerTest, NoConnectionIsAcceptedOnceItHasStopped) {
  Start(/*max_connections=*/2);
  HttpPeer first = Connect();
  AwaitAccepted(1);
  const int32_t port = listener_->port();
  listener_->Stop();
  EXPECT_FALSE(HttpPeer(port).is_connected());
  CloseOne();
  EXPECT_TRUE(first.IsClosed(kPatienceMs));
}

TEST_F(ConnectionListenerTest, AnAddressThatIsTakenIsAnError) {
  Start(/*max_connections=*/1);
  const auto second =
      ConnectionListener::Listen({"127.0.0.1", listener_->port()}, {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("127.0.0.1:"));
  EXPECT_FALSE(ConnectionListener::Listen({"192.0.2.1", 0}, {}).ok());
}

TEST_F(ConnectionListenerTest, AWildcardTakesBothFamilies) {
  Start(1);
  const auto any = ConnectionListener::Listen({"0.0.0.0", 0}, {});
  ASSERT_TRUE(any.ok()) << any.status();
  EXPECT_TRUE(HttpPeer((*any)->port()).is_connected());
}

}  // namespace
}  // namespace sheaf
