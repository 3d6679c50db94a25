#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "server/host_port.h"

namespace sheaf {

// The sockets of one address on which a server listens, non-blocking. Closed
// when destroyed.
class ListeningSockets {
 public:
  // Listens. Port 0 picks one, the same for all addresses of a name. "0.0.0.0"
  // is IPv6 as well, where the machine has it. FAILED_PRECONDITION if the
  // address is taken or no address of this machine.
  static absl::StatusOr<ListeningSockets> ListenOn(const HostPort& address);

  ListeningSockets() = default;
  ListeningSockets(ListeningSockets&& other) noexcept;
  ListeningSockets& operator=(ListeningSockets&& other) noexcept;
  ~ListeningSockets() { Close(); }

  const std::vector<int>& fds() const { return fds_; }
  int32_t port() const { return port_; }

  void Close();
  // Leaves the sockets to the caller.
  std::vector<int> Release();

 private:
  std::vector<int> fds_;
  int32_t port_ = 0;
};

}  // namespace sheaf
