// SPDX-License-Identifier: Apache-2.0

#include "base/standard_streams.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <thread>

namespace sheaf {
namespace {

// More than a pipe holds.
const std::string& LongText() {
  static const std::string text(1 << 20, 'x');
  return text;
}

class WriteWithinTest : public testing::TestWithParam<int> {
 protected:
  WriteWithinTest() {
    std::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(pipe(pipe_), 0);
    EXPECT_EQ(fcntl(pipe_[1], F_SETFL, GetParam()), 0);
  }
  ~WriteWithinTest() override {
    for (int fd : pipe_) close(fd);
  }

  int pipe_[2];
};

TEST_P(WriteWithinTest, GivesUpOnAReaderThatDoesNotRead) {
  EXPECT_FALSE(WriteWithin(pipe_[1], LongText(), absl::Milliseconds(20)));
  EXPECT_FALSE(WriteWithin(pipe_[1], "x", absl::ZeroDuration()));
}

TEST_P(WriteWithinTest, WaitsForAReaderThatReads) {
  size_t num_read = 0;
  std::thread reader([&] {
    std::string buffer(10'000, ' ');
    for (ssize_t n; (n = read(pipe_[0], buffer.data(), buffer.size())) > 0;) {
      num_read += static_cast<size_t>(n);
    }
  });
  EXPECT_TRUE(WriteWithin(pipe_[1], LongText(), absl::InfiniteDuration()));
  close(pipe_[1]);
  reader.join();
  EXPECT_EQ(num_read, LongText().size());
  pipe_[1] = open("/dev/null", O_WRONLY);  // the destructor's to close
}

TEST_P(WriteWithinTest, AReaderThatHasGoneIsAnError) {
  close(pipe_[0]);
  pipe_[0] = open("/dev/null", O_RDONLY);
  EXPECT_FALSE(WriteWithin(pipe_[1], "x", absl::InfiniteDuration()));
  EXPECT_EQ(errno, EPIPE);
}

INSTANTIATE_TEST_SUITE_P(BlockingAndNot, WriteWithinTest,
                         testing::Values(0, O_NONBLOCK));

TEST(WriteWithinADiskTest, AFullDiskIsAnError) {
  const int full = open("/dev/full", O_WRONLY);
  EXPECT_FALSE(WriteWithin(full, "x", absl::InfiniteDuration()));
  EXPECT_EQ(errno, ENOSPC);
  close(full);
}

}  // namespace
}  // namespace sheaf
