// The server against what clients do, in one process: every case ends with the
// next good request answered and nothing left of those before it.

#include "server/server.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <functional>
#include <future>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server_harness.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

v1::GenerateRequest GenerateOf(const std::vector<int32_t>& tokens) {
  v1::GenerateRequest request;
  request.mutable_tokens()->mutable_ids()->Assign(tokens.begin(), tokens.end());
  return request;
}

v1::TranslateRequest TranslateOf(const std::string& text) {
  v1::TranslateRequest request;
  request.set_text(text);
  request.set_source_language("en");
  request.set_target_language("de");
  return request;
}

v1::GenerateRequest Endless(int32_t max_new_tokens) {
  v1::GenerateRequest request = GenerateOf({kEndlessToken});
  request.mutable_decoding()->set_max_new_tokens(max_new_tokens);
  return request;
}

class ServerTest : public testing::Test {
 protected:
  grpc::Status Generate(const v1::GenerateRequest& request,
                        v1::GenerateResponse* response) {
    grpc::ClientContext context;
    return harness_.text->Generate(&context, request, response);
  }
  grpc::Status Generate(const v1::GenerateRequest& request) {
    v1::GenerateResponse response;
    return Generate(request, &response);
  }
  grpc::Status Translate(const v1::TranslateRequest& request,
                         v1::TranslateResponse* response) {
    grpc::ClientContext context;
    return harness_.text->Translate(&context, request, response);
  }
  grpc::Status Translate(const v1::TranslateRequest& request) {
    v1::TranslateResponse response;
    return Translate(request, &response);
  }

  // One for all tests: it takes two seconds to stop listening for metrics.
  static void SetUpTestSuite() { shared_ = new ServerHarness; }
  static void TearDownTestSuite() {
    delete shared_;
    shared_ = nullptr;
  }
  static inline ServerHarness* shared_ = nullptr;

  ServerHarness& harness_ = *shared_;
};

// ---- what is answered ----

TEST_F(ServerTest, GenerateAnswersWithTextTokensAndUsage) {
  v1::GenerateResponse response;
  ASSERT_TRUE(Generate(GenerateOf(ByteTokens("HELLO")), &response).ok());
  EXPECT_EQ(response.model(), "fake");
  ASSERT_EQ(response.hypotheses_size(), 1);
  EXPECT_EQ(response.hypotheses(0).text(), "HELLO");
  EXPECT_EQ(response.hypotheses(0).tokens().ids_size(), 5);
  EXPECT_EQ(response.hypotheses(0).finish_reason(), v1::FINISH_REASON_EOS);
  EXPECT_EQ(response.usage().input_tokens(), 5);
  EXPECT_EQ(response.usage().output_tokens(), 5);
  EXPECT_EQ(response.usage().segments(), 1);
}

TEST_F(ServerTest, TranslateKeepsTheLayoutOfTheSource) {
  v1::TranslateResponse response;
  ASSERT_TRUE(
      Translate(TranslateOf("  One is here.  Two is there.\n\n---\nThree.\n"),
                &response)
          .ok());
  EXPECT_EQ(response.usage().segments(), 3);
  EXPECT_TRUE(response.text().starts_with("  "));
  EXPECT_TRUE(response.text().ends_with("\n"));
  EXPECT_THAT(response.text(), HasSubstr("\n\n---\n"));
}

TEST_F(ServerTest, WhiteSpaceIsItsOwnTranslation) {
  v1::TranslateResponse response;
  ASSERT_TRUE(Translate(TranslateOf(" \n\t "), &response).ok());
  EXPECT_EQ(response.text(), " \n\t ");
  EXPECT_EQ(response.usage().segments(), 0);
}

TEST_F(ServerTest, TheChunksJoinedAreTheUnaryText) {
  std::string text;
  for (int i = 0; i < 30; ++i) {
    absl::StrAppend(&text, "Sentence number ", i, " of the text.",
                    i % 7 == 0 ? "\n\n" : " ");
  }
  v1::TranslateResponse whole;
  ASSERT_TRUE(Translate(TranslateOf(text), &whole).ok());

  grpc::ClientContext context;
  const auto reader =
      harness_.text->TranslateStream(&context, TranslateOf(text));
  std::string joined;
  v1::TextChunk chunk;
  int num_endings = 0;
  while (reader->Read(&chunk)) {
    joined += chunk.text();
    num_endings += chunk.finish_reason() != v1::FINISH_REASON_UNSPECIFIED;
  }
  ASSERT_TRUE(reader->Finish().ok());
  EXPECT_EQ(joined, whole.text());
  EXPECT_EQ(num_endings, 1);
  EXPECT_EQ(chunk.finish_reason(), whole.finish_reason());
  EXPECT_EQ(chunk.usage().SerializeAsString(),
            whole.usage().SerializeAsString());
}

TEST_F(ServerTest, ALongTextIsSummarizedInParts) {
  v1::SummarizeRequest request;
  for (int i = 0; i < 40; ++i) {
    absl::StrAppend(request.mutable_text(), "This is sentence ", i, ". ");
  }
  v1::SummarizeResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(harness_.text->Summarize(&context, request, &response).ok());
  EXPECT_GT(response.usage().segments(), 1);
  EXPECT_FALSE(response.text().empty());
}

TEST_F(ServerTest, AStopSequenceEndsTheTextBeforeIt) {
  v1::GenerateRequest request = GenerateOf(ByteTokens("ONE TWO THREE"));
  request.mutable_decoding()->add_stop(" T");
  const std::string stopped =
      "sheaf_request_success_total{model=\"fake\","
      "finished_reason=\"stop_sequence\"}";
  const double num_before = harness_.Metric(stopped);
  v1::GenerateResponse response;
  ASSERT_TRUE(Generate(request, &response).ok());
  EXPECT_EQ(response.hypotheses(0).text(), "ONE");
  EXPECT_EQ(response.hypotheses(0).finish_reason(),
            v1::FINISH_REASON_STOP_SEQUENCE);
  EXPECT_EQ(harness_.Metric(stopped) - num_before, 1);
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, AStopSequenceEndsEndlessTextInTheEngine) {
  constexpr int32_t kSteps = 40;  // more than an alphabet
  const double num_before = harness_.Gauge("generation_tokens_total");
  v1::GenerateRequest request = Endless(ServerHarness::kMaxNewTokens);
  request.mutable_decoding()->add_stop("XYZ");
  harness_.gate.Close(kSteps);
  grpc::ClientContext context;
  const auto reader = harness_.text->GenerateStream(&context, request);
  harness_.gate.AwaitEngine();
  // Answers are delivered in turn: after this one, the stop has been found.
  ASSERT_TRUE(Translate(TranslateOf(" ")).ok());
  harness_.gate.Open();
  std::string joined;
  v1::GenerateChunk chunk;
  while (reader->Read(&chunk)) joined += chunk.text();
  ASSERT_TRUE(reader->Finish().ok());
  EXPECT_TRUE(joined.ends_with("W")) << joined;
  EXPECT_EQ(chunk.finish_reason(), v1::FINISH_REASON_STOP_SEQUENCE);
  EXPECT_LE(harness_.Gauge("generation_tokens_total") - num_before, kSteps + 1);
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, ControlSymbolsInAUsersTextAreText) {
  for (const std::string text :
       {"</s>", "<extra_id_0>", "<pad></s>", "a</s>b"}) {
    v1::TranslateResponse response;
    ASSERT_TRUE(Translate(TranslateOf(text), &response).ok());
    // The model says its source again up to the first end token: more than the
    // prompt's tokens means that the text's are there too.
    v1::TranslateResponse empty;
    ASSERT_TRUE(Translate(TranslateOf("x"), &empty).ok());
    EXPECT_GT(response.usage().output_tokens(), empty.usage().output_tokens())
        << text;
  }
}

TEST_F(ServerTest, NulBytesAreText) {
  v1::TranslateResponse response;
  EXPECT_TRUE(
      Translate(TranslateOf(std::string("a\0b. c\0", 8)), &response).ok());
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, ModelsAreListed) {
  grpc::ClientContext context;
  v1::ListModelsResponse list;
  ASSERT_TRUE(harness_.models->ListModels(&context, {}, &list).ok());
  ASSERT_EQ(list.models_size(), 1);
  EXPECT_EQ(list.models(0).name(), "fake");
  EXPECT_EQ(list.models(0).kv_capacity_bytes(),
            ServerHarness::kNumBlocks * 1024);
  EXPECT_EQ(list.models(0).tasks_size(), 2);
  grpc::ClientContext other;
  v1::GetModelRequest request;
  request.set_name("other");
  v1::Model model;
  const grpc::Status status =
      harness_.models->GetModel(&other, request, &model);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(),
              AllOf(HasSubstr("other"), HasSubstr("fake")));
}

// ---- what is refused ----

TEST_F(ServerTest, BadRequestsAreRefusedAndNothingIsLeft) {
  struct Case {
    std::string name;
    std::function<void(v1::TranslateRequest&)> spoil;
    grpc::StatusCode code;
    std::string message;
  };
  using grpc::StatusCode;
  const std::vector<Case> cases = {
      {"empty text", [](auto& r) { r.clear_text(); },
       StatusCode::INVALID_ARGUMENT, "text is empty"},
      {"1 MiB text", [](auto& r) { r.set_text(std::string(1 << 20, 'a')); },
       StatusCode::INVALID_ARGUMENT, "text has 1048576 bytes"},
      {"unknown language", [](auto& r) { r.set_target_language("xx"); },
       StatusCode::INVALID_ARGUMENT, "target_language"},
      {"pair that is not served", [](auto& r) { r.set_target_language("fr"); },
       StatusCode::UNIMPLEMENTED, "en"},
      {"unknown model", [](auto& r) { r.set_model("t5-huge"); },
       StatusCode::NOT_FOUND, "t5-huge"},
      {"max_new_tokens 0",
       [](auto& r) { r.mutable_decoding()->set_max_new_tokens(0); },
       StatusCode::INVALID_ARGUMENT,
       "decoding.max_new_tokens is 0; this server allows 1..200"},
      {"max_new_tokens -1",
       [](auto& r) { r.mutable_decoding()->set_max_new_tokens(-1); },
       StatusCode::INVALID_ARGUMENT, "decoding.max_new_tokens is -1"},
      {"max_new_tokens 2^31-1",
       [](auto& r) {
         r.mutable_decoding()->set_max_new_tokens(
             std::numeric_limits<int32_t>::max());
       },
       StatusCode::INVALID_ARGUMENT, "2147483647"},
      {"NaN", [](auto& r) { r.mutable_decoding()->set_temperature(NAN); },
       StatusCode::INVALID_ARGUMENT, "decoding.temperature is nan"},
      {"negative float", [](auto& r) { r.mutable_decoding()->set_top_p(-1); },
       StatusCode::INVALID_ARGUMENT, "decoding.top_p is -1"},
      {"beams", [](auto& r) { r.mutable_decoding()->set_beam_size(4); },
       StatusCode::UNIMPLEMENTED, "decoding.beam_size is 4"},
      {"id out of range",
       [](auto& r) {
         r.mutable_decoding()->mutable_target_prefix()->add_ids(100);
       },
       StatusCode::INVALID_ARGUMENT,
       "decoding.target_prefix.ids[0] is 100; the vocabulary is 0..99"},
  };
  const std::string unknown_model =
      "sheaf_requests_rejected_total{model=\"fake\",reason=\"unknown_model\"}";
  const double num_before = harness_.Metric(unknown_model);
  for (const Case& c : cases) {
    v1::TranslateRequest request = TranslateOf("Hello there.");
    c.spoil(request);
    const grpc::Status status = Translate(request);
    EXPECT_EQ(status.error_code(), c.code) << c.name;
    EXPECT_THAT(status.error_message(), HasSubstr(c.message)) << c.name;
    EXPECT_EQ(harness_.WhatIsLeft(), "") << c.name;
  }
  EXPECT_EQ(harness_.Metric(unknown_model) - num_before, 1);
}

// Bytes as they are, in and out.
grpc::Status CallRaw(const std::shared_ptr<grpc::Channel>& channel,
                     const std::string& method, const std::string& bytes) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  return status;
}

TEST_F(ServerTest, WhatDoesNotParseIsTheClientsError) {
  const std::string translate = "/sheaf.v1.TextService/Translate";
  // Field 2, text, of one byte that is no UTF-8.
  const grpc::Status not_utf8 =
      CallRaw(harness_.channel, translate, "\x12\x01\xff");
  EXPECT_EQ(not_utf8.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(not_utf8.error_message(),
              HasSubstr("TranslateRequest.text is not valid UTF-8"));
  for (const std::string& method :
       {translate, std::string("/sheaf.v1.TextService/GenerateStream"),
        std::string("/sheaf.v1.ModelService/GetModel")}) {
    const grpc::Status garbage =
        CallRaw(harness_.channel, method, "\xff\xff\xff\xff");
    EXPECT_EQ(garbage.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(garbage.error_message(), HasSubstr("4 bytes"));
  }
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, AMessageFarOverTheLimitIsRefusedUnread) {
  const grpc::Status status =
      Translate(TranslateOf(std::string(16 << 20, 'a')));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

// ---- clients that leave, and load ----

TEST_F(ServerTest, ADeadlineEndsARunningRequest) {
  harness_.gate.Close();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(50));
  v1::GenerateResponse response;
  const grpc::Status status =
      harness_.text->Generate(&context, Endless(10), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  harness_.gate.Open();
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, ADeadlineThatHasPassedIsRefused) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() -
                       std::chrono::seconds(1));
  v1::GenerateResponse response;
  EXPECT_EQ(
      harness_.text->Generate(&context, Endless(10), &response).error_code(),
      grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, LongTextsAreTranslatedToo) {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&text, "This is the sentence with the number ", i, ". ");
  }
  v1::TranslateResponse response;
  ASSERT_TRUE(Translate(TranslateOf(text), &response).ok());
  EXPECT_EQ(response.usage().segments(), 300);
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, AClientThatLeavesBeforeItsLongTextIsAdmittedLeavesNothing) {
  const std::string text(ServerHarness::kMaxTextBytes, 'a');
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::TextChunk>>> readers;
  for (int i = 0; i < 8; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    readers.push_back(harness_.text->TranslateStream(contexts.back().get(),
                                                     TranslateOf(text)));
  }
  for (const auto& context : contexts) context->TryCancel();
  for (const auto& reader : readers) {
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, AClientThatLeavesMidStreamFreesItsBlocks) {
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    const auto reader = harness_.text->GenerateStream(
        &context, Endless(ServerHarness::kMaxNewTokens));
    v1::GenerateChunk chunk;
    ASSERT_TRUE(reader->Read(&chunk));
    context.TryCancel();
    while (reader->Read(&chunk)) {
    }
    reader->Finish();
  }
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, ACancelledRequestLeavesWithinAStep) {
  harness_.gate.Close();
  grpc::ClientContext context;
  const auto reader = harness_.text->GenerateStream(
      &context, Endless(ServerHarness::kMaxNewTokens));
  harness_.gate.AwaitEngine();
  context.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  harness_.gate.Open();
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, ConcurrentClientsGetTheirOwnText) {
  constexpr int kClients = 8, kRequests = 25;
  std::vector<std::future<int>> wrong;
  for (int client = 0; client < kClients; ++client) {
    wrong.push_back(std::async(std::launch::async, [&, client] {
      int num_wrong = 0;
      for (int i = 0; i < kRequests; ++i) {
        const std::string text = absl::StrCat("C", client, "R", i, "X");
        v1::GenerateResponse response;
        num_wrong += !Generate(GenerateOf(ByteTokens(text)), &response).ok() ||
                     response.hypotheses(0).text() != text;
      }
      return num_wrong;
    }));
  }
  for (std::future<int>& each : wrong) EXPECT_EQ(each.get(), 0);
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST(ServerLoadTest, AFullQueueRefusesWithRetryPushback) {
  constexpr int kClients = 5;
  ServerHarness harness(/*max_sequences=*/1, /*max_queue=*/1);
  harness.gate.Close();
  const auto generate = [&](std::string* pushback) {
    grpc::ClientContext context;
    v1::GenerateResponse response;
    const grpc::Status status = harness.text->Generate(
        &context, GenerateOf(ByteTokens("GO")), &response);
    const auto& metadata = context.GetServerTrailingMetadata();
    const auto found = metadata.find("grpc-retry-pushback-ms");
    if (found != metadata.end()) {
      pushback->assign(found->second.data(), found->second.size());
    }
    return status.error_code();
  };
  std::string ignored;
  auto running =
      std::async(std::launch::async, [&] { return generate(&ignored); });
  harness.gate.AwaitEngine();
  // One of these waits; as many as are left have been refused.
  absl::Mutex mu;
  int num_refused = 0, num_served = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      std::string pushback;
      const grpc::StatusCode code = generate(&pushback);
      absl::MutexLock lock(&mu);
      if (code == grpc::StatusCode::OK) ++num_served;
      if (code == grpc::StatusCode::RESOURCE_EXHAUSTED && !pushback.empty()) {
        ++num_refused;
      }
    });
  }
  {
    absl::MutexLock lock(&mu);
    const auto all_but_one = [&] { return num_refused == kClients - 1; };
    mu.Await(absl::Condition(&all_but_one));
  }
  harness.gate.Open();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(running.get(), grpc::StatusCode::OK);
  EXPECT_EQ(num_served, 1);
  EXPECT_EQ(harness.Metric("sheaf_requests_rejected_total{model=\"fake\","
                           "reason=\"queue_full\"}"),
            kClients - 1);
  EXPECT_EQ(harness.WhatIsLeft(), "");
}

TEST(ServerLoadTest, DrainingRefusesTheNewAndFinishesTheOld) {
  constexpr int kClients = 6;
  ServerHarness harness(/*max_sequences=*/4, /*max_queue=*/32);
  harness.gate.Close();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::GenerateChunk>>> readers;
  for (int i = 0; i < kClients; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    readers.push_back(
        harness.text->GenerateStream(contexts.back().get(), Endless(50)));
  }
  harness.gate.AwaitEngine();
  // All are in once the figures say so; the gate holds the figures, so ask in
  // the words of the RPC counters.
  while (harness.Metric("grpc_server_started_total{grpc_service=\"sheaf.v1."
                        "TextService\",grpc_method=\"GenerateStream\","
                        "grpc_type=\"server_stream\"}") < kClients) {
  }
  std::thread drain([&] { harness.server->Drain(absl::Seconds(30)); });
  grpc::StatusCode code;
  do {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::milliseconds(200));
    v1::GenerateResponse response;
    code = harness.text
               ->Generate(&context, GenerateOf(ByteTokens("NO")), &response)
               .error_code();
  } while (code == grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(code, grpc::StatusCode::UNAVAILABLE);
  harness.gate.Open();
  for (const auto& reader : readers) {
    v1::GenerateChunk chunk;
    while (reader->Read(&chunk)) {
    }
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(chunk.usage().output_tokens(), 50);
  }
  drain.join();
  EXPECT_EQ(harness.Gauge("kv_cache_usage_ratio"), 0);
}

TEST(ServerLoadTest, WhatDoesNotEndWithinTheDrainIsCancelled) {
  ServerHarness harness;
  harness.gate.Close();
  grpc::ClientContext context;
  const auto reader = harness.text->GenerateStream(&context, Endless(50));
  harness.gate.AwaitEngine();
  std::thread drain([&] { harness.server->Drain(absl::ZeroDuration()); });
  EXPECT_FALSE(reader->Finish().ok());
  harness.gate.Open();
  drain.join();
  EXPECT_EQ(harness.Gauge("kv_cache_usage_ratio"), 0);
}

// ---- beside the text ----

TEST_F(ServerTest, EveryRpcIsCounted) {
  const auto handled = [](const std::string& service, const std::string& method,
                          const std::string& type, const std::string& code) {
    return absl::StrFormat(
        "grpc_server_handled_total{grpc_service=\"%s\",grpc_method=\"%s\","
        "grpc_type=\"%s\",grpc_code=\"%s\"}",
        service, method, type, code);
  };
  const std::string text = "sheaf.v1.TextService";
  const std::string ok = handled(text, "Generate", "unary", "OK");
  const std::string invalid =
      handled(text, "Generate", "unary", "InvalidArgument");
  const std::string cancelled =
      handled(text, "GenerateStream", "server_stream", "Canceled");
  const std::string health =
      handled("grpc.health.v1.Health", "Check", "unary", "OK");
  const double num_ok = harness_.Metric(ok);
  const double num_invalid = harness_.Metric(invalid);
  const double num_cancelled = harness_.Metric(cancelled);
  const double num_health = harness_.Metric(health);
  ASSERT_TRUE(Generate(GenerateOf(ByteTokens("A"))).ok());
  ASSERT_FALSE(Generate(GenerateOf({})).ok());
  // HealthCheckRequest and its answer, by hand: field 1 is a string.
  EXPECT_TRUE(
      CallRaw(harness_.channel, "/grpc.health.v1.Health/Check", "").ok());
  EXPECT_TRUE(CallRaw(harness_.channel, "/grpc.health.v1.Health/Check",
                      "\x0a\x14sheaf.v1.TextService")
                  .ok());
  EXPECT_EQ(harness_.Metric(ok) - num_ok, 1);
  EXPECT_EQ(harness_.Metric(invalid) - num_invalid, 1);
  EXPECT_EQ(harness_.Metric(health) - num_health, 2);
  // A client that leaves is counted too, once the server has seen it; the
  // answer may be done before.
  const auto num_ended = [&] {
    const std::string scrape = harness_.Scrape();
    return MetricValue(scrape, cancelled) +
           MetricValue(scrape,
                       handled(text, "GenerateStream", "server_stream", "OK"));
  };
  while (harness_.Metric(cancelled) == num_cancelled) {
    const double num_ended_before = num_ended();
    harness_.gate.Close();
    grpc::ClientContext context;
    const auto reader = harness_.text->GenerateStream(
        &context, Endless(ServerHarness::kMaxNewTokens));
    harness_.gate.AwaitEngine();
    context.TryCancel();
    reader->Finish();
    harness_.gate.Open();
    while (num_ended() == num_ended_before) {
    }
  }
}

TEST(ServerStartTest, ATakenPortIsAnError) {
  ServerHarness harness;
  FakeModelRunner runner(/*num_blocks=*/8);
  ThreadTeam team(/*size=*/1);
  EngineParts parts;
  parts.kv_shape = {8, 1024, 16, 16};
  parts.runner = &runner;
  parts.team = &team;
  parts.kernels = &kernels::KernelsFor(kernels::Isa::kPortable);
  ServerOptions options;
  options.listen = harness.server->listen();
  options.metrics_listen = {"127.0.0.1", 0};
  ServedModel model;
  model.name = "other";
  const auto second = Server::Start(options, model, parts);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(harness.server->listen().ToString()));
}

}  // namespace
}  // namespace sheaf
