// SPDX-License-Identifier: Apache-2.0

#include "server/ops/http_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/http_peer.h"

namespace sheaf {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A bound for what happens at once, on a busy machine.
constexpr int kSoonMs = 2000;

class HttpListenerTest : public testing::Test {
 protected:
  void Start(const HttpListener::Limits& limits = HttpListener::Limits()) {
    auto listener =
        HttpListener::Start({"127.0.0.1", 0},
                            {.path = "/metrics",
                             .content_type = "text/plain; version=0.0.4",
                             .render = [this] { return page_; }},
                            limits);
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  // The answer to a request that ends the connection.
  std::string Ask(const std::string& first_line,
                  const std::string& fields = "") {
    HttpPeer peer(listener_->port());
    peer.Send(absl::StrCat(first_line, "\r\nHost: test\r\n", fields,
                           "Connection: close\r\n\r\n"));
    return peer.ReadAll();
  }

  std::string page_ = "a 1\nb 2\n";
  std::unique_ptr<HttpListener> listener_;
};

std::string BodyOf(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

std::string Gunzip(const std::string& bytes) {
  z_stream stream = {};
  inflateInit2(&stream, 15 + 16);
  std::string out(100'000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = bytes.size();
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = out.size();
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

constexpr char kGet[] = "GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n";

TEST_F(HttpListenerTest, AGetReturnsThePageAsItIsNow) {
  Start();
  EXPECT_EQ(BodyOf(Ask("GET /metrics HTTP/1.1")), "a 1\nb 2\n");
  page_ = "a 2\n";
  const std::string answer = Ask("GET /metrics HTTP/1.1");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 4\r\n"));
  EXPECT_EQ(BodyOf(answer), "a 2\n");
}

TEST_F(HttpListenerTest, AHeadReturnsTheHeaderAlone) {
  Start();
  const std::string answer = Ask("HEAD /metrics HTTP/1.1");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 8\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(HttpListenerTest, OnlyThePathIsFound) {
  Start();
  for (const std::string target :
       {"/metrics", "/metrics?name=a", "http://test/metrics"}) {
    EXPECT_EQ(BodyOf(Ask(absl::StrCat("GET ", target, " HTTP/1.1"))), page_)
        << target;
  }
  for (const std::string target :
       {"/", "/metricsx", "/metrics/", "/metrics/x", "/Metrics", "*",
        "http://test", "/?/metrics"}) {
    EXPECT_THAT(Ask(absl::StrCat("GET ", target, " HTTP/1.1")),
                StartsWith("HTTP/1.1 404 Not Found\r\n"))
        << target;
  }
}

TEST_F(HttpListenerTest, OtherMethodsAreNotAllowed) {
  Start();
  for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    const std::string answer = Ask(method + " /metrics HTTP/1.1");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
    EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n"));
  }
}

TEST_F(HttpListenerTest, RequestsInOneGoAreAnsweredInOrder) {
  Start();
  constexpr int kNumRequests = 1000;  // several times the listener's buffer
  HttpPeer peer(listener_->port());
  std::string requests;
  for (int i = 0; i < kNumRequests; ++i) {
    absl::StrAppend(&requests, i % 2 == 0 ? "GET /metrics" : "GET /other",
                    " HTTP/1.1\r\nHost: test\r\n\r\n");
  }
  ASSERT_TRUE(peer.Send(requests));
  for (int i = 0; i < kNumRequests; ++i) {
    const std::string header = peer.ReadUntil("\r\n\r\n");
    ASSERT_THAT(header,
                StartsWith(i % 2 == 0 ? "HTTP/1.1 200" : "HTTP/1.1 404"))
        << i;
    ASSERT_NE(peer.ReadUntil(i % 2 == 0 ? page_ : "Not Found\n"), "");
  }
}

TEST_F(HttpListenerTest, AConnectionIsKeptUnlessThePeerSaysOtherwise) {
  Start();
  HttpPeer kept(listener_->port());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(kept.Send(kGet));
    EXPECT_THAT(kept.ReadUntil(page_), EndsWith(page_));
  }
  HttpPeer old(listener_->port());
  ASSERT_TRUE(old.Send("GET /metrics HTTP/1.0\r\n\r\n"));
  EXPECT_THAT(old.ReadUntil(page_), StartsWith("HTTP/1.0 200 OK\r\n"));
  EXPECT_TRUE(old.IsClosed(kSoonMs));
}

TEST_F(HttpListenerTest, AnAnswerIsCompressedForAPeerThatAcceptsGzip) {
  Start();
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&page_, "series ", i, "\n");
  for (const std::string accepted : {"gzip", "br, gzip;q=0.5", "*"}) {
    const std::string answer =
        Ask("GET /metrics HTTP/1.1",
            absl::StrCat("Accept-Encoding: ", accepted, "\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Encoding: gzip\r\n")) << accepted;
    EXPECT_LT(answer.size(), page_.size() / 2);
    EXPECT_EQ(Gunzip(BodyOf(answer)), page_);
  }
  for (const std::string accepted : {"identity", "gzip;q=0", "br"}) {
    EXPECT_EQ(BodyOf(Ask("GET /metrics HTTP/1.1",
                         absl::StrCat("Accept-Encoding: ", accepted, "\r\n"))),
              page_)
        << accepted;
  }
}

TEST_F(HttpListenerTest, WhatIsNoRequestIsRefusedAndTheConnectionClosed) {
  Start();
  for (const std::string bytes :
       {"garbage\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /metrics\r\n\r\n", "\r\n\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n"}) {
    HttpPeer peer(listener_->port());
    ASSERT_TRUE(peer.Send(bytes));
    EXPECT_THAT(peer.ReadAll(), StartsWith("HTTP/1.1 400 Bad Request\r\n"))
        << bytes;
  }
}

TEST_F(HttpListenerTest, AHeaderOverTheLimitIsRefused) {
  Start();
  for (const size_t num_bytes : {size_t{HttpListener::kMaxHeaderBytes},
                                 size_t{20'000}, size_t{200'000}}) {
    HttpPeer peer(listener_->port());
    peer.Send(absl::StrCat("GET /metrics HTTP/1.1\r\nField: ",
                           std::string(num_bytes, 'x'), "\r\n\r\n"));
    EXPECT_THAT(peer.ReadAll(),
                StartsWith("HTTP/1.1 431 Request Header Fields Too Large\r\n"))
        << num_bytes;
  }
  EXPECT_EQ(
      BodyOf(Ask("GET /metrics HTTP/1.1",
                 absl::StrCat("Field: ", std::string(8000, 'x'), "\r\n"))),
      page_);
}

TEST_F(HttpListenerTest, ABodyIsNotReadAsARequest) {
  Start();
  HttpPeer peer(listener_->port());
  ASSERT_TRUE(
      peer.Send("GET /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 36\r\n"
                "\r\nGET /metrics HTTP/1.1\r\nHost: test\r\n\r\n"));
  EXPECT_EQ(BodyOf(peer.ReadAll()), page_);  // one answer, then the end
}

TEST_F(HttpListenerTest, PeersThatSendSlowlyDelayNobody) {
  Start();
  std::vector<std::unique_ptr<HttpPeer>> slow;
  for (int i = 0; i < 500; ++i) {
    slow.push_back(std::make_unique<HttpPeer>(listener_->port()));
    slow.back()->Send("G");
  }
  HttpPeer scrape(listener_->port());
  ASSERT_TRUE(scrape.Send(kGet));
  EXPECT_THAT(scrape.ReadUntil(page_, kSoonMs), EndsWith(page_));
}

TEST_F(HttpListenerTest, PeersThatDoNotReadDelayNobody) {
  page_ = std::string(20 << 20, 'x') + "end";  // more than sockets hold
  Start();
  std::vector<std::unique_ptr<HttpPeer>> slow;
  for (int i = 0; i < 5; ++i) {
    slow.push_back(std::make_unique<HttpPeer>(listener_->port()));
    ASSERT_TRUE(slow.back()->Send(kGet));
  }
  HttpPeer scrape(listener_->port());
  ASSERT_TRUE(scrape.Send(kGet));
  EXPECT_TRUE(absl::EndsWith(scrape.ReadUntil("xend", kSoonMs), "xend"));
}

TEST_F(HttpListenerTest, TheConnectionWhoseLastRequestIsLongestAgoGivesWay) {
  Start({.max_connections = 2});
  HttpPeer first(listener_->port()), second(listener_->port());
  for (HttpPeer* peer : {&first, &second, &first}) {
    ASSERT_TRUE(peer->Send(kGet));
    ASSERT_THAT(peer->ReadUntil(page_), EndsWith(page_));
  }
  HttpPeer third(listener_->port());
  EXPECT_TRUE(second.IsClosed(kSoonMs));
  for (HttpPeer* peer : {&first, &third}) {
    ASSERT_TRUE(peer->Send(kGet));
    EXPECT_THAT(peer->ReadUntil(page_), EndsWith(page_));
  }
}

TEST_F(HttpListenerTest, AHeaderHasAllItsTimeTogetherNotForEachByte) {
  Start({.header_timeout = absl::Milliseconds(200)});
  HttpPeer peer(listener_->port());
  ASSERT_TRUE(peer.Send("GET /metrics HTTP/1.1\r\nField: "));
  bool is_closed = false;
  for (int i = 0; i < 200 && !is_closed; ++i) {
    is_closed = !peer.Send("x") || peer.IsClosed(/*timeout_ms=*/50);
  }
  EXPECT_TRUE(is_closed);
}

TEST_F(HttpListenerTest, APeerThatDoesNotReadIsClosed) {
  page_ = std::string(20 << 20, 'x');
  Start({.answer_timeout = absl::Milliseconds(100)});
  HttpPeer peer(listener_->port());
  ASSERT_TRUE(peer.Send(kGet));
  bool is_closed = false;
  for (int i = 0; i < 200 && !is_closed; ++i) {
    is_closed = !peer.Send("G");
    poll(nullptr, 0, /*timeout=*/50);
  }
  EXPECT_TRUE(is_closed);
}

TEST_F(HttpListenerTest, AnIdleConnectionIsClosed) {
  Start({.idle_timeout = absl::Milliseconds(50)});
  HttpPeer peer(listener_->port());
  ASSERT_TRUE(peer.Send(kGet));
  ASSERT_THAT(peer.ReadUntil(page_), EndsWith(page_));
  EXPECT_TRUE(peer.IsClosed(kSoonMs));
}

TEST_F(HttpListenerTest, EndsAtOnceWithConnectionsOpen) {
  Start();
  HttpPeer idle(listener_->port()), slow(listener_->port());
  ASSERT_TRUE(idle.Send(kGet));
  ASSERT_THAT(idle.ReadUntil(page_), EndsWith(page_));
  ASSERT_TRUE(slow.Send("GET"));
  const auto begin = std::chrono::steady_clock::now();
  listener_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin,
            std::chrono::milliseconds(1000));
  EXPECT_TRUE(idle.IsClosed(kSoonMs));
  EXPECT_TRUE(slow.IsClosed(kSoonMs));
}

TEST_F(HttpListenerTest, AnAddressThatIsTakenIsAnError) {
  Start();
  const auto second = HttpListener::Start({"127.0.0.1", listener_->port()}, {},
                                          HttpListener::Limits());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace sheaf
