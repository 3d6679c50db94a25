// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/answer_part.h"
#include "server/exchange.h"
#include "server/http/http_call.h"

namespace sheaf {

// What the model answered to one request.
struct TextAnswer {
  AnswerPart whole;
  AnswerSummary summary;
};

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
  struct Item {
    Exchange::Read read;
    int64_t num_bytes = 0;  // of the message that `read` reads
  };
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

// Has the model answer a request of HTTP. Each item is an Exchange, with all
// its limits, metrics and its line in the log. Up to kMaxRunning of them run at
// the same time. If one fails, the call fails with its error, and the others
// are cancelled.
//
// Threads: all members belong to the connection's thread. The exchanges call
// their responders on others, which post what they get.
class TextCall final : public HttpCall {
 public:
  static constexpr size_t kMaxRunning = 16;

  // `services` is not owned and outlives the call.
  TextCall(HttpCallContext context, const Services& services,
           std::shared_ptr<const TextMethod> method);
  ~TextCall() override;

  bool Begin() override;
  void OnBody(std::string body) override;
  void OnNoBody(const absl::Status& reason) override;
  void OnSent() override;
  void OnClientGone() override;
  void OnUnread() override;
  void OnClosed() override;

 private:
  class ItemResponder;
  struct Begun {
    std::shared_ptr<ItemResponder> responder;
    std::shared_ptr<Exchange> exchange;
    bool has_ended = false;
  };

  const std::shared_ptr<Exchange>& OpenExchange();
  void OnWork(absl::StatusOr<TextWork> work);
  void Advance();
  void StartItem(size_t index);
  void OnItemEnd(size_t index, absl::StatusOr<TextAnswer> answer);
  void CancelAll(const absl::Status& reason);
  void End();
  void OnPart(const AnswerPart& part);
  void EndStream(const absl::StatusOr<TextAnswer>& answer);
  void BeginStream();

  HttpCallContext context_;
  const Services& services_;
  const std::shared_ptr<const TextMethod> method_;
  TextWork work_;
  std::vector<Begun> begun_;         // by index of the item
  std::vector<TextAnswer> answers_;  // likewise
  size_t num_started_ = 0;           // of the items
  size_t num_open_ = 0;              // exchanges that have not ended
  absl::Status status_;              // the first error
  bool is_reading_ = false;          // a reading thread has the body
  bool has_begun_answer_ = false;    // of a stream
};

}  // namespace sheaf
