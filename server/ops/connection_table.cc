// SPDX-License-Identifier: Apache-2.0

#include "server/ops/connection_table.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/check.h"

namespace sheaf {
namespace {

// The number of others that are looked at if there is no place for one.
constexpr size_t kLooksPerConnection = 32;

// Returns 0 if there is no such descriptor.
ino_t InodeOf(int fd) {
  struct stat file;
  return fstat(fd, &file) == 0 ? file.st_ino : 0;
}

}  // namespace

ConnectionTable::Verdict ConnectionTable::Take(int fd, const Peer& peer) {
  if (static_cast<size_t>(fd) < connections_.size()) Forget(connections_[fd]);
  const Verdict verdict = TryTake(fd, peer);
  if (verdict == Verdict::kTaken) return verdict;
  Look(kLooksPerConnection);
  return TryTake(fd, peer);
}

ConnectionTable::Verdict ConnectionTable::TryTake(int fd, const Peer& peer) {
  Connection connection = {Place::kUsual, InodeOf(fd), std::nullopt};
  if (peer.address.has_value() && !peer.is_trusted) {
    connection.client = ClientNetwork(*peer.address);
  }
  Verdict verdict = Verdict::kTaken;
  if (num_usual_ >= limits_.max_connections) {
    verdict = Verdict::kTooMany;
  } else if (NumOpenOf(peer) >= limits_.max_per_client) {
    verdict = Verdict::kTooManyOfClient;
  }
  if (verdict != Verdict::kTaken) {
    if (!HasLocalPlace(peer)) return verdict;
    connection.place = Place::kLocal;
    connection.client.reset();
  }
  ++(connection.place == Place::kUsual ? num_usual_ : num_local_);
  if (connection.client.has_value()) ++num_of_client_[*connection.client];
  connections_.resize(
      std::max(connections_.size(), static_cast<size_t>(fd) + 1));
  connections_[fd] = connection;
  return Verdict::kTaken;
}

bool ConnectionTable::HasLocalPlace(const Peer& peer) const {
  const int32_t num_places = limits_.num_local_places;
  const bool has_few = NumOpenOf(peer) <= num_places;
  return peer.is_local() &&
         num_local_ < (has_few ? num_places : (num_places + 1) / 2);
}

void ConnectionTable::Look(size_t num) {
  num = std::min(num, connections_.size());
  for (size_t i = 0; i < num; ++i) {
    next_look_ = (next_look_ + 1) % connections_.size();
    Connection& connection = connections_[next_look_];
    if (connection.place != Place::kNone &&
        InodeOf(static_cast<int>(next_look_)) != connection.inode) {
      Forget(connection);
    }
  }
}

void ConnectionTable::Forget(Connection& connection) {
  if (connection.place == Place::kNone) return;
  --(connection.place == Place::kUsual ? num_usual_ : num_local_);
  if (connection.client.has_value()) {
    const auto it = num_of_client_.find(*connection.client);
    if (--it->second == 0) num_of_client_.erase(it);
  }
  connection = Connection();
}

int32_t ConnectionTable::NumOpenOf(const Peer& peer) const {
  if (!peer.address.has_value() || peer.is_trusted) return 0;
  const auto it = num_of_client_.find(ClientNetwork(*peer.address));
  return it == num_of_client_.end() ? 0 : it->second;
}

void ConnectionTable::CheckConsistency() const {
  int32_t num_usual = 0, num_local = 0;
  absl::flat_hash_map<IpAddress, int32_t> num_of_client;
  for (const Connection& connection : connections_) {
    num_usual += connection.place == Place::kUsual;
    num_local += connection.place == Place::kLocal;
    if (!connection.client.has_value()) continue;
    SHEAF_CHECK(connection.place == Place::kUsual);
    ++num_of_client[*connection.client];
  }
  SHEAF_CHECK(num_usual == num_usual_ && num_local == num_local_);
  SHEAF_CHECK(num_of_client == num_of_client_);
  SHEAF_CHECK(num_usual <= limits_.max_connections &&
              num_local <= limits_.num_local_places);
}

}  // namespace sheaf
