// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"
#include "server/access/caller.h"

namespace sheaf {

// Decides which calls receive their messages now. gRPC lets a client send a
// whole message, whatever its size, as soon as a call reads, and never tells
// how much has arrived. A limited number of slots therefore bounds the memory
// of all messages that have not arrived whole.
//
// A call without a slot waits. The next slot goes to a call from the address,
// there from the connection, with the fewest slots, and round the connections
// with as many. While calls wait, slots that are held for long are taken back:
// after kMinHold from an address or a connection that has at least two slots
// more than the call that waits, after kMaxHold from any. A short message takes
// a slot for less than a millisecond.
//
// Thread-safe. Calls the functions of calls without its lock, on any thread.
class MessageSlots {
 public:
  static constexpr absl::Duration kMinHold = absl::Milliseconds(50);
  static constexpr absl::Duration kMaxHold = absl::Seconds(1);

  explicit MessageSlots(int32_t num_slots) : num_slots_(num_slots) {}
  MessageSlots(const MessageSlots&) = delete;
  MessageSlots& operator=(const MessageSlots&) = delete;

  int32_t num_slots() const { return num_slots_; }

  // A number for a call, to Enter() and Leave() with.
  uint64_t NewNumber();

  // Has `begin` called once the call has a slot, at once or later, and
  // `give_up` if the slot is taken back.
  void Enter(uint64_t call, const Caller& caller, MonotonicTime now,
             std::function<void()> begin, std::function<void()> give_up);

  // The call needs no slot any more, or does not wait for one.
  void Leave(uint64_t call, MonotonicTime now);

  // Takes slots back for calls that wait. To be called at times while any do.
  void Balance(MonotonicTime now);

 private:
  using Functions = std::vector<std::function<void()>>;
  struct Waiting {
    std::function<void()> begin, give_up;
  };
  // The calls of one connection.
  struct Connection {
    std::string address;
    int32_t num_slots = 0;
    uint64_t last_given = 0;  // num_given_ when it got its last slot
    std::map<uint64_t, Waiting> waiting;  // by number, which is their order
  };
  using Connections = std::map<std::string, Connection>;
  struct Holder {
    Connections::iterator connection;
    MonotonicTime since;
    std::function<void()> give_up;
  };
  using Holders = std::map<uint64_t, Holder>;  // by number

  // Gives slots to calls. Returns what is to be called.
  Functions Assign(MonotonicTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The connection that gets the next slot; end() if none waits.
  Connections::iterator FindNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The slot that is taken back for `next`; end() if there is none.
  Holders::iterator FindVictim(Connections::iterator next, MonotonicTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The numbers of slots of an address and, in it, a connection.
  std::pair<int32_t, int32_t> SlotsOf(const Connection& connection) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Release(Holders::iterator holder) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Forgets a connection without calls.
  void Tidy(Connections::iterator connection)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int32_t num_slots_;
  absl::Mutex mu_;
  uint64_t last_call_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t num_given_ ABSL_GUARDED_BY(mu_) = 0;  // slots, since the start
  Holders holders_ ABSL_GUARDED_BY(mu_);
  Connections connections_ ABSL_GUARDED_BY(mu_);  // by peer
  // The connections of the calls that wait, by number.
  absl::flat_hash_map<uint64_t, Connections::iterator> waiting_
      ABSL_GUARDED_BY(mu_);
  // The number of slots of each address that has any.
  absl::flat_hash_map<std::string, int32_t> by_address_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
