// SPDX-License-Identifier: Apache-2.0

#include "server/ops/connection_listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
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

// Time between two searches for closed connections, and the number of
// descriptors that one looks at. At the limits, each new connection looks at a
// few in addition.
constexpr int kLookMs = 1000;
constexpr size_t kLooks = 4096;
// The maximum number of connections that are accepted before the listener looks
// whether it should stop.
constexpr int kMaxAccepts = 256;
// How long to wait for file descriptors.
constexpr absl::Duration kNoRoomPause = absl::Milliseconds(100);

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

ConnectionListener::ConnectionListener(const Options& options)
    : options_(options),
      end_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      table_({.max_connections = options.max_connections,
              .max_per_client = options.max_connections_per_address,
              .num_local_places = options.num_local_places}) {
  SHEAF_CHECK(end_fd_ >= 0);
}

absl::StatusOr<std::unique_ptr<ConnectionListener>> ConnectionListener::Listen(
    const HostPort& address, const Options& options) {
  std::unique_ptr<ConnectionListener> listener(new ConnectionListener(options));
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

ConnectionListener::~ConnectionListener() {
  Stop();
  close(end_fd_);
}

void ConnectionListener::Start(Events events) {
  events_ = std::move(events);
  thread_ = std::thread([this] { Loop(); });
}

void ConnectionListener::Stop() {
  if (thread_.joinable()) {
    eventfd_write(end_fd_, 1);
    thread_.join();
  }
  unix_file_.reset();  // so that the next server does not find it
  for (int fd : listening_fds_) close(fd);
  listening_fds_.clear();
}

void ConnectionListener::Loop() {
  std::vector<pollfd> polled = {{end_fd_, POLLIN, 0}};
  for (int fd : listening_fds_) polled.push_back({fd, POLLIN, 0});
  for (;;) {
    poll(polled.data(), polled.size(), kLookMs);
    if (polled[0].revents != 0) return;
    if (const MonotonicTime now = MonotonicTime::Now(); now >= next_look_) {
      next_look_ = now + absl::Milliseconds(kLookMs);
      table_.Look(kLooks);
    }
    bool has_room = true;
    for (size_t i = 1; i < polled.size() && has_room; ++i) {
      if (polled[i].revents != 0) has_room = AcceptSome(polled[i].fd);
    }
    const int32_t num_open = table_.num_open();
    if (num_open != std::exchange(last_num_open_, num_open)) {
      events_.on_num_open(num_open);
    }
    // New clients wait in the kernel's queue.
    if (!has_room) absl::SleepFor(kNoRoomPause);
  }
}

// Accepts waiting connections. Returns false if descriptors run out.
bool ConnectionListener::AcceptSome(int listening_fd) {
  for (int i = 0; i < kMaxAccepts; ++i) {
    sockaddr_storage from = {};
    socklen_t size = sizeof(from);
    const int fd = accept4(listening_fd, reinterpret_cast<sockaddr*>(&from),
                           &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
      // That client has left already.
      if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO) continue;
      return false;
    }
    ConnectionTable::Peer peer = {IpAddress::Of(from)};
    peer.is_trusted = peer.address.has_value() &&
                      options_.trusted_proxies.Includes(*peer.address);
    HandOver(fd, peer);
  }
  return true;
}

// Hands the connection to gRPC, or closes it if it is over a limit.
void ConnectionListener::HandOver(int fd, const ConnectionTable::Peer& peer) {
  const ConnectionTable::Verdict verdict = table_.Take(fd, peer);
  if (verdict == ConnectionTable::Verdict::kTaken) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    events_.on_connection(fd);
    return;
  }
  Refusal refusal;
  refusal.is_for_address =
      verdict == ConnectionTable::Verdict::kTooManyOfClient;
  refusal.address =
      peer.address.has_value() ? ClientNetworkName(*peer.address) : "unix";
  refusal.num_open =
      refusal.is_for_address ? table_.NumOpenOf(peer) : table_.num_open();
  events_.on_refused(refusal);
  close(fd);
}

}  // namespace sheaf
