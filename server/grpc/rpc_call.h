// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/monotonic_time.h"
#include "server/access/caller.h"
#include "server/access/trusted_proxies.h"
#include "server/grpc/message_slots.h"
#include "server/grpc/open_calls.h"
#include "server/grpc/timers.h"
#include "server/ops/metrics.h"

namespace sheaf {

// Shared by all calls. What the pointers refer to outlives the calls.
struct RpcHost {
  // The sum of these limits is the memory of callers about whom nothing is
  // known: half of `transport_bytes` is for messages that are being received,
  // and 3/8 for calls that wait for their messages. Each of these takes 12 KiB
  // of gRPC, and a window of kWindowBytes may be full.
  static constexpr int kWindowBytes = 16 << 10;
  static constexpr int64_t kWaitingCallBytes = (12 << 10) + kWindowBytes;

  Metrics* metrics;
  const TrustedProxies* proxies;
  Timers* timers;
  // From the headers of a call to its whole message.
  absl::Duration message_timeout = absl::Seconds(60);
  // How long a message or the end may be on its way to the client.
  absl::Duration answer_timeout = absl::Seconds(20);
  // The largest message of a caller that may call.
  int64_t max_message_bytes = 4 << 20;
  // Set once, when messages that have not arrived are no longer waited for.
  std::atomic<bool> is_draining = false;

  // Messages that are being received, of callers that may call.
  MessageSlots slots{4};
  // The same of calls that need no token: health, and reflection, whose streams
  // wait for their next messages. So these do not delay the others.
  MessageSlots open_slots{256};
  // The same of streams of callers that may call, from their second message on.
  // They may wait for it for long. Their memory is transport_bytes once more,
  // if all send at a time.
  MessageSlots stream_slots{8};
  // Calls that wait for a message.
  OpenCalls waiting{1024};
  // Streams that need no token.
  OpenCalls open_streams{819};
};

// The largest message of a call that needs no token.
inline constexpr int64_t kMaxOpenMessageBytes = 64 << 10;

// One call, from its headers to its end. A subclass answers the messages:
//   - Begin() is called at the headers. Until it calls ReadMessage(), nothing
//     of a message is read.
//   - After each ReadMessage(), one of OnMessage(), OnNoMessage() and
//     OnHalfClose() is called.
//   - Send() sends a message. OnSent() follows, and until then nothing may be
//     sent.
//   - SendLast() or End() ends the call. All later calls of Send(), SendLast()
//     and End() do nothing.
// Counts the call in the metrics, and ends it when the client takes too long.
//
// Life: holds itself from Run() until gRPC calls OnDone(). A subclass and its
// owners may hold it longer.
//
// Threads: gRPC calls from any of its threads, at several at the same time.
// The functions for subclasses are thread-safe.
class RpcCall : public grpc::ServerGenericBidiReactor,
                public Timed,
                public std::enable_shared_from_this<RpcCall> {
 public:
  // `rpc` is gRPC's; valid until OnDone().
  RpcCall(RpcHost& host, const RpcName& name, grpc::CallbackServerContext* rpc);

  // The call is one of the streams whose number is limited. Called before
  // Run().
  void LimitStreams();

  // Begins the call. The caller gives the result to gRPC.
  static grpc::ServerGenericBidiReactor* Run(std::shared_ptr<RpcCall> call);
  // Ends the call with this status instead.
  static grpc::ServerGenericBidiReactor* Refuse(std::shared_ptr<RpcCall> call,
                                                const absl::Status& status);

  // gRPC's calls.
  void OnReadDone(bool is_message) final;
  void OnWriteDone(bool is_sent) final;
  void OnCancel() final;
  void OnDone() final;

  // The timer's call.
  void OnTimer() final;

 protected:
  // REQUIRES: OnDone() has not been called.
  grpc::CallbackServerContext& rpc() { return *rpc_; }
  const RpcHost& host() const { return host_; }
  const Caller& caller() const { return caller_; }
  const RpcName& name() const { return name_; }

  // Reads the next message. One that has more bytes than this, after it was
  // inflated, is refused.
  void ReadMessage(int64_t max_bytes);
  // The same for a message of a stream after the first.
  void ReadNextMessage(int64_t max_bytes);
  void Send(const grpc::ByteBuffer& message);
  void SendLast(const grpc::ByteBuffer& message);
  void End(const absl::Status& status);
  // Whether a message that Send() took is on its way.
  bool IsSending() const;
  // Cancels the call at `time` if it has not ended by then.
  void LimitLife(MonotonicTime time);

 private:
  virtual void Begin() = 0;
  virtual void OnMessage(std::string bytes) = 0;
  // No message will come, or not one that can be used:
  //   DEADLINE_EXCEEDED   it did not arrive in time
  //   UNAVAILABLE         the server drains
  //   CANCELLED           the client has left
  //   other codes         those of StopWaiting() and TakeMessage()
  virtual void OnNoMessage(const absl::Status& reason) { End(reason); }
  // The client sends no more messages.
  virtual void OnHalfClose();
  virtual void OnSent(bool /*is_sent*/) {}
  virtual void OnClientGone() { End(absl::CancelledError("")); }
  // The client does not read; it is dropped.
  virtual void OnUnread() {}
  // The last call.
  virtual void OnClosed() {}

  void ReadIn(MessageSlots& slots, int64_t max_bytes);
  // `give_up` is called if another call takes the place.
  CallPlace TakePlace(OpenCalls& calls,
                      void (*give_up)(RpcCall&, int32_t max_calls));
  // The status with which the message is late at `now`; OK if it is not.
  absl::Status LateMessage(MonotonicTime now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Makes sure that the timer rings at the first of the limits.
  void SetTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void BeginToReceive();
  void GiveSlotUp();
  void LeaveQueues();
  // Ends the call if it waits for a message; `reason` is the status.
  void StopWaiting(const absl::Status& reason);
  void Cancel();  // for a client that does not read
  void PrepareEnd(grpc::StatusCode code) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  RpcHost& host_;
  const RpcName& name_;  // its series exist
  const Caller caller_;
  const MonotonicTime begin_;
  std::shared_ptr<RpcCall> self_;           // from Run() to OnDone()
  std::optional<CallPlace> stream_place_;   // likewise
  std::optional<CallPlace> waiting_place_;  // from ReadMessage() to the message
  std::optional<uint64_t> slot_;            // likewise
  grpc::ByteBuffer received_;               // gRPC's until OnReadDone()
  int64_t max_bytes_ = 0;                   // of the message that is read
  MessageSlots* slots_ = nullptr;           // for the message that is read
  grpc::ByteBuffer sent_;  // gRPC's until OnWriteDone() or OnDone()

  mutable absl::Mutex mu_;
  grpc::CallbackServerContext* rpc_;  // null once done; changed under mu_
  bool has_ended_ ABSL_GUARDED_BY(mu_) = false;
  bool is_receiving_ ABSL_GUARDED_BY(mu_) = false;  // has a slot
  bool is_sending_ ABSL_GUARDED_BY(mu_) = false;
  // Each of these ends the call at its time; none while it does not apply.
  std::optional<MonotonicTime> message_limit_ ABSL_GUARDED_BY(mu_);
  std::optional<MonotonicTime> answer_limit_ ABSL_GUARDED_BY(mu_);
  std::optional<MonotonicTime> life_limit_ ABSL_GUARDED_BY(mu_);
  // While the call waits for a slot, the time to look again.
  std::optional<MonotonicTime> slot_limit_ ABSL_GUARDED_BY(mu_);
  std::optional<Timers::Timer> timer_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sheaf
