#include "server/rpc_listener.h"

#include <fcntl.h>
#include <netdb.h>
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
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "engine/check.h"
#include "server/resource_limits.h"

namespace sheaf {
namespace {

// Between two looks at who has gone.
constexpr int kLookMs = 1000;
// How long to wait for file descriptors.
constexpr absl::Duration kNoRoomPause = absl::Milliseconds(100);

struct FreeAddresses {
  void operator()(addrinfo* addresses) const { freeaddrinfo(addresses); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Addresses Resolve(const std::string& host, int32_t port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &found) !=
      0) {
    return nullptr;
  }
  return Addresses(found);
}

// -1 if that cannot be, and errno says why.
int ListenOn(const addrinfo& address) {
  const int fd =
      socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1, off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 &&
      listen(fd, SOMAXCONN) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

absl::Status CannotListen(const HostPort& address) {
  return absl::FailedPreconditionError(absl::StrFormat(
      "cannot listen on %s; is the port taken?", address.ToString()));
}

int32_t PortOf(int fd) {
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

// 0 if there is no such descriptor.
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
  std::vector<std::string> hosts = {address.host};
  // One socket for both, or where there is no IPv6 the one for IPv4.
  if (address.host == "0.0.0.0") hosts = {"::", "0.0.0.0"};
  listener->port_ = address.port;
  for (const std::string& host : hosts) {
    if (!listener->listening_fds_.empty()) break;
    // A name may have several addresses; with port 0 the first picks it.
    const Addresses found = Resolve(host, 0);
    for (addrinfo* each = found.get(); each != nullptr; each = each->ai_next) {
      const in_port_t port = htons(static_cast<uint16_t>(listener->port_));
      if (each->ai_family == AF_INET6) {
        reinterpret_cast<sockaddr_in6*>(each->ai_addr)->sin6_port = port;
      } else {
        reinterpret_cast<sockaddr_in*>(each->ai_addr)->sin_port = port;
      }
      const int fd = ListenOn(*each);
      // Half of a name's addresses would be another program's. Those of a kind
      // that the machine does not have (IPv6) do not count.
      if (fd < 0 && errno == EADDRINUSE) return CannotListen(address);
      if (fd < 0) continue;
      listener->listening_fds_.push_back(fd);
      listener->port_ = PortOf(fd);
    }
  }
  if (!listener->listening_fds_.empty()) return listener;
  return CannotListen(address);
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
  unix_file_.reset();  // a server that follows must not meet a dead one's
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
    // Whoever wants to connect waits in the kernel's queue.
    if (!has_room) absl::SleepFor(kNoRoomPause);
  }
}

// Accepts who waits. False if that cannot be now, for want of descriptors.
bool RpcListener::AcceptAll(int listening_fd) {
  for (;;) {
    const int fd =
        accept4(listening_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
      // That one has left already.
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
