// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "base/host_port.h"
#include "base/monotonic_time.h"
#include "server/access/trusted_proxies.h"
#include "server/ops/connection_table.h"
#include "server/ops/unix_socket.h"

namespace sheaf {

// Raises the process's limit of open files as far as allowed. Returns how many
// of them can be connections.
int32_t MostConnections();

// Accepts the connections of a front, up to limits, and hands them to it.
//
// The listener of gRPC 1.51 has no limit, and stops forever at the first
// connection for which the process has no file descriptor (CVE-2023-4785). So
// any client that opens many connections makes the server unreachable. This
// listener closes connections over a limit at once, and waits when descriptors
// run out.
//
// A refused client gets not a byte, and of gRPC no HTTP/2 frames. After
// SETTINGS and GOAWAY, the clients of gRPC take the connection for a success
// and connect again without a pause (1.51 in C++ thousands of times per second,
// until the deadline of the call). If the connection ends before SETTINGS, the
// call fails as UNAVAILABLE, and the client waits longer after each try.
//
// One thread starts and stops it.
class ConnectionListener {
 public:
  struct Options {
    int32_t max_connections = 4096;
    int32_t max_connections_per_address = 1024;
    // Their connections do not count for max_connections_per_address.
    TrustedProxies trusted_proxies = {};
    // In addition to max_connections, for peers on this machine. An attacker on
    // it can hold them.
    int32_t num_local_places = 16;
  };
  // A connection that was closed at once.
  struct Refusal {
    bool is_for_address;  // false: for max_connections
    std::string address;  // "ipv4:192.0.2.1", "ipv6:2001:db8::/64" or "unix"
    int32_t num_open;     // in total, or from the address
  };
  // Called by the listener's thread.
  struct Events {
    // Takes ownership of a connected, non-blocking socket.
    std::function<void(int fd)> on_connection;
    std::function<void(const Refusal& refusal)> on_refused;
    // Called when the number has changed, at most once per second.
    std::function<void(int32_t num_open)> on_num_open;
  };

  // Listens, but does not accept yet. Errors are those of
  // ListeningSockets::ListenOn() and UnixSocketFile::Listen().
  static absl::StatusOr<std::unique_ptr<ConnectionListener>> Listen(
      const HostPort& address, const Options& options);
  ~ConnectionListener();
  ConnectionListener(const ConnectionListener&) = delete;
  ConnectionListener& operator=(const ConnectionListener&) = delete;

  int32_t port() const { return port_; }  // 0 for a Unix socket

  // Accepts from now on. Called once.
  void Start(Events events);
  // Stops accepting and removes the Unix socket's file. Connections stay open.
  void Stop();

 private:
  explicit ConnectionListener(const Options& options);
  void Loop();
  bool AcceptSome(int listening_fd);
  void HandOver(int fd, const ConnectionTable::Peer& peer);

  const Options options_;
  int32_t port_ = 0;
  std::vector<int> listening_fds_;
  std::unique_ptr<UnixSocketFile> unix_file_;  // null: a port
  int end_fd_;  // an eventfd: readable once Stop() is called
  Events events_;
  // The thread's own, like the next members.
  ConnectionTable table_;
  int32_t last_num_open_ = 0;
  MonotonicTime next_look_ = MonotonicTime::InfinitePast();
  std::thread thread_;
};

}  // namespace sheaf
