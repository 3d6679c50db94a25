// SPDX-License-Identifier: Apache-2.0

#include "server/ops/listening_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sheaf {
namespace {

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

// Returns -1 if it fails; errno has the reason.
int Listen(const addrinfo& address) {
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

}  // namespace

ListeningSockets::ListeningSockets(ListeningSockets&& other) noexcept
    : fds_(std::exchange(other.fds_, {})), port_(other.port_) {}

ListeningSockets& ListeningSockets::operator=(
    ListeningSockets&& other) noexcept {
  std::swap(fds_, other.fds_);
  std::swap(port_, other.port_);
  return *this;
}

absl::StatusOr<ListeningSockets> ListeningSockets::ListenOn(
    const HostPort& address) {
  ListeningSockets sockets;
  std::vector<std::string> hosts = {address.host};
  // One socket for both families, or for IPv4 alone if there is no IPv6.
  if (address.host == "0.0.0.0") hosts = {"::", "0.0.0.0"};
  sockets.port_ = address.port;
  for (const std::string& host : hosts) {
    if (!sockets.fds_.empty()) break;
    // A name may have several addresses; with port 0 the first picks it.
    const Addresses found = Resolve(host, 0);
    for (addrinfo* each = found.get(); each != nullptr; each = each->ai_next) {
      const in_port_t port = htons(static_cast<uint16_t>(sockets.port_));
      if (each->ai_family == AF_INET6) {
        reinterpret_cast<sockaddr_in6*>(each->ai_addr)->sin6_port = port;
      } else {
        reinterpret_cast<sockaddr_in*>(each->ai_addr)->sin_port = port;
      }
      const int fd = Listen(*each);
      // Otherwise half of a name's addresses would belong to another program.
      // Addresses of a family that the machine lacks (IPv6) do not count.
      if (fd < 0 && errno == EADDRINUSE) return CannotListen(address);
      if (fd < 0) continue;
      sockets.fds_.push_back(fd);
      sockets.port_ = PortOf(fd);
    }
  }
  if (sockets.fds_.empty()) return CannotListen(address);
  return sockets;
}

void ListeningSockets::Close() {
  for (int fd : Release()) close(fd);
}

std::vector<int> ListeningSockets::Release() { return std::exchange(fds_, {}); }

}  // namespace sheaf
