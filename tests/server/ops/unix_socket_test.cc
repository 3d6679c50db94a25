// SPDX-License-Identifier: Apache-2.0

#include "server/ops/unix_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;

class UnixSocketTest : public testing::Test {
 protected:
  std::unique_ptr<UnixSocketFile> Listen() {
    auto file = UnixSocketFile::Listen(path_);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : nullptr;
  }
  // Leaves the file of a server that was killed.
  void LeaveAFileOver() const {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    const sockaddr_un address = Address();
    ASSERT_EQ(
        bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
        0);
    close(fd);
  }
  bool CanConnect() const {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    const sockaddr_un address = Address();
    const bool is_connected =
        connect(fd, reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) == 0;
    close(fd);
    return is_connected;
  }
  bool Exists() const { return access(path_.c_str(), F_OK) == 0; }

  const TempDir dir_;
  const std::string path_ = dir_.PathOf("sheaf.sock");

 private:
  sockaddr_un Address() const {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    return address;
  }
};

TEST_F(UnixSocketTest, OwnerAndGroupMayConnectWhateverTheUmask) {
  for (const mode_t mask : {0, 022, 077}) {
    const mode_t before = umask(mask);
    const auto file = Listen();
    umask(before);
    struct stat info;
    ASSERT_EQ(stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, mode_t{0660});
    EXPECT_TRUE(CanConnect());
    close(file->fd());
  }
}

TEST_F(UnixSocketTest, TheFileGoesWithTheSocketUnlessItIsAnothers) {
  auto first = Listen();
  close(first->fd());
  first.reset();
  EXPECT_FALSE(Exists());
  first = Listen();
  ASSERT_EQ(std::remove(path_.c_str()), 0);
  const auto second = Listen();
  first.reset();
  EXPECT_TRUE(CanConnect());
}

TEST_F(UnixSocketTest, AFileThatIsLeftOverIsReplaced) {
  LeaveAFileOver();
  ASSERT_TRUE(Exists());
  const auto file = Listen();
  EXPECT_TRUE(CanConnect());
}

TEST_F(UnixSocketTest, ALivingServersFileStays) {
  const auto file = Listen();
  const auto second = UnixSocketFile::Listen(path_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(second.status().message(), HasSubstr("is the address taken?"));
  EXPECT_TRUE(CanConnect());
}

TEST_F(UnixSocketTest, AFileOfAnotherKindStays) {
  close(open(path_.c_str(), O_CREAT | O_WRONLY, 0600));
  EXPECT_THAT(UnixSocketFile::Listen(path_).status().message(),
              HasSubstr("not a socket"));
  EXPECT_TRUE(Exists());
}

TEST_F(UnixSocketTest, WhyItCannotBeIsSaid) {
  EXPECT_THAT(UnixSocketFile::Listen(path_ + "/a").status().message(),
              HasSubstr(absl::StrCat("unix:", path_, "/a: No such file")));
}

}  // namespace
}  // namespace sheaf
