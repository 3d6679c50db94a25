// SPDX-License-Identifier: Apache-2.0

#pragma once

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
#include "base/monotonic_time.h"
#include "server/access/caller.h"
#include "server/answer_part.h"
#include "server/exchange.h"

namespace sheaf {

// The maximum number of items of a batch.
inline constexpr int kMaxBatchItems = 256;

// One request of a batch.
struct BatchItem {
  Exchange::Read read;
  int64_t bytes = 0;  // of its text
};

// The whole answer to one item.
struct BatchAnswer {
  AnswerPart whole;
  AnswerSummary summary;
};

// The way back to the client of a batch. A transport implements it; a
// BatchExchange calls it. No call may block.
class BatchResponder {
 public:
  virtual ~BatchResponder() = default;

  // As Responder::LimitReading(); called once at most.
  virtual void LimitReading(MonotonicTime deadline) = 0;

  // Exactly one of these is called, once, and it is the last call. `answers`
  // are in the order of the items. `item` is the index of the item that failed;
  // none if the call failed as a whole.
  virtual void Finish(std::vector<BatchAnswer> answers) = 0;
  virtual void Fail(const absl::Status& status, std::optional<int> item) = 0;
};

// Several requests of one call, for example the texts of an array. Each item is
// an Exchange, so it has the limits, metrics and log line of a call of its own.
// All have the request id of the call. They are accepted together, and
// kMaxRunning of them run at a time. If one fails, the others are cancelled,
// and the call fails.
//
// A transport calls the functions in the order in which it calls those of an
// Exchange.
//
// Threads: those of Exchange. Items after the first begin on a reading thread.
//
// Life: shared by the transport until OnClosed() returns, and by the items.
// Keeps the responder as long as it lives itself.
class BatchExchange final : public std::enable_shared_from_this<BatchExchange> {
 public:
  static constexpr int kMaxRunning = 32;

  // Reads the message into 1 to kMaxBatchItems items. Called once, on a reading
  // thread if the message is long.
  using Parse = std::function<absl::StatusOr<std::vector<BatchItem>>()>;

  static std::shared_ptr<BatchExchange> Open(
      const Services& services, Caller caller,
      std::shared_ptr<BatchResponder> responder);

  const std::string& request_id() const { return caller_.request_id; }

  [[nodiscard]] bool Authorize();
  [[nodiscard]] bool TakeMessage(int64_t message_bytes);
  void OnNoMessage(const absl::Status& reason);
  void Start(Parse parse);
  void OnClientGone();
  void OnUnread();
  void OnClosed();

 private:
  class ItemResponder;
  BatchExchange(const Services& services, Caller caller,
                std::shared_ptr<BatchResponder> responder);

  enum class Stage { kAccepting, kWaiting, kRunning, kEnded };
  struct Item {
    std::shared_ptr<Exchange> exchange;
    Exchange::Read read;  // until it runs
    Stage stage = Stage::kAccepting;
    BatchAnswer answer = {};  // once it has ended well
  };
  struct Failure {
    absl::Status status;
    std::optional<int> item;
  };

  // Adds an item and its exchange.
  std::shared_ptr<Exchange> Add(Exchange::Read read);
  // Accepts the items after the first, and has them started.
  void AcceptOthers(std::vector<BatchItem> items);
  bool Accept(BatchItem item);  // false: the call has failed
  void StartWaiting();
  void LimitReading(MonotonicTime deadline);
  // The last word of an item's exchange; `answer` is null if it failed.
  void EndItem(int index, const absl::Status& status, BatchAnswer* answer);
  // Ends the call: cancels all items that have not ended.
  void Abandon(const absl::Status& status, std::optional<int> item);
  bool MustStartLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunStarter();
  void Conclude();
  // All exchanges, for calls without the lock.
  std::vector<std::shared_ptr<Exchange>> Exchanges();

  const Services services_;
  const std::shared_ptr<BatchResponder> responder_;
  Caller caller_;            // with the request id that the items share
  std::string caller_name_;  // set by Authorize()

  absl::Mutex mu_;
  std::vector<Item> items_ ABSL_GUARDED_BY(mu_);
  size_t next_ ABSL_GUARDED_BY(mu_) = 1;  // the item that starts next
  size_t num_running_ ABSL_GUARDED_BY(mu_) = 0;
  size_t num_ended_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<Failure> failure_ ABSL_GUARDED_BY(mu_);
  bool is_starting_ ABSL_GUARDED_BY(mu_) = false;  // StartWaiting() will run
  bool is_limited_ ABSL_GUARDED_BY(mu_) = false;   // LimitReading() was called
};

}  // namespace sheaf
