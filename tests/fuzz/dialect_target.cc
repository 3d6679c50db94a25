// SPDX-License-Identifier: Apache-2.0

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "base/check.h"
#include "nlohmann/json.hpp"
#include "server/http/header_rules.h"
#include "server/http/http_call.h"
#include "tests/fuzz/fuzzed_server.h"
#include "tests/fuzz/targets.h"

namespace sheaf {
namespace {

// The tasks of all calls, in their order. The thread that runs them is that of
// the connections. What a call does after its answer is done with later inputs.
class Tasks {
 public:
  static Tasks& Get() {
    static auto* const tasks = new Tasks;
    return *tasks;
  }

  void Post(std::function<void()> task) {
    absl::MutexLock lock(&mu_);
    tasks_.push_back(std::move(task));
  }

  // Waits for a task and runs it.
  void RunNext() {
    std::function<void()> task;
    {
      const auto has_task = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return !tasks_.empty();
      };
      absl::MutexLock lock(&mu_, absl::Condition(&has_task));
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }

 private:
  absl::Mutex mu_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mu_);
};

// The way back of a call, without a connection.
class Reply final : public HttpReply {
 public:
  void Post(std::function<void()> task) override {
    Tasks::Get().Post(std::move(task));
  }
  void LimitLife(MonotonicTime) override {}
  void Answer(HttpResponse response) override {
    SHEAF_CHECK(!has_begun_ && !has_ended_);
    answer_ = std::move(response);
    has_ended_ = true;
  }
  void BeginParts(HttpResponse head) override {
    SHEAF_CHECK(!has_begun_ && !has_ended_);
    answer_ = std::move(head);
    has_begun_ = true;
  }
  void SendPart(absl::string_view part) override {
    SHEAF_CHECK(has_begun_ && !has_ended_ && !is_sending_ && !part.empty());
    absl::StrAppend(&answer_.body, part);
    is_sending_ = true;
    Post([this] {
      is_sending_ = false;
      call_->OnSent();
    });
  }
  void EndParts(absl::string_view last_part) override {
    SHEAF_CHECK(has_begun_ && !has_ended_ && !is_sending_);
    absl::StrAppend(&answer_.body, last_part);
    has_ended_ = true;
  }

  // Runs a call, which replies to this, from its begin to its end.
  HttpResponse Run(std::shared_ptr<HttpCall> call, std::string body) {
    call_ = call;
    if (call->Begin()) call->OnBody(std::move(body));
    while (!has_ended_) Tasks::Get().RunNext();
    call_ = nullptr;
    call->OnClosed();
    return std::move(answer_);
  }

 private:
  std::shared_ptr<HttpCall> call_;
  HttpResponse answer_;
  bool has_begun_ = false;
  bool is_sending_ = false;
  bool has_ended_ = false;
};

bool IsJson(absl::string_view text) {
  return nlohmann::json::accept(text.begin(), text.end());
}

// Whether each event has data in JSON, except for the end of OpenAI's streams.
bool AreEvents(absl::string_view text) {
  if (!absl::ConsumeSuffix(&text, "\n\n")) return false;
  for (absl::string_view event : absl::StrSplit(text, "\n\n")) {
    if (absl::ConsumePrefix(&event, "event: ")) {
      event.remove_prefix(std::min(event.find('\n') + 1, event.size()));
    }
    if (!absl::ConsumePrefix(&event, "data: ")) return false;
    if (!IsJson(event) && event != "[DONE]") return false;
  }
  return true;
}

void CheckAnswer(const HttpResponse& answer) {
  // Nothing that a client sends is a fault of the server.
  SHEAF_CHECK(answer.status != 500 && ReasonOf(answer.status) != "Unknown");
  for (const auto& [name, value] : answer.fields) {
    for (const char c : absl::StrCat(name, value)) {
      SHEAF_CHECK(c == '\t' || absl::ascii_isprint(c));
    }
  }
  if (answer.content_type == "application/json" ||
      answer.content_type == "application/problem+json") {
    SHEAF_CHECK(IsJson(answer.body));
  } else if (answer.content_type == "text/event-stream") {
    SHEAF_CHECK(AreEvents(answer.body));
  } else {
    SHEAF_CHECK(answer.status == 200);  // errors have words
  }
}

// Reads "POST /path?query", fields "Name: value", an empty line and a body,
// where lines end with LF. Returns false if the header is not one that
// RequestParser lets through.
bool ReadRequest(absl::string_view input, HttpRequest& request) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(input, absl::MaxSplits("\n\n", 1));
  const auto& [head, body] = parts;
  for (const char c : head) {
    if (c != '\n' && c != '\t' && !absl::ascii_isprint(c)) return false;
  }
  const std::vector<absl::string_view> lines = absl::StrSplit(head, '\n');
  const std::pair<absl::string_view, absl::string_view> first =
      absl::StrSplit(lines[0], absl::MaxSplits(' ', 1));
  if (!WrongTarget(first.second).empty()) return false;
  const std::pair<absl::string_view, absl::string_view> target =
      absl::StrSplit(first.second, absl::MaxSplits('?', 1));
  request.header.method = std::string(first.first);
  request.header.path = std::string(target.first);
  request.header.query = std::string(target.second);
  request.header.fields = {{"Host", "a"}};
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::pair<std::string, absl::string_view> field =
        absl::StrSplit(lines[i], absl::MaxSplits(':', 1));
    request.header.fields.emplace_back(
        field.first, absl::StripAsciiWhitespace(field.second));
  }
  request.header.has_body = !body.empty();
  request.body = std::string(body);
  return WrongFields(request.header).empty();
}

}  // namespace

void CheckDialect(absl::string_view input) {
  HttpRequest request;
  if (!ReadRequest(input, request)) return;
  HttpRouter::Found found = FuzzedServer::Get().router().Find(
      request.header.method, request.header.path);
  if (found.route == nullptr) return;
  const auto reply = std::make_shared<Reply>();
  HttpCallContext context;
  context.request = {request.header, std::move(found.values), ""};
  context.caller.peer = "ipv4:192.0.2.1:1234";
  context.caller.address = "ipv4:192.0.2.1";
  context.caller.authorization =
      std::string(request.header.Field("authorization"));
  context.reply = reply;
  CheckAnswer(reply->Run(found.route->open(std::move(context)),
                         std::move(request.body)));
}

}  // namespace sheaf
