// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "base/host_port.h"
#include "server/ops/unix_socket.h"

namespace sheaf {

// Raises the process's limit of open files as far as allowed. Returns how many
// of them can be connections.
int32_t MostConnections();

// Accepts the connections of RPCs, up to a limit, and hands them to gRPC.
//
// The listener of gRPC 1.51 has no limit, and stops forever at the first
// connection for which the process has no file descriptor (CVE-2023-4785). So
// any client that opens many connections makes the server unreachable. This
// listener closes connections over the limit at once, and waits when
// descriptors run out.
//
// One thread starts and stops it.
class RpcListener {
 public:
  // Called by the listener's thread.
  struct Events {
    // Takes ownership of a connected, non-blocking socket.
    std::function<void(int fd)> on_connection;
    // A connection was closed at once, because `num_open` are open.
    std::function<void(int32_t num_open)> on_refused;
    // Called when the number has changed, at most once per second.
    std::function<void(int32_t num_open)> on_num_open;
  };

  // Listens, but does not accept yet. Errors are those of
  // ListeningSockets::ListenOn() and UnixSocketFile::Listen().
  static absl::StatusOr<std::unique_ptr<RpcListener>> Listen(
      const HostPort& address, int32_t max_connections);
  ~RpcListener();
  RpcListener(const RpcListener&) = delete;
  RpcListener& operator=(const RpcListener&) = delete;

  int32_t port() const { return port_; }  // 0 for a Unix socket

  // Accepts from now on. Called once.
  void Start(Events events);
  // Stops accepting and removes the Unix socket's file. Connections stay open.
  void Stop();

 private:
  // A socket that was handed over. It is closed once its descriptor is free or
  // refers to another file.
  struct Connection {
    int fd;
    ino_t inode;
  };

  explicit RpcListener(int32_t max_connections);
  void Loop();
  bool AcceptAll(int listening_fd);
  void ForgetClosed();

  const int32_t max_connections_;
  int32_t port_ = 0;
  std::vector<int> listening_fds_;
  std::unique_ptr<UnixSocketFile> unix_file_;  // null: a port
  int end_fd_;  // an eventfd: readable once Stop() is called
  Events events_;
  std::vector<Connection> open_;  // the thread's own, like the next member
  int32_t last_num_open_ = 0;
  std::thread thread_;
};

}  // namespace sheaf
