#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "base/monotonic_time.h"
#include "base/wait_count.h"
#include "engine/engine.h"
#include "engine/request.h"
#include "server/access/caller_limiter.h"
#include "server/access/intake.h"
#include "server/answer.h"
#include "server/delivery.h"
#include "server/fair_executor.h"
#include "server/ops/metrics.h"
#include "server/ops/request_record.h"
#include "server/reply.h"
#include "server/request_reader.h"
#include "server/summary_rounds.h"

namespace sheaf {

// What all calls share. Outlives them.
struct CallContext {
  Engine* engine;
  Delivery* delivery;
  Metrics* metrics;
  WaitCount* live_calls;
  const RequestReader* request_reader;
  FairExecutor* fair_executor;
  CallerLimiter* limiter;
  Intake* intake;
  Log* log;  // null: none
};

// One RPC of TextService, from its arrival to its status: the engine's sink,
// the delivery thread's item and (in the subclasses) gRPC's reactor.
//
// Threads: each kind that meets here has its own part.
//   - gRPC's: the handler constructs and calls HoldForRpc(); OnCancel() and
//     OnWriteDone() note what happened under a mutex and pass it on.
//   - The handler's or, for a long text, the door thread: Start(), once. The
//     others see what it sets through mu_: nobody reads it before has_started_.
//   - The engine's: OnTokens(), OnSegmentFinished() and OnFinished() note the
//     news under mu_ and push this to the delivery thread; OnStarted() notes
//     what the log will say.
//   - The delivery thread: Deliver() takes the news and does everything else;
//     answer_, rounds_, StartWrite() and Finish() are its own, so need no lock.
//   - The door thread again: between two rounds of a long summary it tokenizes
//     the next one's sources, and notes them as news.
//
// Memory: of an unread answer only the text waits, whatever the client does;
// one write is in flight, the rest is joined into the next chunk.
//
// Life: held by gRPC from HoldForRpc() until OnDone(), by whoever calls
// Start(), by the engine until OnFinished() returns, and by each push until it
// is delivered; gone with the last of these.
class Call : public TokenSink,
             public Deliverable,
             public std::enable_shared_from_this<Call> {
 public:
  // `method` is the RPC's name, as the log has it.
  Call(const CallContext& context, ReplyKind kind, const char* method,
       grpc::CallbackServerContext* rpc);

  // From now on gRPC holds this: the handler may return it.
  void HoldForRpc();

  // False if the limiter does not let the caller in, or the intake does not
  // take a message of that many bytes: then the call has ended. The handler
  // asks before it looks at the request.
  [[nodiscard]] bool Authorize(int64_t message_bytes);

  // Has the door thread run `read`, which calls Start() at its end, when it is
  // this caller's turn; at once, if the client leaves. False if too many wait.
  // REQUIRES: Authorize() was true.
  [[nodiscard]] bool AwaitTurn(size_t bytes, std::function<void()> read);

  // Hands a prepared request to the engine, or ends the call with the status
  // that refused it.
  void Start(absl::StatusOr<PreparedRequest> prepared);

  // Whether the client has left. Any thread.
  bool is_gone();

  void OnStarted(absl::Duration queued) final;
  void OnTokens(int32_t segment_index, absl::Span<const int32_t> tokens) final;
  void OnSegmentFinished(int32_t segment_index,
                         std::vector<Hypothesis> hypotheses) final;
  void OnFinished(const absl::Status& status) final;

  void Deliver() final;

 protected:
  // Sends what is ready of answer(). `outcome` is null while the engine goes
  // on. Delivery thread.
  virtual void Send(const absl::Status* outcome) = 0;
  // Ends the RPC. Delivery thread, or that of Start() if it refuses.
  virtual void FinishRpc(const absl::Status& status) = 0;

  Answer& answer() { return *answer_; }
  ReplyKind kind() const { return kind_; }
  const std::string& model() const { return model_; }

  // For Send(): the answer is out, or will never be.
  void FinishOk();
  void FinishError(const absl::Status& status);

  // For the reactors.
  void PushToDelivery();
  void NoteGone();
  void ReleaseFromRpc();  // the last thing that OnDone() does

 private:
  struct Update {
    int32_t segment_index;
    std::vector<int32_t> tokens;
    std::vector<Hypothesis> finished;  // empty: it goes on
  };
  using Sources = TokenLists;

  void WithdrawFromDoor();
  void CancelInEngine();
  void ArmDeadlineAlarm();
  void Refuse(const absl::Status& status, std::optional<Rejection> reason);
  void RefuseBytes(const absl::Status& status);  // the intake's
  void RecordEnd(const absl::Status& status);
  void ApplyUpdates(std::vector<Update> news);
  void PrepareNextRound();
  void BeginRound(Sources sources);
  Update& UpdateOf(int32_t segment_index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PushLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const CallContext context_;
  const ReplyKind kind_;
  grpc::CallbackServerContext* const rpc_;  // valid until OnDone()

  std::shared_ptr<Call> held_by_rpc_;     // HoldForRpc() to OnDone()
  std::shared_ptr<Call> held_by_engine_;  // Submit() to OnFinished()

  int64_t message_bytes_ = 0;              // set by Authorize()
  std::optional<IntakeBytes> held_bytes_;  // from Authorize() on
  RequestRecord record_;
  std::optional<CallerLease> lease_;  // from Authorize() to RecordEnd()

  // Set by Start().
  std::optional<Answer> answer_;  // then the delivery thread's
  // Of a long summary, until its last round begins; then there is the answer.
  std::optional<SummaryRounds> rounds_;
  // The engine's segments from here on are the answer's.
  std::atomic<int32_t> first_segment_ = 0;
  std::string model_;
  MonotonicTime deadline_;

  bool has_ended_ = false;  // FinishRpc() was called; the delivery thread's

  grpc::Alarm alarm_;  // set by Start(), cancelled by OnDone()
  absl::Mutex rpc_mu_;
  bool is_done_ ABSL_GUARDED_BY(rpc_mu_) = false;

  absl::Mutex mu_;
  std::vector<Update> updates_ ABSL_GUARDED_BY(mu_);
  std::optional<Sources> next_round_ ABSL_GUARDED_BY(mu_);
  // Set by AwaitTurn(), taken by whoever withdraws the text.
  std::optional<FairExecutor::Ticket> ticket_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> outcome_ ABSL_GUARDED_BY(mu_);
  std::optional<RequestHandle> request_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Duration> queued_ ABSL_GUARDED_BY(mu_);
  std::optional<MonotonicTime> first_token_ ABSL_GUARDED_BY(mu_);
  // Update wait until the request's id is known: they may lead to Extend().
  bool has_started_ ABSL_GUARDED_BY(mu_) = false;
  bool is_pushed_ ABSL_GUARDED_BY(mu_) = false;
  bool is_gone_ ABSL_GUARDED_BY(mu_) = false;
};

// Answers with one message.
class UnaryCall final : public Call, public grpc::ServerUnaryReactor {
 public:
  UnaryCall(const CallContext& context, ReplyKind kind, const char* method,
            grpc::CallbackServerContext* rpc, grpc::ByteBuffer* response)
      : Call(context, kind, method, rpc), response_(response) {}

  void OnCancel() override { NoteGone(); }
  void OnDone() override { ReleaseFromRpc(); }

 private:
  void Send(const absl::Status* outcome) override;
  void FinishRpc(const absl::Status& status) override;

  grpc::ByteBuffer* const response_;  // gRPC's; valid until OnDone()
};

// Answers with a stream of chunks.
class StreamCall final : public Call,
                         public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  using Call::Call;

  void OnWriteDone(bool ok) override;
  void OnCancel() override { NoteGone(); }
  void OnDone() override { ReleaseFromRpc(); }

 private:
  void Send(const absl::Status* outcome) override;
  void FinishRpc(const absl::Status& status) override;

  grpc::ByteBuffer chunk_;  // of the write in flight
  absl::Mutex write_mu_;
  bool is_writing_ ABSL_GUARDED_BY(write_mu_) = false;
};

}  // namespace sheaf
