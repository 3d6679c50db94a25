// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "base/host_port.h"

namespace sheaf {

// The non-blocking sockets on which a server listens for one address. Closed
// when destroyed.
class ListeningSockets {
 public:
  // Listens. Port 0 picks a free one, the same for all addresses of a name.
  // "0.0.0.0" includes IPv6 where the machine has it. FAILED_PRECONDITION if
  // the address is taken or does not belong to this machine.
  static absl::StatusOr<ListeningSockets> ListenOn(const HostPort& address);

  ListeningSockets() = default;
  ListeningSockets(ListeningSockets&& other) noexcept;
  ListeningSockets& operator=(ListeningSockets&& other) noexcept;
  ~ListeningSockets() { Close(); }

  const std::vector<int>& fds() const { return fds_; }
  int32_t port() const { return port_; }

  void Close();
  // Gives the sockets to the caller.
  std::vector<int> Release();

 private:
  std::vector<int> fds_;
  int32_t port_ = 0;
};

}  // namespace sheaf
