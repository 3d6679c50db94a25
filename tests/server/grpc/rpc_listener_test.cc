// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/rpc_listener.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "tests/support/http_peer.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;

constexpr int kPatienceMs = 10'000;

class RpcListenerTest : public testing::Test {
 protected:
  ~RpcListenerTest() override {
    listener_->Stop();
    for (int fd : accepted_) close(fd);
  }

  void Start(int32_t max_connections) {
    auto listener = RpcListener::Listen({"127.0.0.1", 0}, max_connections);
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    RpcListener::Events events;
    events.on_connection = [this](int fd) {
      absl::MutexLock lock(&mu_);
      accepted_.push_back(fd);
    };
    events.on_refused = [this](int32_t num_open) {
      absl::MutexLock lock(&mu_);
      ++num_refused_;
      num_open_when_refused_ = num_open;
    };
    events.on_num_open = [this](int32_t num_open) {
      absl::MutexLock lock(&mu_);
      num_open_ = num_open;
    };
    listener_->Start(std::move(events));
  }
  HttpPeer Connect() { return HttpPeer(listener_->port()); }
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
  int32_t num_refused_ = 0;
  int32_t num_open_when_refused_ = 0;
  int32_t num_open_ = 0;
  std::unique_ptr<RpcListener> listener_;
};

TEST_F(RpcListenerTest, OneBeyondTheLimitIsClosedAtOnce) {
  Start(/*max_connections=*/2);
  const HttpPeer first = Connect(), second = Connect();
  AwaitAccepted(2);
  EXPECT_TRUE(Connect().IsClosed(kPatienceMs));
  absl::MutexLock lock(&mu_);
  EXPECT_EQ(num_refused_, 1);
  EXPECT_EQ(num_open_when_refused_, 2);
}

TEST_F(RpcListenerTest, APlaceIsFreeOnceItsConnectionIsClosed) {
  Start(/*max_connections=*/2);
  const HttpPeer first = Connect(), second = Connect();
  AwaitAccepted(2);
  CloseOne();
  const HttpPeer third = Connect();
  AwaitAccepted(2);
  absl::MutexLock lock(&mu_);
  EXPECT_EQ(num_refused_, 0);
  const auto is_known = [&] { return num_open_ == 2; };
  mu_.Await(absl::Condition(&is_known));
}

TEST_F(RpcListenerTest, WithoutDescriptorsItWaitsAndContinues) {
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

TEST_F(RpcListenerTest, NoConnectionIsAcceptedOnceItHasStopped) {
  Start(/*max_connections=*/2);
  HttpPeer first = Connect();
  AwaitAccepted(1);
  const int32_t port = listener_->port();
  listener_->Stop();
  EXPECT_FALSE(HttpPeer(port).is_connected());
  CloseOne();
  EXPECT_TRUE(first.IsClosed(kPatienceMs));
}

TEST_F(RpcListenerTest, AnAddressThatIsTakenIsAnError) {
  Start(/*max_connections=*/1);
  const auto second = RpcListener::Listen({"127.0.0.1", listener_->port()}, 1);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("127.0.0.1:"));
  EXPECT_FALSE(RpcListener::Listen({"192.0.2.1", 0}, 1).ok());
}

TEST_F(RpcListenerTest, AWildcardTakesBothFamilies) {
  Start(1);
  const auto any = RpcListener::Listen({"0.0.0.0", 0}, 1);
  ASSERT_TRUE(any.ok()) << any.status();
  EXPECT_TRUE(HttpPeer((*any)->port()).is_connected());
}

}  // namespace
}  // namespace sheaf
