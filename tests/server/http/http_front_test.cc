// SPDX-License-Identifier: Apache-2.0

#include "server/http/http_front.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "server/http/plain_call.h"
#include "tests/support/http_peer.h"
#include "tests/support/metrics_text.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// What happened to calls, in order. Thread-safe.
class Events {
 public:
  void Add(const std::string& event) {
    absl::MutexLock lock(&mu_);
    events_.push_back(event);
  }
  // The events once there are this many.
  std::vector<std::string> Await(size_t num) {
    const auto are_there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return events_.size() >= num;
    };
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(&are_there), absl::Seconds(10));
    return events_;
  }

 private:
  absl::Mutex mu_;
  std::vector<std::string> events_ ABSL_GUARDED_BY(mu_);
};

// Writes down what happens. Answers when the test says so.
class RecordedCall : public HttpCall {
 public:
  RecordedCall(HttpCallContext context, Events& events)
      : context_(std::move(context)), events_(events) {}

  bool Begin() override {
    events_.Add(absl::StrCat("begin ", context_.caller.address));
    return true;
  }
  void OnBody(std::string body) override {
    events_.Add(absl::StrCat("body ", body));
  }
  void OnNoBody(const absl::Status& reason) override {
    events_.Add(
        absl::StrCat("no body ", absl::StatusCodeToString(reason.code())));
    context_.reply->Answer(PlainError(reason));
  }
  void OnSent() override { events_.Add("sent"); }
  void OnClientGone() override {
    events_.Add("gone");
    context_.reply->Answer(PlainError(absl::CancelledError("")));
  }
  void OnUnread() override { events_.Add("unread"); }
  void OnClosed() override { events_.Add("closed"); }

  HttpReply& reply() { return *context_.reply; }

 private:
  const HttpCallContext context_;
  Events& events_;
};

class HttpFrontTest : public testing::Test {
 protected:
  HttpFrontTest() {
    AddPlain("GET", "/small", [](const HttpRequest&) {
      return HttpResponse::Json(200, "small");
    });
    AddPlain("POST", "/echo", [](const HttpRequest& request) {
      return HttpResponse::Json(200, request.body);
    });
    AddPlain("GET", "/large", [](const HttpRequest&) {
      return HttpResponse::Json(200, std::string(kLargeBytes, 'a'));
    });
    router_.Add({"POST", "/call", [this](HttpCallContext context) {
                   auto call = std::make_shared<RecordedCall>(
                       std::move(context), events_);
                   last_call_ = call;
                   return call;
                 }});
  }

  void AddPlain(const std::string& method, const std::string& path,
                std::function<HttpResponse(const HttpRequest&)> answer) {
    router_.Add({method, path, [answer](HttpCallContext context) {
                   return std::make_shared<PlainCall>(
                       std::move(context), nullptr, answer, PlainError);
                 }});
  }

  void Start() {
    options_.address = {"127.0.0.1", 0};
    auto front = HttpFront::Listen(options_, &router_, &metrics_);
    ASSERT_TRUE(front.ok()) << front.status();
    front_ = *std::move(front);
    front_->Start();
  }

  int32_t port() const { return front_->port(); }

  // The answer to bytes after which the connection ends.
  std::string Ask(const std::string& bytes) {
    HttpPeer peer(port());
    peer.Send(bytes);
    return peer.ReadAll();
  }

  static constexpr size_t kLargeBytes = 32 << 20;
  HttpFront::Options options_;
  HttpRouter router_;
  Metrics metrics_{"fake", /*kv_capacity_bytes=*/1};
  Events events_;
  std::unique_ptr<HttpFront> front_;
  // Read after its first event. Behind the front, which outlives its calls.
  std::shared_ptr<RecordedCall> last_call_;
};

constexpr char kGet[] = "GET /small HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr char kLastGet[] =
    "GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

std::string Post(const std::string& path, const std::string& fields,
                 const std::string& body) {
  return absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: a\r\n", fields,
                      "Content-Length: ", body.size(), "\r\n\r\n", body);
}

TEST_F(HttpFrontTest, AConnectionIsKeptForTheNextRequest) {
  Start();
  HttpPeer peer(port());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(peer.Send(kGet));
    const std::string header = peer.ReadUntil("\r\n\r\n");
    EXPECT_THAT(header, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(header, HasSubstr("Content-Length: 5\r\n"));
    EXPECT_THAT(header, Not(HasSubstr("Connection: close")));
    EXPECT_EQ(peer.ReadExactly(5), "small");
    ASSERT_TRUE(peer.Send(Post("/echo", "", absl::StrCat("body", i))));
    EXPECT_THAT(peer.ReadUntil(absl::StrCat("body", i)),
                EndsWith(absl::StrCat("body", i)));
  }
}

TEST_F(HttpFrontTest, OfRequestsInOneGoTheFirstIsAnsweredAndTheConnectionEnds) {
  Start();
  const std::string answer = Ask(Post("/echo", "", "ab") + kGet);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nab"));
}

TEST_F(HttpFrontTest, BytesBeforeTheAnswerEndTheConnectionAfterIt) {
  Start();
  HttpPeer peer(port());
  peer.Send(Post("/call", "", "ab"));
  events_.Await(2);
  peer.Send("GET ");
  // The connection has read them once it has read the next request's bytes.
  const auto call = last_call_;
  while (!peer.IsClosed(0)) {
    peer.Send(std::string(1000, 'a'));  // ends over the limit
  }
  EXPECT_THAT(events_.Await(4),
              ElementsAre("begin ipv4:127.0.0.1", "body ab", "gone", "closed"));
}

TEST_F(HttpFrontTest, MalformedRequestsAreRefusedAndTheConnectionEnds) {
  Start();
  for (const std::string& bytes : {
           std::string("\x16\x03\x01\x02\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\n\r\n"),
           std::string("GET http://a/small HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
           Post("/echo", "Content-Length: 3\r\n", "abc"),
           Post("/echo", "Transfer-Encoding: chunked\r\n", "abc"),
           std::string("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                       "chunked\r\n\r\n1\r\na\r\n0\r\nX-A: b\r\n\r\n"),
       }) {
    const std::string answer = Ask(bytes + kGet);
    EXPECT_THAT(answer, testing::ContainsRegex("^HTTP/1.1 (400|505) "))
        << bytes;
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n")) << bytes;
    EXPECT_THAT(answer, HasSubstr("{\"error\":\"")) << bytes;
    EXPECT_THAT(answer, Not(HasSubstr("small"))) << bytes;
  }
}

TEST_F(HttpFrontTest, PathsAndMethodsAreToldApart) {
  Start();
  const auto ask = [&](const std::string& line) {
    return Ask(absl::StrCat(
        line, " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  };
  EXPECT_THAT(ask("GET /none"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_THAT(ask("GET /%73mall"), StartsWith("HTTP/1.1 404 "));
  const std::string wrong = ask("DELETE /small");
  EXPECT_THAT(wrong, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_THAT(wrong, HasSubstr("Allow: GET, HEAD, OPTIONS\r\n"));
  const std::string options = ask("OPTIONS /small");
  EXPECT_THAT(options, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(options, HasSubstr("Allow: GET, HEAD, OPTIONS\r\n"));
  EXPECT_THAT(options, Not(HasSubstr("Content-Length")));
  const std::string head = ask("HEAD /small");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_THAT(head, EndsWith("\r\n\r\n"));
}

TEST_F(HttpFrontTest, OldClientsGetOneAnswer) {
  Start();
  const std::string answer = Ask("GET /small HTTP/1.0\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nsmall"));
}

TEST_F(HttpFrontTest, AClientIsToldToContinue) {
  Start();
  HttpPeer peer(port());
  peer.Send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
      "Content-Length: 2\r\n\r\n");
  EXPECT_EQ(peer.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.Send("xy");
  EXPECT_THAT(peer.ReadUntil("xy"), EndsWith("\r\n\r\nxy"));
}

TEST_F(HttpFrontTest, ABodyThatIsTooLongIsRefusedUnread) {
  options_.limits.max_body_bytes = 10;
  Start();
  for (const std::string fields :
       {"Content-Length: 11\r\n", "Content-Length: 100000000\r\n",
        "Transfer-Encoding: chunked\r\n"}) {
    const std::string answer =
        Ask(absl::StrCat("POST /echo HTTP/1.1\r\nHost: a\r\n", fields,
                         "\r\nb\r\nabcdefghijk\r\n0\r\n\r\n"));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 Content Too Large\r\n"));
    EXPECT_THAT(answer, HasSubstr("this server allows 10 bytes"));
  }
}

TEST_F(HttpFrontTest, SlowClientsAreTold) {
  options_.limits.header_timeout = absl::Milliseconds(50);
  options_.limits.body_timeout = absl::Milliseconds(100);
  Start();
  EXPECT_THAT(Ask("GET /small HT"), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(
      Ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"),
      StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpFrontTest, SilentConnectionsEnd) {
  options_.limits.idle_timeout = absl::Milliseconds(50);
  Start();
  HttpPeer silent(port());
  EXPECT_EQ(silent.ReadAll(), "");
  HttpPeer peer(port());
  peer.Send(kGet);
  EXPECT_THAT(peer.ReadAll(), EndsWith("small"));
}

TEST_F(HttpFrontTest, AnAnswerThatIsNotReadIsDropped) {
  options_.limits.answer_timeout = absl::Milliseconds(200);
  Start();
  HttpPeer peer(port());
  peer.Send(Post("/call", "", ""));
  events_.Await(2);
  last_call_->reply().Post([call = last_call_] {
    call->reply().Answer(
        HttpResponse::Json(200, std::string(kLargeBytes, 'a')));
  });
  EXPECT_THAT(events_.Await(4),
              ElementsAre("begin ipv4:127.0.0.1", "body ", "unread", "closed"));
  EXPECT_LT(peer.ReadAll().size(), kLargeBytes);
}

TEST_F(HttpFrontTest, ALargeAnswerArrivesWhole) {
  Start();
  HttpPeer peer(port());
  peer.Send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  peer.ReadUntil("\r\n\r\n");
  EXPECT_EQ(peer.ReadExactly(kLargeBytes), std::string(kLargeBytes, 'a'));
  EXPECT_THAT(Ask(kLastGet), EndsWith("small"));
}

TEST_F(HttpFrontTest, ACallIsToldThatItsClientHasLeft) {
  Start();
  {
    HttpPeer peer(port());
    peer.Send(Post("/call", "", "ab"));
    events_.Await(2);
  }
  EXPECT_THAT(events_.Await(4),
              ElementsAre("begin ipv4:127.0.0.1", "body ab", "gone", "closed"));
  {
    HttpPeer peer(port());
    peer.Send("POST /call HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    events_.Await(5);
  }
  EXPECT_THAT(events_.Await(7),
              testing::IsSupersetOf({"no body CANCELLED", "closed"}));
}

TEST_F(HttpFrontTest, AClientThatEndsItsSideBeforeTheAnswerHasLeft) {
  Start();
  HttpPeer waiting(port());
  waiting.Send(Post("/call", "", "x"));
  waiting.EndSending();
  EXPECT_THAT(events_.Await(4),
              ElementsAre("begin ipv4:127.0.0.1", "body x", "gone", "closed"));
  EXPECT_EQ(waiting.ReadAll(), "");
  HttpPeer partial(port());
  partial.Send("GET /small HTTP/1.1\r\nHost: a\r\n");
  partial.EndSending();
  EXPECT_EQ(partial.ReadAll(), "");
}

TEST_F(HttpFrontTest, PartsAreChunksAndEachIsReported) {
  Start();
  const auto answer_in_parts = [](RecordedCall& call) {
    call.reply().BeginParts({200, "text/event-stream"});
    call.reply().SendPart("part one");
  };
  HttpPeer peer(port());
  peer.Send(Post("/call", "", ""));
  events_.Await(2);
  const auto call = last_call_;
  call->reply().Post([&, call] { answer_in_parts(*call); });
  const std::string header = peer.ReadUntil("\r\n\r\n");
  EXPECT_THAT(header, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(header, Not(HasSubstr("Content-Length")));
  EXPECT_EQ(peer.ReadUntil("one\r\n"), "8\r\npart one\r\n");
  events_.Await(3);
  call->reply().Post([call] { call->reply().SendPart("two"); });
  EXPECT_EQ(peer.ReadUntil("two\r\n"), "3\r\ntwo\r\n");
  events_.Await(4);
  call->reply().Post([call] { call->reply().EndParts("three"); });
  EXPECT_EQ(peer.ReadUntil("\r\n\r\n"), "5\r\nthree\r\n0\r\n\r\n");
  EXPECT_THAT(events_.Await(5), ElementsAre("begin ipv4:127.0.0.1", "body ",
                                            "sent", "sent", "closed"));
  peer.Send(kLastGet);
  EXPECT_THAT(peer.ReadAll(), EndsWith("small"));

  HttpPeer old(port());
  old.Send("POST /call HTTP/1.0\r\n\r\n");
  events_.Await(7);
  const auto old_call = last_call_;
  old_call->reply().Post([&, old_call] { answer_in_parts(*old_call); });
  events_.Await(8);
  old_call->reply().Post([old_call] { old_call->reply().EndParts(""); });
  EXPECT_THAT(old.ReadAll(), EndsWith("\r\n\r\npart one"));
}

TEST_F(HttpFrontTest, AClientThatLeavesAStreamIsNoticed) {
  Start();
  {
    HttpPeer peer(port());
    peer.Send(Post("/call", "", ""));
    events_.Await(2);
    const auto call = last_call_;
    call->reply().Post([call] {
      call->reply().BeginParts({200, "text/event-stream"});
      call->reply().SendPart("part");
    });
    peer.ReadUntil("part");
    events_.Await(3);
  }
  EXPECT_THAT(events_.Await(5), ElementsAre("begin ipv4:127.0.0.1", "body ",
                                            "sent", "gone", "closed"));
}

TEST_F(HttpFrontTest, ADrainEndsConnectionsWithTheirAnswers) {
  Start();
  HttpPeer kept(port()), busy(port()), sending(port());
  kept.Send(kGet);
  kept.ReadUntil("small");
  busy.Send(Post("/call", "", ""));
  events_.Await(2);
  const auto call = last_call_;
  sending.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na");
  HttpPeer known(port());  // has been served, so `sending` has been read
  known.Send(kLastGet);
  known.ReadAll();
  front_->BeginDrain();
  EXPECT_THAT(sending.ReadAll(), StartsWith("HTTP/1.1 503 "));
  call->reply().Post(
      [call] { call->reply().Answer(HttpResponse::Json(200, "done")); });
  const std::string answer = busy.ReadAll();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("done"));
  kept.Send(kGet);
  EXPECT_THAT(kept.ReadAll(), HasSubstr("Connection: close\r\n"));
  HttpPeer idle(port());
  idle.Send(kGet);
  idle.ReadAll();
  front_->Stop();
  EXPECT_FALSE(HttpPeer(port()).is_connected());
}

TEST_F(HttpFrontTest, StoppingDropsWhatIsLeft) {
  Start();
  HttpPeer idle(port()), busy(port());
  idle.Send(kGet);
  idle.ReadUntil("small");
  busy.Send(Post("/call", "", ""));
  events_.Await(2);
  front_->Stop();
  EXPECT_EQ(busy.ReadAll(), "");
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_THAT(events_.Await(4),
              ElementsAre("begin ipv4:127.0.0.1", "body ", "gone", "closed"));
}

TEST_F(HttpFrontTest, ConnectionsAreLimitedPerAddress) {
  options_.connections.max_connections_per_address = 2;
  options_.connections.num_local_places = 0;
  Start();
  HttpPeer first(port()), second(port());
  first.Send(kGet);
  second.Send(kGet);
  first.ReadUntil("small");
  second.ReadUntil("small");
  HttpPeer third(port());
  EXPECT_EQ(third.ReadAll(), "");
  HttpPeer other(port(), /*from=*/0x7f000002);
  other.Send(kLastGet);
  EXPECT_THAT(other.ReadAll(), EndsWith("small"));
}

TEST_F(HttpFrontTest, BodiesTogetherAreLimited) {
  options_.max_body_bytes = 64 << 10;
  Start();
  const std::string request = Post("/call", "", std::string(40'000, 'a'));
  HttpPeer first(port()), second(port()), third(port());
  first.Send(request);
  events_.Await(2);
  const auto call = last_call_;
  second.Send(request);
  const std::vector<std::string> refused = events_.Await(5);
  EXPECT_THAT(refused,
              testing::IsSupersetOf({"no body RESOURCE_EXHAUSTED", "closed"}));
  call->reply().Post(
      [call] { call->reply().Answer(HttpResponse::Json(200, "done")); });
  events_.Await(6);  // the first body is given back
  third.Send(request);
  EXPECT_EQ(events_.Await(8).back(), "body " + std::string(40'000, 'a'));
}

TEST_F(HttpFrontTest, OnlyATrustedProxyNamesItsClient) {
  const std::string request =
      Post("/call", "X-Forwarded-For: 192.0.2.9, 198.51.100.1\r\n", "");
  Start();
  HttpPeer untrusted(port());
  untrusted.Send(request);
  EXPECT_EQ(events_.Await(1)[0], "begin ipv4:127.0.0.1");
  last_call_ = nullptr;
  front_ = nullptr;
  options_.connections.trusted_proxies = *TrustedProxies::Parse("127.0.0.1");
  Start();
  HttpPeer trusted(port());
  trusted.Send(request);
  EXPECT_THAT(events_.Await(5), testing::Contains("begin ipv4:198.51.100.1"));
}

TEST_F(HttpFrontTest, PagesOfAllowedOriginsMayReadAnswers) {
  options_.cors_origins = *CorsOrigins::Parse("https://a.example");
  Start();
  const auto ask = [&](const std::string& method, const std::string& origin) {
    return Ask(absl::StrCat(method, " /small HTTP/1.1\r\nHost: a\r\nOrigin: ",
                            origin, "\r\nConnection: close\r\n\r\n"));
  };
  EXPECT_THAT(ask("GET", "https://a.example"),
              HasSubstr("Access-Control-Allow-Origin: https://a.example\r\n"));
  const std::string preflight = ask("OPTIONS", "https://a.example");
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Methods: GET, HEAD"));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Origin: "));
  const std::string other = ask("GET", "https://b.example");
  EXPECT_THAT(other, EndsWith("small"));
  EXPECT_THAT(other, Not(HasSubstr("Access-Control-Allow-Origin")));
}

TEST_F(HttpFrontTest, RequestsHaveAnId) {
  Start();
  const auto ask = [&](const std::string& id) {
    return Ask(absl::StrCat("GET /small HTTP/1.1\r\nHost: a\r\nX-Request-Id: ",
                            id, "\r\nConnection: close\r\n\r\n"));
  };
  EXPECT_THAT(ask("mine-1"), HasSubstr("\r\nX-Request-Id: mine-1\r\n"));
  EXPECT_THAT(ask("not mine"), Not(HasSubstr("not mine")));
  EXPECT_THAT(ask(""), testing::ContainsRegex("X-Request-Id: [0-9a-f]{16}\r"));
}

TEST_F(HttpFrontTest, RequestsAreCounted) {
  Start();
  Ask(kLastGet);
  Ask("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string text = metrics_.Scrape();
  EXPECT_EQ(MetricValue(text,
                        "sheaf_http_requests_total{code=\"200\",method=\"GET\","
                        "path=\"/small\"}"),
            1);
  EXPECT_EQ(MetricValue(text,
                        "sheaf_http_requests_total{code=\"404\",method="
                        "\"other\",path=\"other\"}"),
            1);
}

}  // namespace
}  // namespace sheaf
