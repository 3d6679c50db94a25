// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/answer_part.h"
#include "server/batch_exchange.h"
#include "server/exchange.h"
#include "server/http/http_call.h"
#include "server/http/http_router.h"

namespace sheaf {

// How an answer is sent while it is generated. Its functions return the bytes
// of a part, or of none if they are empty; the head has no body.
struct StreamForm {
  HttpResponse head;
  std::function<std::string(const AnswerPart&)> part;
  std::function<std::string(const AnswerPart& rest, const AnswerSummary&)> last;
  // The answer has begun and cannot be finished.
  std::function<std::string(const absl::Status&)> broken;
};

// The requests to the model that one request of HTTP makes.
struct TextWork {
  using Item = BatchItem;
  // A request of sheaf.v1 as an item. `reader` is not owned.
  template <typename Message>
  static Item ItemOf(const RequestReader* reader, Message message) {
    const auto num_bytes = static_cast<int64_t>(message.ByteSizeLong());
    return {[reader,
             message = std::move(message)](RequestReader::IsWanted is_wanted) {
              return reader->Read(message, is_wanted);
            },
            num_bytes};
  }

  std::vector<Item> items;  // at least one
  // The token in the body; replaces the field Authorization if it is not empty.
  std::string token = "";
  // Makes the answer from those to the items, in their order.
  std::function<HttpResponse(std::vector<TextAnswer>)> answer;
  // Set for a stream, of one item; then `answer` is not called.
  std::shared_ptr<const StreamForm> stream = nullptr;
};

// How a dialect reads a request and reports an error.
struct TextMethod {
  // INVALID_ARGUMENT and other errors name the field, its value and what is
  // allowed. Long bodies are read on a reading thread.
  std::function<absl::StatusOr<TextWork>(HttpRequest)> read;
  HttpErrorForm error;
  // The token may be in the body, so that it is checked after the body has
  // arrived. Otherwise nothing of the body is read without a valid one.
  bool has_token_in_body = false;
};

// Has the model answer a request of HTTP: its items are a BatchExchange.
//
// Threads: the connection's, except for the functions of BatchResponder, which
// post what they get to it, and for reading the body.
class TextCall final : public HttpCall, public BatchResponder {
 public:
  // `services` is not owned and outlives the call.
  TextCall(HttpCallContext context, const Services& services,
           std::shared_ptr<const TextMethod> method);

  bool Begin() override;
  void OnBody(std::string body) override;
  void OnNoBody(const absl::Status& reason) override;
  void OnSent() override;
  void OnClientGone() override;
  void OnUnread() override;
  void OnClosed() override;

  void LimitReading(MonotonicTime deadline) override;
  bool TakesParts() const override { return work_.stream != nullptr; }
  bool IsReady() const override { return !is_sending_; }
  void Send(const AnswerPart& part) override;
  void Finish(std::vector<TextAnswer> answers) override;
  void Fail(const absl::Status& status, std::optional<int> item) override;

 private:
  std::shared_ptr<TextCall> Self();
  void OpenBatch();
  // If the token is in the body.
  void ReadToken();
  void OnWork(absl::StatusOr<TextWork> work);

  void OnPart(const AnswerPart& part);
  void BeginStream();
  void End(absl::StatusOr<std::vector<TextAnswer>> answers);

  HttpCallContext context_;
  const Services& services_;
  const std::shared_ptr<const TextMethod> method_;
  // Null before the token is known, and once the call is closed.
  std::shared_ptr<BatchExchange> batch_;
  TextWork work_;  // set before its items run
  bool is_client_gone_ = false;
  std::atomic<bool> is_sending_ = false;  // a part of a stream
  bool has_begun_answer_ = false;         // of a stream
};

// Adds a path of POST that the model answers. `services` is not owned and
// outlives the router.
void AddTextPath(const char* path, const Services& services, TextMethod method,
                 HttpRouter& router);

}  // namespace sheaf
