// SPDX-License-Identifier: Apache-2.0

#include "client/client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/notification.h"
#include "client/channel.h"
#include "client/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() : client_(*Client::Connect({.server = server_.address()})) {}

  static v1::TranslateRequest English(const std::string& text) {
    v1::TranslateRequest request;
    request.set_text(text);
    request.set_source_language("en");
    request.set_target_language("de");
    return request;
  }

  FakeServer server_;
  Client client_;
};

TEST(ClientConnectTest, WhatIsNoAddressIsRefused) {
  for (const std::string server :
       {"", "localhost", "localhost:", ":80", "localhost:0", "localhost:65536",
        "localhost:http"}) {
    const absl::StatusOr<Client> client = Client::Connect({.server = server});
    EXPECT_EQ(client.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(client.status().message(), HasSubstr("HOST:PORT")) << server;
  }
  EXPECT_TRUE(Client::Connect({.server = "[::1]:50051"}).ok());
}

TEST(ClientConnectTest, AUnixSocketIsAPathThatFits) {
  EXPECT_TRUE(Client::Connect({.server = "unix:/run/sheaf.sock"}).ok());
  for (const std::string& path :
       {std::string(), std::string(108, 'x'), std::string("a,b")}) {
    const absl::StatusOr<Client> client =
        Client::Connect({.server = "unix:" + path});
    EXPECT_THAT(client.status().message(), HasSubstr("1..107")) << path;
  }
}

TEST(ClientConnectTest, WhereNobodyListensIsUnavailable) {
  const std::string address = FakeServer().address();  // Is gone again.
  absl::StatusOr<Client> client = Client::Connect({.server = address});
  ASSERT_TRUE(client.ok());
  EXPECT_EQ(client->ListModels().status().code(),
            absl::StatusCode::kUnavailable);
}

// A server that closes each connection at once.
class ClosingServer {
 public:
  ClosingServer() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_, any, size), 0);
    EXPECT_EQ(listen(fd_, /*backlog=*/16), 0);
    EXPECT_EQ(getsockname(fd_, any, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (;;) {
        const int connection = accept(fd_, nullptr, nullptr);
        if (connection < 0) return;
        close(connection);
      }
    });
  }
  ~ClosingServer() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  const int fd_;
  int port_ = 0;
  std::thread thread_;
};

TEST(ClientConnectTest, AServerThatClosesAtOnceHasUsualReasons) {
  const ClosingServer server;
  absl::StatusOr<Client> client =
      Client::Connect({.server = server.address(), .max_attempts = 1});
  ASSERT_TRUE(client.ok());
  const absl::Status status = client->ListModels().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("as many connections as it allows, or require TLS"));
}

TEST(ClientConnectTest, AListIsOfAddressesOfOneKind) {
  for (const std::string server :
       {"localhost:1,localhost:2", "127.0.0.1:1,[::1]:2", "127.0.0.1:1,",
        "127.0.0.1:1,127.0.0.2"}) {
    EXPECT_EQ(Client::Connect({.server = server}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << server;
  }
  EXPECT_TRUE(Client::Connect({.server = "127.0.0.1:1,127.0.0.1:2"}).ok());
  EXPECT_TRUE(Client::Connect({.server = "[::1]:1,[::1]:2"}).ok());
}

TEST(ClientConnectTest, AttemptsHaveALimit) {
  EXPECT_THAT(Client::Connect({.max_attempts = 6}).status().message(),
              HasSubstr("max_attempts is 6; it must be 1..5"));
  EXPECT_FALSE(Client::Connect({.max_attempts = 0}).ok());
}

TEST_F(ClientTest, ACallThatWasPushedBackIsSentAgain) {
  server_.RefuseNext(3);
  EXPECT_EQ(client_.Translate(English("a"))->text(), "A");
  EXPECT_EQ(server_.translate_requests().size(), 4);
  server_.RefuseNext(4);
  EXPECT_EQ(client_.Translate(English("a")).status(),
            absl::ResourceExhaustedError("come back"));
}

TEST_F(ClientTest, OneAttemptIsOne) {
  Client once =
      *Client::Connect({.server = server_.address(), .max_attempts = 1});
  server_.RefuseNext(1);
  EXPECT_EQ(once.Translate(English("a")).status(),
            absl::ResourceExhaustedError("come back"));
  EXPECT_EQ(server_.translate_requests().size(), 1);
}

TEST_F(ClientTest, CallsGoRoundOverTheServersAndPastOneThatIsGone) {
  auto second = std::make_unique<FakeServer>();
  Client both = *Client::Connect(
      {.server = absl::StrCat(server_.address(), ",", second->address())});
  // During the first calls only one of them may be connected.
  for (int i = 0; i < 100 && (server_.translate_requests().empty() ||
                              second->translate_requests().empty());
       ++i) {
    ASSERT_TRUE(both.Translate(English("a")).ok());
  }
  const size_t num_first = server_.translate_requests().size();
  const size_t num_second = second->translate_requests().size();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(both.Translate(English("a")).ok());
  EXPECT_EQ(server_.translate_requests().size(), num_first + 5);
  EXPECT_EQ(second->translate_requests().size(), num_second + 5);
  second.reset();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(both.Translate(English("a")).ok());
}

TEST_F(ClientTest, ATokenGoesWithEveryCall) {
  Client known = *Client::Connect({.server = server_.address(), .token = "t"});
  ASSERT_TRUE(known.Translate(English("a")).ok());
  EXPECT_EQ(server_.authorization(), "Bearer t");
  ASSERT_TRUE(client_.Translate(English("a")).ok());
  EXPECT_EQ(server_.authorization(), "");
}

TEST_F(ClientTest, AnAnswerHasAllThatTheServerSays) {
  const auto response = client_.Translate(English("hello world"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->text(), "HELLO WORLD");
  EXPECT_EQ(response->finish_reason(), v1::FINISH_REASON_EOS);
  EXPECT_EQ(response->usage().output_tokens(), 2);
  EXPECT_EQ(response->model(), "fake");
}

TEST_F(ClientTest, SummarizeAndGenerateReachTheirMethods) {
  v1::SummarizeRequest document;
  document.set_text("long");
  EXPECT_EQ(client_.Summarize(document)->text(), "LONG");
  v1::GenerateRequest raw;
  raw.mutable_tokens()->add_ids(5);
  EXPECT_THAT(client_.Generate(raw)->hypotheses(0).tokens().ids(),
              ElementsAre(6));
}

TEST_F(ClientTest, OptionsAreOnTheWireOnlyIfSet) {
  v1::TranslateRequest request = English("a");
  request.mutable_decoding()->set_beam_size(4);
  request.mutable_decoding()->set_temperature(0);
  ASSERT_TRUE(client_.Translate(request).ok());
  const v1::DecodingOptions seen = server_.translate_requests()[0].decoding();
  EXPECT_EQ(seen.beam_size(), 4);
  EXPECT_TRUE(seen.has_temperature());
  EXPECT_FALSE(seen.has_top_k());
}

TEST_F(ClientTest, ChunksComeInOrderAndTheEndHasTheUsage) {
  std::vector<std::string> chunks;
  const auto end = client_.TranslateStream(English("one two three"),
                                           [&](const v1::TextChunk& chunk) {
                                             chunks.push_back(chunk.text());
                                             return true;
                                           });
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_THAT(chunks, ElementsAre("ONE", " TWO", " THREE"));
  EXPECT_EQ(end->finish_reason, v1::FINISH_REASON_EOS);
  EXPECT_EQ(end->usage.output_tokens(), 3);
  EXPECT_FALSE(end->is_stopped);
}

TEST_F(ClientTest, SummaryAndGenerationStreamToo) {
  v1::SummarizeRequest document;
  document.set_text("a b");
  std::string summary;
  ASSERT_TRUE(client_
                  .SummarizeStream(document,
                                   [&](const v1::TextChunk& chunk) {
                                     summary += chunk.text();
                                     return true;
                                   })
                  .ok());
  EXPECT_EQ(summary, "A B");
  v1::GenerateRequest raw;
  raw.mutable_tokens()->add_ids(5);
  raw.mutable_tokens()->add_ids(7);
  v1::TokenIds ids;
  ASSERT_TRUE(client_
                  .GenerateStream(raw,
                                  [&](const v1::GenerateChunk& chunk) {
                                    ids.MergeFrom(chunk.tokens());
                                    return true;
                                  })
                  .ok());
  EXPECT_THAT(ids.ids(), ElementsAre(6, 8));
}

TEST_F(ClientTest, ACallbackThatReturnsFalseCancelsTheCall) {
  int num_chunks = 0;
  const auto end = client_.TranslateStream(
      English("endless"),
      [&](const v1::TextChunk&) { return ++num_chunks < 3; });
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_TRUE(end->is_stopped);
  EXPECT_EQ(num_chunks, 3);
  server_.client_left().WaitForNotification();
}

TEST_F(ClientTest, ErrorsHaveTheServersCodeAndMessage) {
  EXPECT_EQ(client_.Translate(English("fail")).status(),
            absl::ResourceExhaustedError("the queue is full"));
  EXPECT_EQ(client_
                .TranslateStream(English("fail"),
                                 [](const v1::TextChunk&) { return true; })
                .status(),
            absl::ResourceExhaustedError("the queue is full"));
}

TEST_F(ClientTest, ATimeoutEndsACallThatHangs) {
  const CallOptions brief{.timeout = absl::Milliseconds(30)};
  EXPECT_EQ(client_.Translate(English("hang"), brief).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(
      client_
          .TranslateStream(
              English("hang"), [](const v1::TextChunk&) { return true; }, brief)
          .status()
          .code(),
      absl::StatusCode::kDeadlineExceeded);
}

TEST_F(ClientTest, ATimeoutPastTheClocksRangeIsNone) {
  for (const absl::Duration timeout :
       {absl::Hours(24 * 365 * 300), absl::InfiniteDuration()}) {
    EXPECT_TRUE(client_.Translate(English("a"), {.timeout = timeout}).ok());
  }
}

TEST_F(ClientTest, WhatIsNotUtf8IsRefusedWithoutACall) {
  const auto response = client_.Translate(English("ab\xff"));
  EXPECT_EQ(response.status(), absl::InvalidArgumentError(
                                   "text is not valid UTF-8: byte 2 is 0xff"));
  v1::TranslateRequest request = English("a");
  request.mutable_decoding()->add_stop("\xc3");
  EXPECT_THAT(client_.Translate(request).status().message(),
              HasSubstr("stop is not valid UTF-8"));
  EXPECT_TRUE(server_.translate_requests().empty());
}

TEST(ClientContextTest, ATimeoutIsCountedByTheClockThatNobodySets) {
  grpc::ClientContext context;
  PrepareContext(/*token=*/"", {.timeout = absl::Hours(1)}, context);
  const gpr_timespec deadline = context.raw_deadline();
  ASSERT_EQ(deadline.clock_type, GPR_CLOCK_MONOTONIC);
  const gpr_timespec left =
      gpr_time_sub(deadline, gpr_now(GPR_CLOCK_MONOTONIC));
  EXPECT_GE(left.tv_sec, 3500);
  EXPECT_LE(left.tv_sec, 3600);
}

TEST_F(ClientTest, AsynchronousChunksComeInOrderAndDoneIsLast) {
  std::vector<std::string> events;
  absl::Notification done;
  client_.TranslateStreamAsync(
      English("one two"),
      [&](const v1::TextChunk& chunk) {
        events.push_back(chunk.text());
        return true;
      },
      [&](absl::StatusOr<StreamEnd> end) {
        events.push_back(absl::StrCat(end->usage.output_tokens()));
        done.Notify();
      });
  done.WaitForNotification();
  EXPECT_THAT(events, ElementsAre("ONE", " TWO", "2"));
}

TEST_F(ClientTest, AnAsynchronousCallMayBeStoppedOrFail) {
  absl::Notification stopped;
  client_.TranslateStreamAsync(
      English("endless"), [](const v1::TextChunk&) { return false; },
      [&](absl::StatusOr<StreamEnd> end) {
        EXPECT_TRUE(end.ok() && end->is_stopped);
        stopped.Notify();
      });
  stopped.WaitForNotification();
  absl::Notification failed;
  client_.TranslateStreamAsync(
      English("fail"), [](const v1::TextChunk&) { return true; },
      [&](absl::StatusOr<StreamEnd> end) {
        EXPECT_EQ(end.status(),
                  absl::ResourceExhaustedError("the queue is full"));
        failed.Notify();
      });
  failed.WaitForNotification();
}

TEST_F(ClientTest, TheDestructorWaitsForAsynchronousCalls) {
  int num_done = 0;  // Written by gRPC's threads, one call after the other.
  for (int i = 0; i < 20; ++i) {
    Client client = *Client::Connect({.server = server_.address()});
    v1::GenerateRequest raw;
    raw.set_text("a b");
    client.GenerateStreamAsync(
        raw, [](const v1::GenerateChunk&) { return true; },
        [&](absl::StatusOr<StreamEnd> end) {
          EXPECT_TRUE(end.ok()) << end.status();
          ++num_done;
        });
  }
  EXPECT_EQ(num_done, 20);
}

TEST_F(ClientTest, ThreadsShareAClient) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this, i] {
      const std::string text = absl::StrCat("t", i);
      EXPECT_EQ(client_.Translate(English(text))->text(), absl::StrCat("T", i));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ClientTest, ModelsAreListedAndFoundByName) {
  EXPECT_EQ(client_.ListModels()->models(0).num_kv_heads(), 2);
  v1::GetModelRequest request;
  request.set_name("fake");
  EXPECT_EQ(client_.GetModel(request)->name(), "fake");
  request.set_name("other");
  EXPECT_EQ(client_.GetModel(request).status(),
            absl::NotFoundError("model \"other\" is not served"));
}

TEST(Utf8Test, OnlyWellFormedCharactersCount) {
  for (const std::string good :
       {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf",
        "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(Utf8PrefixLength(good), good.size()) << good;
  }
  for (const std::string bad :
       {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
        "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xe2\x82"}) {
    EXPECT_EQ(Utf8PrefixLength("ok" + bad), 2u) << bad;
  }
}

}  // namespace
}  // namespace sheaf
