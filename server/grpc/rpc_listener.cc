// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/rpc_listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/time/clock.h"
#include "base/check.h"
#include "server/ops/listening_sockets.h"
#include "server/ops/resource_limits.h"

namespace sheaf {
namespace {

// Time between two searches for closed connections.
constexpr int kLookMs = 1000;
// How long to wait for file descriptors.
constexpr absl::Duration kNoRoomPause = absl::Milliseconds(100);

// Returns 0 if there is no such descriptor.
ino_t InodeOf(int fd) {
  struct stat file;
  return fstat(fd, &file) == 0 ? file.st_ino : 0;
}

}  // namespace

int32_t MostConnections() {
  rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 1;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_NOFILE, &files);
  const rlim_t most = std::min<rlim_t>(files.rlim_cur, 1 << 30);
  return most > kOtherFiles ? static_cast<int32_t>(most) - kOtherFiles : 1;
}

RpcListener::RpcListener(int32_t max_connections)
    : max_connections_(max_connections),
      end_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  SHEAF_CHECK(end_fd_ >= 0);
}

absl::StatusOr<std::unique_ptr<RpcListener>> RpcListener::Listen(
    const HostPort& address, int32_t max_connections) {
  std::unique_ptr<RpcListener> listener(new RpcListener(max_connections));
  if (address.is_unix()) {
    absl::StatusOr<std::unique_ptr<UnixSocketFile>> file =
        UnixSocketFile::Listen(address.path);
    if (!file.ok()) return file.status();
    listener->unix_file_ = *std::move(file);
    listener->listening_fds_ = {listener->unix_file_->fd()};
    return listener;
  }
  absl::StatusOr<ListeningSockets> sockets =
      ListeningSockets::ListenOn(address);
  if (!sockets.ok()) return sockets.status();
  listener->port_ = sockets->port();
  listener->listening_fds_ = sockets->Release();
  return listener;
}

RpcListener::~RpcListener() {
  Stop();
  close(end_fd_);
}

void RpcListener::Start(Events events) {
  events_ = std::move(events);
  thread_ = std::thread([this] { Loop(); });
}

void RpcListener::Stop() {
  if (thread_.joinable()) {
    eventfd_write(end_fd_, 1);
    thread_.join();
  }
  unix_file_.reset();  // so that the next server does not find it
  for (int fd : listening_fds_) close(fd);
  listening_fds_.clear();
}

void RpcListener::Loop() {
  std::vector<pollfd> polled = {{end_fd_, POLLIN, 0}};
  for (int fd : listening_fds_) polled.push_back({fd, POLLIN, 0});
  for (;;) {
    poll(polled.data(), polled.size(), kLookMs);
    if (polled[0].revents != 0) return;
    ForgetClosed();
    bool has_room = true;
    for (size_t i = 1; i < polled.size() && has_room; ++i) {
      if (polled[i].revents != 0) has_room = AcceptAll(polled[i].fd);
    }
    const auto num_open = static_cast<int32_t>(open_.size());
    if (num_open != std::exchange(last_num_open_, num_open)) {
      events_.on_num_open(num_open);
    }
    // New clients wait in the kernel's queue.
    if (!has_room) absl::SleepFor(kNoRoomPause);
  }
}

// Accepts all waiting connections. Returns false if descriptors run out.
bool RpcListener::AcceptAll(int listening_fd) {
  for (;;) {
    const int fd =
        accept4(listening_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
      // That client has left already.
      if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO) continue;
      return false;
    }
    if (static_cast<int32_t>(open_.size()) >= max_connections_) ForgetClosed();
    if (static_cast<int32_t>(open_.size()) >= max_connections_) {
      events_.on_refused(static_cast<int32_t>(open_.size()));
      close(fd);
      continue;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    open_.push_back({fd, InodeOf(fd)});
    events_.on_connection(fd);
  }
}

void RpcListener::ForgetClosed() {
  open_.erase(std::remove_if(open_.begin(), open_.end(),
                             [](const Connection& connection) {
                               return InodeOf(connection.fd) !=
                                      connection.inode;
                             }),
              open_.end());
}

}  // namespace sheaf
