// SPDX-License-Identifier: Apache-2.0

// Calls that gRPC's own clients never make: silent ones, compressed bombs,
// answers that are not read, and very many at once.

#include <gmock/gmock.h>
#include <grpc/compression.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "tests/server/server_fixture.h"
#include "tests/support/gzip.h"
#include "tests/support/http2_peer.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

namespace health = grpc::health::v1;
namespace reflection = grpc::reflection::v1;

constexpr char kGenerate[] = "/sheaf.v1.TextService/Generate";
constexpr char kGenerateStream[] = "/sheaf.v1.TextService/GenerateStream";
constexpr char kListModels[] = "/sheaf.v1.ModelService/ListModels";
constexpr char kCheck[] = "/grpc.health.v1.Health/Check";
constexpr char kWatch[] = "/grpc.health.v1.Health/Watch";
constexpr char kReflection[] =
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

// A server with a log and other options.
class RpcCallTest : public testing::Test {
 protected:
  void Start(const std::function<void(ServerOptions&)>& adjust) {
    harness_.emplace(/*max_sequences=*/8, /*max_queue=*/32, absl::Seconds(30),
                     &log_, adjust);
  }
  int32_t port() { return harness_->server->listen().port; }

  // How a call ends that sends these bytes as its only message.
  Http2End Call(const std::string& path, const std::string& bytes,
                const std::string& encoding = "") {
    Http2Peer peer(port());
    Http2Peer::Fields fields;
    if (!encoding.empty()) fields = {{"grpc-encoding", encoding}};
    const uint32_t stream = peer.Open(path, fields);
    peer.SendMessage(stream, bytes, /*is_compressed=*/!encoding.empty());
    return peer.AwaitEnd(stream);
  }
  std::string LogText() {
    EXPECT_TRUE(log_.Flush(absl::InfiniteDuration()));
    return absl::StrJoin(lines_, "\n");
  }

  std::vector<std::string> lines_;  // may be read after Flush()
  Log log_{LogFormat::kText, [this](absl::string_view line) {
             lines_.emplace_back(line);
             return true;
           }};
  std::optional<ServerHarness> harness_;
};

TEST_F(RpcCallTest, ASilentCallEndsWithTheLimit) {
  Start([](ServerOptions& options) {
    options.message_timeout = absl::Milliseconds(100);
  });
  for (const char* path :
       {kGenerate, kGenerateStream, kListModels, kCheck, kWatch, kReflection}) {
    Http2Peer peer(port());
    const Http2End end = peer.AwaitEnd(peer.Open(path));
    EXPECT_EQ(end.code, grpc::StatusCode::DEADLINE_EXCEEDED) << path;
    EXPECT_THAT(end.headers, HasSubstr("within 100ms (--message_timeout)"));
  }
  EXPECT_THAT(LogText(), HasSubstr("code=DEADLINE_EXCEEDED"));
}

TEST_F(RpcCallTest, APartOfAMessageIsNoMessage) {
  Start([](ServerOptions& options) {
    options.message_timeout = absl::Milliseconds(100);
  });
  Http2Peer peer(port());
  const uint32_t stream = peer.Open(kGenerate);
  peer.SendBytes(stream, std::string("\0\0\0\0\5abcd", 9), /*is_end=*/false);
  EXPECT_EQ(peer.AwaitEnd(stream).code, grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(RpcCallTest, AReflectionStreamMayNotBeIdleAndAWatchMay) {
  Start([](ServerOptions& options) {
    options.message_timeout = absl::Milliseconds(100);
  });
  const auto stub = health::Health::NewStub(harness_->channel);
  grpc::ClientContext context;
  const auto watch = stub->Watch(&context, {});
  health::HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), health::HealthCheckResponse::SERVING);
  Http2Peer peer(port());
  const uint32_t stream = peer.Open(kReflection);
  reflection::ServerReflectionRequest request;
  request.set_list_services("");
  peer.SendMessage(stream, request.SerializeAsString(), /*is_compressed=*/false,
                   /*is_end=*/false);
  EXPECT_EQ(peer.AwaitEnd(stream).code, grpc::StatusCode::DEADLINE_EXCEEDED);
  std::thread drain([&] { harness_->server->Drain(absl::Seconds(60)); });
  EXPECT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), health::HealthCheckResponse::NOT_SERVING);
  drain.join();
}

TEST_F(RpcCallTest, ACallThatEndsWithoutAMessageIsInvalid) {
  Start([](ServerOptions&) {});
  for (const char* path :
       {kGenerate, kGenerateStream, kListModels, kCheck, kWatch}) {
    Http2Peer peer(port());
    const Http2End end =
        peer.AwaitEnd(peer.Open(path, /*more=*/{}, /*is_end=*/true));
    EXPECT_EQ(end.code, grpc::StatusCode::INVALID_ARGUMENT) << path;
    EXPECT_THAT(end.headers, HasSubstr("the call has no message"));
  }
  Http2Peer peer(port());
  EXPECT_EQ(peer.AwaitEnd(peer.Open(kReflection, {}, /*is_end=*/true)).code,
            grpc::StatusCode::OK);
}

TEST_F(RpcCallTest, OnlyTheFirstMessageOfACallIsRead) {
  Start([](ServerOptions&) {});
  Http2Peer peer(port());
  const uint32_t stream = peer.Open(kGenerate);
  peer.SendMessage(stream, GenerateOf(ByteTokens("OK")).SerializeAsString(),
                   /*is_compressed=*/false, /*is_end=*/false);
  peer.SendMessage(stream, "\xff\xff");
  EXPECT_EQ(peer.AwaitEnd(stream).code, grpc::StatusCode::OK);
}

TEST_F(RpcCallTest, TheTokenIsCheckedBeforeAMessageIsThere) {
  const std::string file = testing::TempDir() + "/rpc_call_test_tokens";
  std::ofstream(file) << "web " << std::string(64, 'a') << "\n";
  Start([&](ServerOptions& options) {
    options.auth_tokens_file = file;
    options.message_timeout = absl::Hours(1);
  });
  for (const char* path : {kGenerate, kGenerateStream, kListModels}) {
    Http2Peer peer(port());
    const Http2End end = peer.AwaitEnd(peer.Open(path));
    EXPECT_EQ(end.code, grpc::StatusCode::UNAUTHENTICATED) << path;
  }
  EXPECT_EQ(Call(kCheck, "").code, grpc::StatusCode::OK);
}

TEST_F(RpcCallTest, CompressedRequestsOfAllMethodsAreServed) {
  Start([](ServerOptions&) {});
  for (grpc_compression_algorithm algorithm :
       {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    const auto call = [&](const auto& function) {
      grpc::ClientContext context;
      context.set_compression_algorithm(algorithm);
      function(&context);
    };
    // Long, so that the compression makes it shorter; otherwise gRPC sends it
    // as it is.
    const std::string text(2000, 'a');
    call([&](grpc::ClientContext* context) {
      v1::TranslateResponse response;
      EXPECT_TRUE(
          harness_->text->Translate(context, TranslateOf(text), &response)
              .ok());
    });
    call([&](grpc::ClientContext* context) {
      const auto reader =
          harness_->text->TranslateStream(context, TranslateOf(text));
      v1::TextChunk chunk;
      while (reader->Read(&chunk)) {
      }
      EXPECT_TRUE(reader->Finish().ok());
    });
    call([&](grpc::ClientContext* context) {
      v1::GetModelRequest request;
      request.set_name(text);
      v1::Model model;
      EXPECT_EQ(
          harness_->models->GetModel(context, request, &model).error_code(),
          grpc::StatusCode::NOT_FOUND);
    });
    const auto stub = health::Health::NewStub(harness_->channel);
    health::HealthCheckRequest unknown;
    unknown.set_service(std::string(190, 'a'));
    health::HealthCheckResponse response;
    call([&](grpc::ClientContext* context) {
      EXPECT_EQ(stub->Check(context, unknown, &response).error_code(),
                grpc::StatusCode::NOT_FOUND);
    });
    call([&](grpc::ClientContext* context) {
      const auto watch = stub->Watch(context, unknown);
      ASSERT_TRUE(watch->Read(&response));
      EXPECT_EQ(response.status(),
                health::HealthCheckResponse::SERVICE_UNKNOWN);
      context->TryCancel();
      watch->Finish();
    });
    call([&](grpc::ClientContext* context) {
      const auto stream =
          reflection::ServerReflection::NewStub(harness_->channel)
              ->ServerReflectionInfo(context);
      reflection::ServerReflectionRequest request;
      request.set_host(text);
      request.set_list_services("");
      reflection::ServerReflectionResponse services;
      ASSERT_TRUE(stream->Write(request) && stream->Read(&services));
      EXPECT_EQ(services.valid_host(), text);
      stream->WritesDone();
      EXPECT_TRUE(stream->Finish().ok());
    });
  }
}

TEST_F(RpcCallTest, AMessageThatInflatesToTooMuchIsRefused) {
  Start([](ServerOptions&) {});
  const std::string bomb = Gzip(std::string(16 << 20, '\0'));
  ASSERT_LT(bomb.size(), 16384u);
  for (const char* path : {kGenerate, kListModels}) {
    const Http2End end = Call(path, bomb, "gzip");
    EXPECT_EQ(end.code, grpc::StatusCode::RESOURCE_EXHAUSTED) << path;
    EXPECT_THAT(end.headers, HasSubstr("inflates to more than 1248576 bytes"));
  }
  // Methods that need no token receive short messages only.
  const Http2End end = Call(kCheck, Gzip(std::string(70'000, '\0')), "gzip");
  EXPECT_EQ(end.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(end.headers, HasSubstr("inflates to more than 65536 bytes"));
  EXPECT_EQ(harness_->WhatIsLeft(), "");
}

TEST_F(RpcCallTest, ADamagedMessageIsTheClientsError) {
  Start([](ServerOptions&) {});
  const std::string bytes = Gzip(std::string(1000, 'a'));
  EXPECT_EQ(Call(kGenerate, bytes.substr(5), "gzip").code,
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(Call(kCheck, bytes.substr(0, 10), "gzip").headers,
              HasSubstr("is incomplete"));
}

TEST_F(RpcCallTest, AMessageThatIsTooLongForItsMethodIsRefused) {
  Start([](ServerOptions&) {});
  grpc::ClientContext context;
  health::HealthCheckRequest request;
  request.set_service(std::string(70'000, 'a'));
  health::HealthCheckResponse response;
  const grpc::Status status = health::Health::NewStub(harness_->channel)
                                  ->Check(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("receives at most 65536"));
}

// The window is 0, so nothing can be sent.
TEST_F(RpcCallTest, AnAnswerThatIsNotReadIsDroppedAndLogged) {
  Start([](ServerOptions& options) {
    options.answer_timeout = absl::Milliseconds(100);
  });
  for (const char* path : {kGenerate, kGenerateStream}) {
    Http2Peer peer(port(), /*window=*/0);
    const uint32_t stream = peer.Open(path);
    peer.SendMessage(stream, Endless(50).SerializeAsString());
    const Http2End end = peer.AwaitEnd(stream);
    EXPECT_EQ(end.code, grpc::StatusCode::CANCELLED) << path;
    EXPECT_THAT(end.headers, HasSubstr("within 100ms (--answer_timeout)"));
  }
  EXPECT_EQ(harness_->WhatIsLeft(), "");
  harness_.reset();
  const std::string log = LogText();
  for (const char* path : {"Generate", "GenerateStream"}) {
    EXPECT_THAT(log, HasSubstr(absl::StrCat("method=sheaf.v1.TextService/",
                                            path, " code=CANCELLED")));
  }
  EXPECT_THAT(log, HasSubstr("is_unread=true"));
}

TEST_F(RpcCallTest, ADrainDoesNotWaitForAnswersThatAreNotRead) {
  constexpr absl::Duration kTimeout = absl::Minutes(5);
  Start([](ServerOptions& options) {
    options.answer_timeout = absl::Hours(1);
    options.message_timeout = absl::Hours(1);
  });
  Http2Peer unread(port(), /*window=*/0), silent(port());
  const uint32_t stream = unread.Open(kGenerateStream);
  unread.SendMessage(stream, Endless(50).SerializeAsString());
  const uint32_t waiting = silent.Open(kGenerate);
  while (harness_->Gauge("generation_tokens_total") < 50) {
  }
  const MonotonicTime begin = MonotonicTime::Now();
  harness_->server->Drain(kTimeout);
  EXPECT_LT(MonotonicTime::Now() - begin, kTimeout / 2);
  // The client may send its message to another server.
  const Http2End end = silent.AwaitEnd(waiting);
  EXPECT_EQ(end.code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(end.headers, HasSubstr("draining"));
}

// Each stream sends a part of a message, and never the rest. There are slots
// for two of them only.
TEST_F(RpcCallTest, MessagesThatDoNotEndDoNotKeepAnotherClientOut) {
  Start([](ServerOptions& options) { options.transport_bytes = 1; });
  Http2Peer peer(port());
  const std::string begin("\0\0\x10\0\0begin", 10);
  for (int i = 0; i < 50; ++i) {
    const uint32_t stream = peer.Open(i % 2 == 0 ? kGenerate : kListModels);
    peer.SendBytes(stream, begin, /*is_end=*/false);
  }
  EXPECT_EQ(harness_->WhatIsLeft(), "");
  const Http2End end = peer.AwaitAnyEnd();
  EXPECT_EQ(end.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(end.headers, HasSubstr("receives 2 at a time"));
}

TEST_F(RpcCallTest, AClientThatLeavesWhileItsMessageWaitsIsNotForgotten) {
  Start([](ServerOptions& options) { options.transport_bytes = 1; });
  Http2Peer peer(port());
  std::vector<uint32_t> streams;
  for (int i = 0; i < 10; ++i) streams.push_back(peer.Open(kListModels));
  for (const uint32_t stream : streams) peer.Reset(stream);
  while (harness_->Metric("grpc_server_handled_total{grpc_service=\"sheaf.v1."
                          "ModelService\",grpc_method=\"ListModels\","
                          "grpc_type=\"unary\",grpc_code=\"Canceled\"}") < 10) {
  }
}

// Streams that wait for a slot end because there are too many streams.
TEST_F(RpcCallTest, AStreamThatEndsBeforeItsMessageIsReadIsNotReadLater) {
  Start([](ServerOptions&) {});
  Http2Peer one(port()), other(port());
  for (int i = 0; i < 800; ++i) {
    one.Open(kReflection);
    other.Open(kReflection);
  }
  EXPECT_EQ(harness_->WhatIsLeft(), "");
}

TEST_F(RpcCallTest, ManyOpenStreamsDoNotKeepAnotherClientOut) {
  Start([](ServerOptions&) {});
  Http2Peer one(port()), other(port());
  const auto watch_on = [](Http2Peer& peer) {
    peer.SendMessage(peer.Open(kWatch), "");
  };
  for (int i = 0; i < 700; ++i) watch_on(one);
  for (int i = 0; i < 500; ++i) watch_on(other);
  const Http2End end = one.AwaitAnyEnd();
  EXPECT_EQ(end.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(end.headers, HasSubstr("819 other streams"));
  grpc::ClientContext context;
  const auto watch =
      health::Health::NewStub(harness_->channel)->Watch(&context, {});
  health::HealthCheckResponse response;
  EXPECT_TRUE(watch->Read(&response));
  context.TryCancel();
  watch->Finish();
  EXPECT_EQ(harness_->WhatIsLeft(), "");
}

TEST_F(RpcCallTest, UnknownMethodsAreOneInTheMetrics) {
  Start([](ServerOptions&) {});
  for (const char* path : {"/evil.Service/A", "/evil.Service/B", "evil"}) {
    const grpc::Status status = CallRaw(harness_->channel, path, "");
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << path;
  }
  EXPECT_EQ(harness_->Metric("grpc_server_handled_total{grpc_service="
                             "\"unknown\",grpc_method=\"unknown\",grpc_type="
                             "\"unknown\",grpc_code=\"Unimplemented\"}"),
            3);
  EXPECT_THAT(harness_->Scrape(), Not(HasSubstr("evil")));
}

}  // namespace
}  // namespace sheaf
