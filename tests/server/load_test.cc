// SPDX-License-Identifier: Apache-2.0

// Clients that leave, deadlines, many clients at once, and draining.

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "tests/server/server_fixture.h"

namespace sheaf {
namespace {

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

TEST_F(ServerTest, AClientThatLeavesBeforeItsLongTextIsReadLeavesNothing) {
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
    google::rpc::Status details;
    google::rpc::RetryInfo retry;
    if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
      EXPECT_TRUE(details.ParseFromString(status.error_details()) &&
                  details.details_size() == 1 &&
                  details.details(0).UnpackTo(&retry));
      EXPECT_EQ(absl::StrCat(retry.retry_delay().nanos() / 1'000'000),
                *pushback);
    }
    return status.error_code();
  };
  std::string ignored;
  auto running =
      std::async(std::launch::async, [&] { return generate(&ignored); });
  harness.gate.AwaitEngine();
  // One of these waits; all others are refused.
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
  // The counters of RPCs tell when all have arrived. The engine's figures do
  // not change while the gate is closed.
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

// Tokenizing all of them would take more than half a minute.
TEST(ServerLoadTest, LongTextsWhoseClientsLeftDoNotHoldAnothersUp) {
  constexpr int kTexts = 400;
  constexpr auto kPatience = std::chrono::seconds(10);
  ServerHarness harness(/*max_sequences=*/8, /*max_queue=*/kTexts + 1);
  std::string hard;  // has one token per byte of each character
  while (hard.size() + 3 <= ServerHarness::kMaxTextBytes) hard += "\u0E2A";
  std::string sentences;
  for (int i = 0; i < 400; ++i)
    absl::StrAppend(&sentences, "This is the number ", i, ". ");

  v1::GenerateRequest generate;
  generate.set_text(hard);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::TextChunk>>> readers;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::GenerateChunk>>> generated;
  for (int i = 0; i < kTexts; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    grpc::ClientContext* const context = contexts.back().get();
    if (i % 2 == 0) {
      readers.push_back(
          harness.text->TranslateStream(context, TranslateOf(hard)));
    } else {
      generated.push_back(harness.text->GenerateStream(context, generate));
    }
  }
  for (const auto& context : contexts) context->TryCancel();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  v1::TranslateResponse response;
  const grpc::Status status =
      harness.text->Translate(&context, TranslateOf(sentences), &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.usage().segments(), 400);
  for (const auto& reader : readers) EXPECT_FALSE(reader->Finish().ok());
  for (const auto& reader : generated) EXPECT_FALSE(reader->Finish().ok());
  EXPECT_EQ(harness.WhatIsLeft(), "");
}

// Long texts, one per stream, that a server has begun to receive when it
// drains.
class LongTexts {
 public:
  LongTexts(ServerHarness& harness, int num_texts) {
    std::string text;
    while (text.size() + 3 <= ServerHarness::kMaxTextBytes) text += "\u0E2A";
    for (int i = 0; i < num_texts; ++i) {
      contexts_.push_back(std::make_unique<grpc::ClientContext>());
      readers_.push_back(harness.text->TranslateStream(contexts_.back().get(),
                                                       TranslateOf(text)));
    }
    while (harness.Gauge("queued_bytes") < static_cast<double>(text.size())) {
    }
  }

  // Counts the streams that end with each code.
  std::map<grpc::StatusCode, int> Finish() {
    std::map<grpc::StatusCode, int> num_ended;
    for (const auto& reader : readers_) {
      v1::TextChunk chunk;
      while (reader->Read(&chunk)) {
      }
      ++num_ended[reader->Finish().error_code()];
    }
    return num_ended;
  }

 private:
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts_;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::TextChunk>>> readers_;
};

TEST(ServerLoadTest, TextsThatHaveArrivedAreServedWhileTheServerDrains) {
  ServerHarness harness;
  LongTexts texts(harness, /*num_texts=*/5);
  harness.server->Drain(absl::Seconds(60));
  auto num_ended = texts.Finish();
  EXPECT_GE(num_ended[grpc::StatusCode::OK], 1);
  EXPECT_EQ(num_ended[grpc::StatusCode::CANCELLED], 0);
}

// Reading all of them would take half a minute.
TEST(ServerLoadTest, ADrainEndsInTimeThoughManyLongTextsWait) {
  constexpr int kTexts = 300;
  ServerHarness harness(/*max_sequences=*/8, /*max_queue=*/kTexts);
  LongTexts texts(harness, kTexts);
  const absl::Time begin = absl::Now();
  harness.server->Drain(absl::Milliseconds(600));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
  auto num_ended = texts.Finish();
  EXPECT_GE(num_ended[grpc::StatusCode::UNAVAILABLE], kTexts / 2);
  EXPECT_EQ(harness.Gauge("queued_bytes"), 0);
}

TEST(ServerLoadTest, LivenessFailsWhileTheEngineIsStuckAndNothingElseDoes) {
  ServerHarness harness(/*max_sequences=*/8, /*max_queue=*/32,
                        /*stuck_after=*/absl::Milliseconds(50));
  // Calls grpc.health.v1.Health/Check. Field 1 of the request is the name,
  // field 1 of the answer is 1 (SERVING) or 2 (NOT_SERVING).
  const auto health = [&](const std::string& name) {
    const std::string request =
        "\x0a" + std::string(1, static_cast<char>(name.size())) + name;
    std::string answer;
    EXPECT_TRUE(CallRaw(harness.channel, "/grpc.health.v1.Health/Check",
                        request, &answer)
                    .ok());
    return answer;
  };
  const std::string serving("\x08\x01"), not_serving("\x08\x02");
  EXPECT_EQ(health("liveness"), serving);
  harness.gate.Close();
  grpc::ClientContext context;
  const auto reader = harness.text->GenerateStream(&context, Endless(50));
  harness.gate.AwaitEngine();
  while (health("liveness") != not_serving) {
  }
  EXPECT_EQ(health("sheaf.v1.TextService"), serving);
  harness.gate.Open();
  v1::GenerateChunk chunk;
  while (reader->Read(&chunk)) {
  }
  EXPECT_TRUE(reader->Finish().ok());
  while (health("liveness") != serving) {
  }
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

}  // namespace
}  // namespace sheaf
