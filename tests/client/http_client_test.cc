// SPDX-License-Identifier: Apache-2.0

#include "client/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "client/http_answer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The server's end of a connection.
class Accepted {
 public:
  explicit Accepted(int fd) : fd_(fd) {}
  ~Accepted() {
    if (fd_ >= 0) close(fd_);
  }
  Accepted(const Accepted&) = delete;
  Accepted& operator=(const Accepted&) = delete;

  // Returns what comes until `end` is there, or "" if the client closes.
  std::string ReadUntil(const std::string& end) {
    std::string text;
    char byte = 0;
    while (!absl::EndsWith(text, end)) {
      if (recv(fd_, &byte, 1, 0) != 1) return "";
      text += byte;
    }
    return text;
  }
  void Send(const std::string& bytes) {
    EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void SendJson(int status, const std::string& body,
                const std::string& fields = "") {
    Send(absl::StrCat("HTTP/1.1 ", status, " Word\r\n", fields,
                      "Content-Length: ", body.size(), "\r\n\r\n", body));
  }
  void SendChunk(const std::string& bytes) {
    Send(absl::StrCat(absl::Hex(bytes.size()), "\r\n", bytes, "\r\n"));
  }

 private:
  const int fd_;
};

// A port of this machine; the test itself answers.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in own = {};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(own);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&own), size), 0);
    EXPECT_EQ(listen(fd_, /*backlog=*/16), 0);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &size);
    address_ = absl::StrCat("127.0.0.1:", ntohs(own.sin_port));
  }
  ~Listener() { close(fd_); }

  const std::string& address() const { return address_; }
  std::unique_ptr<Accepted> Accept() {
    return std::make_unique<Accepted>(accept(fd_, nullptr, nullptr));
  }
  bool HasConnection() {
    pollfd polled = {fd_, POLLIN, 0};
    return poll(&polled, 1, /*timeout=*/0) == 1;
  }

 private:
  const int fd_;
  std::string address_;
};

// The outcome of one request. Thread-safe.
class Outcome {
 public:
  void OnOutput() {
    absl::MutexLock lock(&mutex_);
    ++num_outputs_;
  }
  void OnDone(absl::StatusOr<StreamEnd> end) {
    absl::MutexLock lock(&mutex_);
    end_ = std::move(end);
    ++num_ends_;
  }
  void AwaitOutputs(int count) {
    absl::MutexLock lock(&mutex_);
    const auto are_there = [&] { return num_outputs_ >= count; };
    mutex_.Await(absl::Condition(&are_there));
    EXPECT_EQ(num_outputs_, count);
    EXPECT_EQ(num_ends_, 0);
  }
  absl::StatusOr<StreamEnd> Await() {
    absl::MutexLock lock(&mutex_);
    const auto has_ended = [&] { return num_ends_ > 0; };
    mutex_.Await(absl::Condition(&has_ended));
    EXPECT_EQ(num_ends_, 1);
    return end_;
  }
  int num_outputs() {
    absl::MutexLock lock(&mutex_);
    return num_outputs_;
  }

 private:
  absl::Mutex mutex_;
  int num_outputs_ ABSL_GUARDED_BY(mutex_) = 0;
  int num_ends_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::StatusOr<StreamEnd> end_ ABSL_GUARDED_BY(mutex_);
};

constexpr char kUsage[] = R"("usage":{"input_tokens":4,"output_tokens":3})";

class HttpClientTest : public ::testing::Test {
 protected:
  HttpClientTest() {
    auto client =
        HttpClient::Open({.server = listener_.address(), .token = "secret"});
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  std::shared_ptr<Outcome> Start(
      bool is_streamed, absl::Duration timeout = absl::InfiniteDuration(),
      const std::string& text = "Hi") {
    v1::TranslateRequest request;
    request.set_text(text);
    request.set_target_language("de");
    const auto outcome = std::make_shared<Outcome>();
    client_->Start(request, {.path = "/v1/translate",
                             .is_streamed = is_streamed,
                             .options = {.timeout = timeout},
                             .on_output = [outcome] { outcome->OnOutput(); },
                             .on_done =
                                 [outcome](absl::StatusOr<StreamEnd> end) {
                                   outcome->OnDone(std::move(end));
                                 }});
    return outcome;
  }
  static std::string Whole() {
    return absl::StrCat(R"({"text":"Hallo",)", kUsage, "}");
  }

  Listener listener_;
  std::unique_ptr<HttpClient> client_;
};

TEST_F(HttpClientTest, SendsARequestAndReadsAWholeAnswer) {
  const auto outcome = Start(/*is_streamed=*/false);
  const auto server = listener_.Accept();
  EXPECT_EQ(
      server->ReadUntil("}"),
      absl::StrCat("POST /v1/translate HTTP/1.1\r\nHost: ", listener_.address(),
                   "\r\nContent-Type: application/json\r\n"
                   "Authorization: Bearer secret\r\n"
                   "Accept: application/json\r\n"
                   "Content-Length: 36\r\n\r\n"
                   R"({"text":"Hi","target_language":"de"})"));
  server->SendJson(200, Whole());
  const absl::StatusOr<StreamEnd> end = outcome->Await();
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->usage.input_tokens(), 4);
  EXPECT_EQ(end->usage.output_tokens(), 3);
  EXPECT_EQ(outcome->num_outputs(), 1);
}

TEST_F(HttpClientTest, AnEventIsReportedBeforeTheNextIsSent) {
  const auto outcome = Start(/*is_streamed=*/true);
  const auto server = listener_.Accept();
  EXPECT_THAT(server->ReadUntil("}"),
              HasSubstr("\r\nAccept: text/event-stream\r\n"));
  server->Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  server->SendChunk("data: {\"text\":\"one\"}\n\n");
  outcome->AwaitOutputs(1);
  server->SendChunk("data: {\"tex");
  server->SendChunk("t\":\"two\"}\n\ndata: {\"tokens\":{\"ids\":[5]}}\n");
  outcome->AwaitOutputs(2);
  server->SendChunk("\n");
  outcome->AwaitOutputs(3);
  server->SendChunk(absl::StrCat("data: {", kUsage, "}\n\n"));
  server->Send("0\r\n\r\n");
  const absl::StatusOr<StreamEnd> end = outcome->Await();
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->usage.output_tokens(), 3);
  EXPECT_EQ(outcome->num_outputs(), 3);
}

TEST_F(HttpClientTest, AnIdleConnectionIsUsedAgain) {
  auto outcome = Start(/*is_streamed=*/false);
  const auto server = listener_.Accept();
  server->ReadUntil("}");
  server->SendJson(200, Whole());
  EXPECT_TRUE(outcome->Await().ok());
  outcome = Start(/*is_streamed=*/true);
  EXPECT_THAT(server->ReadUntil("}"), StartsWith("POST "));
  EXPECT_FALSE(listener_.HasConnection());
  server->SendJson(200, absl::StrCat("data: {", kUsage, "}\n\n"));
  EXPECT_TRUE(outcome->Await().ok());
}

TEST_F(HttpClientTest, RequestsAtTheSameTimeHaveTheirOwnConnections) {
  const auto first = Start(/*is_streamed=*/false);
  const auto first_server = listener_.Accept();
  first_server->ReadUntil("}");
  const auto second = Start(/*is_streamed=*/false);
  const auto second_server = listener_.Accept();
  second_server->ReadUntil("}");
  second_server->SendJson(200, Whole());
  EXPECT_TRUE(second->Await().ok());
  first_server->SendJson(200, Whole());
  EXPECT_TRUE(first->Await().ok());
}

TEST_F(HttpClientTest, AConnectionThatTheServerEndsIsNotUsedAgain) {
  for (int i = 0; i < 2; ++i) {
    const auto outcome = Start(/*is_streamed=*/false);
    const auto server = listener_.Accept();
    server->ReadUntil("}");
    server->SendJson(200, Whole(), "Connection: close\r\n");
    EXPECT_TRUE(outcome->Await().ok());
  }
}

TEST_F(HttpClientTest, AfterItsTimeoutARequestEndsWithItsConnection) {
  const auto outcome = Start(/*is_streamed=*/true, absl::Milliseconds(20));
  const auto server = listener_.Accept();
  EXPECT_TRUE(absl::IsDeadlineExceeded(outcome->Await().status()));
  server->ReadUntil("}");
  EXPECT_EQ(server->ReadUntil("}"), "");
}

TEST_F(HttpClientTest, ErrorsHaveTheirCodes) {
  const auto error_of = [this](int status, const std::string& body,
                               bool is_streamed) {
    const auto outcome = Start(is_streamed);
    const auto server = listener_.Accept();
    server->ReadUntil("}");
    server->SendJson(status, body, "Connection: close\r\n");
    return outcome->Await().status();
  };
  EXPECT_EQ(error_of(429, R"({"code":"RESOURCE_EXHAUSTED","detail":"later"})",
                     /*is_streamed=*/true),
            absl::ResourceExhaustedError("later"));
  EXPECT_EQ(error_of(200,
                     "event: error\n"
                     R"(data: {"code":"CANCELLED","detail":"someone left"})"
                     "\n\n",
                     /*is_streamed=*/true),
            absl::CancelledError("someone left"));
  EXPECT_EQ(error_of(200, R"({"text":"a"})", /*is_streamed=*/false),
            absl::InternalError("the answer ended without its usage"));
  EXPECT_EQ(error_of(200, "no", /*is_streamed=*/false),
            absl::InternalError("the answer is no object of JSON"));
}

TEST_F(HttpClientTest, AnAnswerThatIsCutOrMalformedIsAnError) {
  for (const std::string answer :
       {"", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        "SSH-2.0\r\n\r\n"}) {
    const auto outcome = Start(/*is_streamed=*/false);
    {
      const auto server = listener_.Accept();
      server->ReadUntil("}");
      server->Send(answer);
    }
    EXPECT_TRUE(absl::IsUnavailable(outcome->Await().status())) << answer;
  }
}

TEST_F(HttpClientTest, ATextThatIsNotUtf8IsRefusedUnsent) {
  const auto outcome =
      Start(/*is_streamed=*/false, absl::InfiniteDuration(), "\xFF");
  EXPECT_THAT(std::string(outcome->Await().status().message()),
              HasSubstr("text"));
  EXPECT_FALSE(listener_.HasConnection());
}

TEST_F(HttpClientTest, WrongOptionsAreNamed) {
  for (const std::string server : {"", "host", "a:1,b:2", "host:0", "unix:"}) {
    EXPECT_THAT(HttpClient::Open({.server = server}).status().ToString(),
                StartsWith(absl::StrCat("INVALID_ARGUMENT: server is \"",
                                        server, "\"")));
  }
  EXPECT_TRUE(absl::IsInvalidArgument(
      HttpClient::Open({.server = "127.0.0.1:1", .token = "a\r\nb"}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      HttpClient::Open(
          {.server = "127.0.0.1:1", .tls = TlsOptions{.cert_pem = "x"}})
          .status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      HttpClient::Open(
          {.server = "127.0.0.1:1", .tls = TlsOptions{.ca_pem = "no PEM"}})
          .status()));
}

TEST(HttpErrorTest, WithoutACodeTheStatusTellsIt) {
  EXPECT_EQ(HttpError(503, "<html>"),
            absl::UnavailableError("HTTP status 503"));
  EXPECT_EQ(HttpError(413, R"({"error":"the body is too long"})"),
            absl::UnknownError("the body is too long"));
  EXPECT_EQ(HttpError(401, R"({"code":5})"),
            absl::UnauthenticatedError("HTTP status 401"));
}

TEST(EventReaderTest, JoinsLinesOfData) {
  EventReader reader;
  reader.Append(": comment\nevent: a\ndata: one\ndata: two\n\ndata: three");
  const auto event = reader.Next();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->name, "a");
  EXPECT_EQ(event->data, "one\ntwo");
  EXPECT_FALSE(reader.Next().has_value());
  reader.Append("\n\n");
  EXPECT_EQ(reader.Next()->data, "three");
}

}  // namespace
}  // namespace sheaf
