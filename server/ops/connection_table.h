// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "server/access/ip_address.h"

namespace sheaf {

// Counts the open connections, in total and per client network, and decides
// whether one more may stay.
//
// The front owns the descriptors, and gRPC does not report when it closes one.
// The table learns it in two ways: the kernel hands out the descriptor again
// (it hands out the lowest free one), or Look() finds that the descriptor is
// free or refers to another file. A new connection therefore costs a few system
// calls, whatever the number of open ones is.
//
// Invariants, verified by CheckConsistency():
//   1. num_open() is the number of descriptors that are held.
//   2. The places in excess of max_connections are held by local peers.
//   3. A client's count is the number of its connections that have a usual
//      place, and is not 0.
//
// Not thread-safe; owned by the listener's thread.
class ConnectionTable {
 public:
  struct Limits {
    int32_t max_connections;
    int32_t max_per_client;
    // In addition to max_connections, for peers on this machine that find no
    // usual place. Its own health checks need them. Half of them are for peers
    // that hold at most num_local_places usual ones.
    int32_t num_local_places;
  };
  struct Peer {
    std::optional<IpAddress> address;  // none: a Unix socket
    bool is_trusted = false;           // a proxy: exempt from max_per_client

    bool is_local() const {
      return !address.has_value() || address->is_loopback();
    }
  };
  enum class Verdict { kTaken, kTooMany, kTooManyOfClient };

  explicit ConnectionTable(const Limits& limits) : limits_(limits) {}

  // Takes the connection, or looks at a few others and decides that it must be
  // closed. REQUIRES: `fd` is open.
  Verdict Take(int fd, const Peer& peer);

  // Forgets those of the next `num` descriptors, in turn, that are closed.
  void Look(size_t num);

  int32_t num_open() const { return num_usual_ + num_local_; }
  // The number of usual places that the peer's client network holds.
  int32_t NumOpenOf(const Peer& peer) const;
  void CheckConsistency() const;  // O(descriptors); for tests

 private:
  enum class Place { kNone, kUsual, kLocal };
  struct Connection {
    Place place = Place::kNone;  // kNone: the descriptor is not held
    ino_t inode = 0;
    std::optional<IpAddress> client;  // whose count it is in
  };

  Verdict TryTake(int fd, const Peer& peer);
  bool HasLocalPlace(const Peer& peer) const;
  void Forget(Connection& connection);

  const Limits limits_;
  // By descriptor. The kernel hands out the lowest free one, so this is dense.
  std::vector<Connection> connections_;
  size_t next_look_ = 0;
  int32_t num_usual_ = 0;
  int32_t num_local_ = 0;
  absl::flat_hash_map<IpAddress, int32_t> num_of_client_;
};

}  // namespace sheaf
