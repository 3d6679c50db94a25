// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
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

// One request of a batch.
struct BatchItem {
  Exchange::Read read;
  int64_t num_bytes = 0;  // of the message that `read` reads
};

// The answer to one item, without the parts that were sent before.
struct TextAnswer {
  AnswerPart whole;
  AnswerSummary summary;
};

// The way back to the client of a batch. A transport implements it; a
// BatchExchange calls it, on the threads of Responder. No call may block.
class BatchResponder {
 public:
  virtual ~BatchResponder() = default;

  // As Responder::LimitReading(), but called for later items as well; the last
  // call counts.
  virtual void LimitReading(MonotonicTime deadline) = 0;

  // As those of Responder, for a batch with a single item, once it is read. The
  // answer to several items is always whole.
  virtual bool TakesParts() const = 0;
  virtual bool IsReady() const = 0;
  virtual void Send(const AnswerPart& part) = 0;

  // Exactly one of these is called, once, and it is the last call. `answers`
  // are in the order of the items. `item` is the index of the item that failed;
  // none if the call failed as a whole.
  virtual void Finish(std::vector<TextAnswer> answers) = 0;
  virtual void Fail(const absl::Status& status, std::optional<int> item) = 0;
};

// The requests of one call, for example the texts of an array. Each item is an
// Exchange, so it has the limits, metrics and log line of a call of its own.
// All have the request id of the call. If one fails, the others are cancelled,
// and the call fails.
//
// Items wait until fewer than kMaxRunning of the call run, or fewer if the
// caller may not run as many at a time. All are taken to have as many beams as
// the first. An item that waits takes no place of its caller and no memory but
// its message, so a call may have any number of items. The call is accepted
// with its first item. A drain then waits for all of them.
//
// A transport calls the functions in the order in which it calls those of an
// Exchange. A call with a single item does what its Exchange does.
//
// Threads: those of Exchange. Items after the first begin on a reading thread.
//
// Life: shared by the transport until OnClosed() returns, and by the items.
// Keeps the responder as long as it lives itself.
class BatchExchange final : public std::enable_shared_from_this<BatchExchange> {
 public:
  // Half of the sequences that a decode step has by default. So a call fills an
  // idle server well, and two calls together fill it.
  static constexpr int32_t kMaxRunning = 32;

  // Reads the message into its items, at least one. Called once, on a reading
  // thread if the message is long.
  using Parse = std::function<absl::StatusOr<std::vector<BatchItem>>()>;

  static std::shared_ptr<BatchExchange> Open(
      const Services& services, Caller caller,
      std::shared_ptr<BatchResponder> responder);

  const std::string& request_id() const { return caller_.request_id; }
  // Exchange::caller(). REQUIRES: Authorize() returned true.
  const std::string& caller() const { return caller_name_; }

  [[nodiscard]] bool Authorize();
  [[nodiscard]] bool TakeMessage(int64_t message_bytes);
  void OnNoMessage(const absl::Status& reason);
  void Start(Parse parse);
  void OnWritable();
  void OnClientGone();
  void OnUnread();
  void OnClosed();

 private:
  class ItemResponder;
  BatchExchange(const Services& services, Caller caller,
                std::shared_ptr<BatchResponder> responder);

  struct Item {
    BatchItem request;                   // until it begins
    std::shared_ptr<Exchange> exchange;  // from then on, until it ends
    TextAnswer answer = {};              // once it has ended well
  };
  struct Failure {
    absl::Status status;
    std::optional<int> item;
  };

  // Opens the next item's exchange.
  std::shared_ptr<Exchange> OpenNextLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The exchange of the first item, which stays until OnClosed().
  std::shared_ptr<Exchange> First();
  // Adds the items after the first, and has them begin, `max_running` at a time
  // with the first.
  void AddOthers(std::vector<BatchItem> items, size_t max_running);
  bool MustStartLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool MustEndLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunStarter();
  void StartWaiting();
  void LimitReading(MonotonicTime deadline);
  // The last word of an item's exchange; `answer` is null if it failed.
  void EndItem(size_t index, const absl::Status& status, TextAnswer* answer);
  void CloseItem(size_t index);
  // Ends the call: cancels all items that run.
  void Abandon(const absl::Status& status, std::optional<int> item);
  void Conclude();

  const Services services_;
  const std::shared_ptr<BatchResponder> responder_;
  Caller caller_;            // with the request id that the items share
  std::string caller_name_;  // set by Authorize()

  absl::Mutex mu_;
  std::vector<Item> items_ ABSL_GUARDED_BY(mu_);
  size_t max_running_ ABSL_GUARDED_BY(mu_) = 1;
  size_t num_begun_ ABSL_GUARDED_BY(mu_) = 0;
  size_t num_running_ ABSL_GUARDED_BY(mu_) = 0;  // begun and not ended
  std::optional<Failure> failure_ ABSL_GUARDED_BY(mu_);
  bool is_starting_ ABSL_GUARDED_BY(mu_) = false;     // StartWaiting() will run
  MonotonicTime reading_limit_ ABSL_GUARDED_BY(mu_);  // the latest so far
};

}  // namespace sheaf
