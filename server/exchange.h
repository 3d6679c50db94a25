// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/monotonic_time.h"
#include "base/wait_count.h"
#include "engine/engine.h"
#include "engine/request.h"
#include "server/access/caller.h"
#include "server/access/caller_limiter.h"
#include "server/access/intake.h"
#include "server/delivery.h"
#include "server/fair_executor.h"
#include "server/ops/metrics.h"
#include "server/ops/request_record.h"
#include "server/request_decodes.h"
#include "server/request_reader.h"
#include "server/responder.h"

namespace sheaf {

// Shared by all exchanges. Not owned; outlives them.
struct Services {
  Engine* engine;
  Delivery* delivery;
  Metrics* metrics;
  WaitCount* open_exchanges;
  WaitCount* unfinished_requests;  // are being read, or are in the engine
  const RequestReader* request_reader;
  FairExecutor* reading;  // of long texts
  CallerLimiter* limiter;
  Intake* intake;
  Log* log;  // may be null: no lines
  // The deadline of requests whose clients set none, or a later one.
  absl::Duration default_deadline = absl::Minutes(10);
};

// One request, from authorization to its end. Knows no transport: a transport
// makes a Caller and a Responder, and calls
//   1. Authorize() when the call's headers are there;
//   2. if it returned true, TakeMessage() when the message is there, or
//      OnNoMessage() if none will come;
//   3. if TakeMessage() returned true, Start();
//   4. OnWritable(), OnClientGone() and OnUnread() when these things happen;
//   5. OnClosed() at the end.
//
// Threads: each kind has its own part of the members.
//   - The transport's: calls the functions above, on any of its threads.
//   - The reading thread: reads the request, if it is long. Otherwise the
//     thread of Start() reads it. Either sets delivering_ and hands the request
//     to the engine. Between two rounds of a long summary, the reading thread
//     also makes the sources of the next round.
//   - The engine's: leaves tokens and results in inbox_.
//   - The delivery thread: takes them out, and does everything else. It owns
//     delivering_ from the moment when has_started_ is set.
//
// Memory: of an answer that the client does not read, only the text waits. One
// part is on its way; all others are joined into the next.
//
// Life: shared by the transport until OnClosed() returns, by the task that
// reads the request, by the engine until OnFinished() returns, and by each push
// to the delivery thread. Keeps the responder as long as it lives itself.
class Exchange final : public TokenSink,
                       public Deliverable,
                       public std::enable_shared_from_this<Exchange> {
 public:
  // Parses and checks the request, and converts it to tokens.
  using Read =
      std::function<absl::StatusOr<PreparedRequest>(RequestReader::IsWanted)>;

  // `is_rest_of_call`: another exchange of the same call was accepted, so a
  // drain does not refuse this one.
  Exchange(const Services& services, Caller caller,
           std::shared_ptr<Responder> responder, bool is_rest_of_call = false);

  // The client's, if it sent a valid one; the log has it too.
  const std::string& request_id() const { return record_.request_id; }
  // Identifies the caller. REQUIRES: Authorize() returned true, and the
  // exchange has not ended.
  const std::string& caller() const { return lease_->caller(); }
  // The maximum number of sequences of the caller. REQUIRES: as caller().
  int32_t max_sequences() const { return lease_->max_sequences(); }

  // Asks whether the caller may call now. If not, fails the exchange and
  // returns false. Nothing of the message is needed.
  [[nodiscard]] bool Authorize();

  // Asks whether the server has memory for a message of this size. If not,
  // fails the exchange and returns false. REQUIRES: Authorize() returned true.
  [[nodiscard]] bool TakeMessage(int64_t message_bytes);
  // There is no message that can be read, for this reason. Fails the exchange.
  // REQUIRES: Authorize() has not returned false.
  void OnNoMessage(const absl::Status& reason);

  // Has the request read, at once if it is short, and answered. REQUIRES:
  // TakeMessage() returned true.
  void Start(Read read);

  // The responder is ready again.
  void OnWritable();
  // The client no longer waits for the answer. The exchange ends soon.
  void OnClientGone();
  // The client does not read its answer, and the transport drops it. The log
  // will say so.
  void OnUnread() { is_unread_ = true; }
  // The responder's work is done: it was told to finish or fail, and sends
  // nothing more. The last call; writes the record to the log.
  void OnClosed();

  // The engine's calls.
  void OnStarted(absl::Duration queued) override;
  void OnTokens(int32_t segment_index,
                absl::Span<const int32_t> tokens) override;
  void OnSegmentFinished(int32_t segment_index,
                         std::vector<Hypothesis> hypotheses) override;
  void OnFinished(const absl::Status& status) override;

  // The delivery thread's call.
  void Deliver() override;

 private:
  // News of the engine about a segment.
  struct Update {
    int32_t segment_index;
    std::vector<int32_t> tokens;
    std::vector<Hypothesis> finished;  // empty: the segment continues
  };
  // Waits for the delivery thread.
  struct Inbox {
    std::vector<Update> updates;
    std::optional<TokenLists> next_round;  // sources of a long summary
    std::optional<absl::Status> outcome;   // the engine's last word
  };
  // Set before the engine gets the request, then the delivery thread's.
  struct Delivering {
    std::optional<RequestDecodes> decodes;
    std::optional<absl::Status> outcome;
    bool has_ended = false;
  };

  // The thread that reads.
  [[nodiscard]] bool AwaitTurn(std::function<void()> task);
  void RefuseText();  // there is no place for it, or no longer
  absl::Status CheckWanted();
  absl::StatusOr<PreparedRequest> Prepare(const Read& read);
  void Submit(absl::StatusOr<PreparedRequest> prepared);
  absl::StatusOr<RequestHandle> SubmitToEngine(Request request);
  void BeginRequest();
  void EndRequest();
  void Refuse(const absl::Status& status, std::optional<Rejection> reason);
  void RefuseBytes(const absl::Status& status);

  // The delivery thread.
  void Apply(const std::vector<Update>& updates);
  void DecodeMore();
  [[nodiscard]] bool SubmitSecond();
  void PrepareRound(std::string text);
  void ReadRound(const std::string& text);  // on the reading thread
  void SendPart();
  void FinishOk();
  void FinishError(const absl::Status& status);

  // Any thread.
  bool IsClientGone();
  void WithdrawText();
  void CancelInEngine();
  void RecordEnd(const absl::Status& status);
  Update& UpdateOf(int32_t segment_index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PushLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Services services_;
  const std::shared_ptr<Responder> responder_;
  const bool is_rest_of_call_;
  Caller caller_;         // until Authorize()
  RequestRecord record_;  // of the thread whose turn it is
  MonotonicTime deadline_;
  int64_t message_bytes_ = 0;
  // From TakeMessage() to the engine's last word; counted as unfinished.
  bool is_unfinished_ = false;
  std::atomic<bool> is_unread_ = false;
  std::optional<IntakeBytes> held_bytes_;  // from TakeMessage() to OnClosed()
  std::optional<CallerLease> lease_;       // from Authorize() to RecordEnd()
  std::shared_ptr<Exchange> held_by_engine_;  // from Submit() to OnFinished()

  Delivering delivering_;

  absl::Mutex mu_;
  Inbox inbox_ ABSL_GUARDED_BY(mu_);
  // Set when the text begins to wait, taken by the thread that withdraws it.
  std::optional<FairExecutor::Ticket> ticket_ ABSL_GUARDED_BY(mu_);
  std::optional<RequestHandle> engine_handle_ ABSL_GUARDED_BY(mu_);
  // The answer's segments begin here; before it are those of earlier rounds.
  int32_t first_segment_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<absl::Duration> queued_ ABSL_GUARDED_BY(mu_);
  std::optional<MonotonicTime> first_token_ ABSL_GUARDED_BY(mu_);
  // The inbox waits until engine_handle_ is known, because it may lead to
  // Extend().
  bool has_started_ ABSL_GUARDED_BY(mu_) = false;
  bool is_pushed_ ABSL_GUARDED_BY(mu_) = false;
  bool is_client_gone_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace sheaf
