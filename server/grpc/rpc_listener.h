#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "server/host_port.h"
#include "server/unix_socket.h"

namespace sheaf {

// Lets the process have as many files open as it may; returns how many of them
// can be connections.
int32_t MostConnections();

// Where the RPCs' connections come in: accepts at most so many at a time, and
// hands them to gRPC.
//
// gRPC 1.51's own listener has no limit, and ends for good with the first
// connection for which the process has no file descriptor (CVE-2023-4785): a
// stranger who opens many makes the server deaf. This one closes at once what
// is over the limit, and where descriptors are missing it waits for them.
//
// One thread starts and stops.
class RpcListener {
 public:
  // Called by the listener's thread.
  struct Events {
    // Takes a socket, connected and non-blocking, for its own.
    std::function<void(int fd)> on_connection;
    // A connection is closed at once; `num_open` are open.
    std::function<void(int32_t num_open)> on_refused;
    // Once a second at most, if it is another than before.
    std::function<void(int32_t num_open)> on_num_open;
  };

  // Listens, and accepts no client yet. Errors as of
  // ListeningSockets::ListenOn() and UnixSocketFile::Listen().
  static absl::StatusOr<std::unique_ptr<RpcListener>> Listen(
      const HostPort& address, int32_t max_connections);
  ~RpcListener();
  RpcListener(const RpcListener&) = delete;
  RpcListener& operator=(const RpcListener&) = delete;

  int32_t port() const { return port_; }  // of a Unix socket 0

  // Once only.
  void Start(Events events);
  // Accepts no client from now on and removes the Unix socket's file; who is
  // connected stays.
  void Stop();

 private:
  // A socket that was handed over; it is closed once its descriptor is free, or
  // another file's.
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
  std::vector<Connection> open_;  // the thread's, as the next
  int32_t last_num_open_ = 0;
  std::thread thread_;
};

}  // namespace sheaf
