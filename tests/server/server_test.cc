// SPDX-License-Identifier: Apache-2.0

// The answers of a server in this process. Each case ends with the next good
// request answered and nothing left of those before it. refusals_test.cc has
// requests that are refused, load_test.cc clients that leave and many clients
// at once.

#include "server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/version.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "tests/server/server_fixture.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(ServerTest, ReflectionTellsEveryServiceAndItsProto) {
  namespace reflection = grpc::reflection::v1;
  grpc::ClientContext context;
  const auto stub = reflection::ServerReflection::NewStub(harness_.channel);
  const auto stream = stub->ServerReflectionInfo(&context);
  reflection::ServerReflectionRequest request;
  reflection::ServerReflectionResponse list, file;
  request.set_list_services("");
  ASSERT_TRUE(stream->Write(request) && stream->Read(&list));
  std::vector<std::string> names;
  for (const auto& service : list.list_services_response().service()) {
    names.push_back(service.name());
    request.set_file_containing_symbol(service.name());
    ASSERT_TRUE(stream->Write(request) && stream->Read(&file));
    EXPECT_GT(file.file_descriptor_response().file_descriptor_proto_size(), 0)
        << service.name();
  }
  EXPECT_THAT(names,
              ElementsAre("grpc.health.v1.Health",
                          "grpc.reflection.v1.ServerReflection",
                          "grpc.reflection.v1alpha.ServerReflection",
                          "inference.GRPCInferenceService",
                          "sheaf.v1.ModelService", "sheaf.v1.TextService"));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

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

TEST_F(ServerTest, GenerateReturnsSourcePositionsToThoseWhoAsk) {
  std::vector<int32_t> source = ByteTokens("HELLO");
  source.push_back(1);  // the end token, which is never a position
  v1::GenerateRequest request = GenerateOf(source);
  v1::GenerateResponse response;
  ASSERT_TRUE(Generate(request, &response).ok());
  EXPECT_THAT(response.hypotheses(0).source_positions(), IsEmpty());
  request.set_return_alignments(true);
  ASSERT_TRUE(Generate(request, &response).ok());
  EXPECT_THAT(response.hypotheses(0).source_positions(),
              ElementsAre(0, 1, 2, 3, 4));
  request.mutable_decoding()->set_beam_size(3);
  request.mutable_decoding()->set_num_hypotheses(3);
  ASSERT_TRUE(Generate(request, &response).ok());
  ASSERT_EQ(response.hypotheses_size(), 3);
  for (const v1::Hypothesis& each : response.hypotheses()) {
    EXPECT_EQ(each.source_positions_size(), each.tokens().ids_size());
  }
  request = GenerateOf({1, 1});  // no text at all
  request.set_return_alignments(true);
  request.mutable_decoding()->set_min_new_tokens(2);
  ASSERT_TRUE(Generate(request, &response).ok());
  EXPECT_GE(response.hypotheses(0).source_positions_size(), 2);
  EXPECT_THAT(response.hypotheses(0).source_positions(), Each(-1));
}

TEST_F(ServerTest, TheLastChunkHasTheSourcePositionsOfAllTokens) {
  v1::GenerateRequest request = GenerateOf(ByteTokens("HELLO"));
  request.set_return_alignments(true);
  grpc::ClientContext context;
  const auto reader = harness_.text->GenerateStream(&context, request);
  std::vector<int32_t> tokens, positions;
  v1::GenerateChunk chunk;
  while (reader->Read(&chunk)) {
    EXPECT_THAT(positions, IsEmpty());
    tokens.insert(tokens.end(), chunk.tokens().ids().begin(),
                  chunk.tokens().ids().end());
    positions.assign(chunk.source_positions().begin(),
                     chunk.source_positions().end());
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_THAT(positions, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(tokens.size(), positions.size());
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

// The text and the last chunk of a summary's stream.
std::pair<std::string, v1::TextChunk> StreamSummary(
    v1::TextService::Stub& text, const v1::SummarizeRequest& request) {
  grpc::ClientContext context;
  const auto reader = text.SummarizeStream(&context, request);
  std::string joined;
  v1::TextChunk chunk;
  while (reader->Read(&chunk)) joined += chunk.text();
  EXPECT_TRUE(reader->Finish().ok());
  return {joined, chunk};
}

v1::SummarizeRequest LongSummary(int num_sentences, int32_t max_new_tokens) {
  v1::SummarizeRequest request;
  for (int i = 0; i < num_sentences; ++i) {
    absl::StrAppend(request.mutable_text(), "This is sentence ", i, ". ");
  }
  request.mutable_decoding()->set_max_new_tokens(max_new_tokens);
  // The fake model repeats itself.
  request.mutable_decoding()->set_no_repeat_ngram_size(0);
  return request;
}

TEST_F(ServerTest, SummariesOfALongTextsPartsAreSummarizedAgain) {
  const v1::SummarizeRequest request = LongSummary(200, /*max_new_tokens=*/10);
  v1::SummarizeResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(harness_.text->Summarize(&context, request, &response).ok());
  // Each part, and the only part of the last round, has ten letters.
  EXPECT_EQ(response.text().size(), 10u);
  EXPECT_GT(response.usage().segments(), 10);
  EXPECT_EQ(response.usage().output_tokens(), 10 * response.usage().segments());
  EXPECT_EQ(response.finish_reason(), v1::FINISH_REASON_LENGTH);
  const auto [streamed, end] = StreamSummary(*harness_.text, request);
  EXPECT_EQ(streamed, response.text());
  EXPECT_EQ(end.usage().segments(), response.usage().segments());
  EXPECT_EQ(end.usage().input_tokens(), response.usage().input_tokens());
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, SummariesThatDoNotGetShorterAreJoined) {
  // The model repeats its whole source, so the second round is the last.
  const v1::SummarizeRequest request = LongSummary(40, /*max_new_tokens=*/95);
  v1::SummarizeResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(harness_.text->Summarize(&context, request, &response).ok());
  EXPECT_GT(response.usage().segments(), 2);
  EXPECT_GT(response.text().size(), 100u);
  EXPECT_EQ(StreamSummary(*harness_.text, request).first, response.text());
}

TEST_F(ServerTest, ALongSummaryIsCancelledInAnyRound) {
  for (int num_steps : {1, 5, 15, 25, 35}) {
    harness_.gate.Close(num_steps);
    grpc::ClientContext context;
    const auto reader =
        harness_.text->SummarizeStream(&context, LongSummary(200, 10));
    harness_.gate.AwaitEngine();
    context.TryCancel();
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
    harness_.gate.Open();
    EXPECT_EQ(harness_.WhatIsLeft(), "") << num_steps;
  }
}

TEST_F(ServerTest, ADeadlineHoldsForAllRoundsTogether) {
  harness_.gate.Close(/*num_steps=*/25);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(300));
  v1::SummarizeResponse response;
  EXPECT_EQ(harness_.text->Summarize(&context, LongSummary(200, 10), &response)
                .error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  harness_.gate.Open();
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, BeamsGiveTheSameTextAsAStreamAndAtOnce) {
  v1::TranslateRequest request =
      TranslateOf("One sentence here. And another one.\n\nA third.");
  request.mutable_decoding()->set_beam_size(4);
  request.mutable_decoding()->set_num_hypotheses(3);
  request.mutable_decoding()->set_max_new_tokens(20);
  v1::TranslateResponse response;
  ASSERT_TRUE(Translate(request, &response).ok());
  ASSERT_EQ(response.alternatives_size(), 3);
  EXPECT_EQ(response.alternatives(0).text(), response.text());
  EXPECT_NE(response.alternatives(1).text(), response.text());
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(response.alternatives(i).text(), HasSubstr("\n\n"));
  }
  EXPECT_GT(response.alternatives(0).score(), response.alternatives(1).score());
  EXPECT_GE(response.alternatives(1).score(), response.alternatives(2).score());
  grpc::ClientContext context;
  const auto reader = harness_.text->TranslateStream(&context, request);
  std::string joined;
  v1::TextChunk chunk;
  while (reader->Read(&chunk)) joined += chunk.text();
  ASSERT_TRUE(reader->Finish().ok());
  EXPECT_EQ(joined, response.text());
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, GenerateReturnsItsHypothesesBestFirst) {
  v1::GenerateRequest request = GenerateOf(ByteTokens("HELLO"));
  request.mutable_decoding()->set_beam_size(4);
  request.mutable_decoding()->set_num_hypotheses(4);
  v1::GenerateResponse response;
  ASSERT_TRUE(Generate(request, &response).ok());
  ASSERT_EQ(response.hypotheses_size(), 4);
  EXPECT_EQ(response.hypotheses(0).text(), "HELLO");
  for (int i = 1; i < 4; ++i) {
    EXPECT_LE(response.hypotheses(i).score(),
              response.hypotheses(i - 1).score());
    EXPECT_GT(response.hypotheses(i).tokens().ids_size(), 0);
  }
}

TEST_F(ServerTest, AStopSequenceEndsEveryHypothesisBeforeIt) {
  v1::GenerateRequest request = GenerateOf(ByteTokens("ONE TWO THREE"));
  request.mutable_decoding()->set_beam_size(3);
  request.mutable_decoding()->set_num_hypotheses(3);
  request.mutable_decoding()->add_stop(" T");
  v1::GenerateResponse response;
  ASSERT_TRUE(Generate(request, &response).ok());
  EXPECT_EQ(response.hypotheses(0).text(), "ONE");
  EXPECT_EQ(response.hypotheses(0).finish_reason(),
            v1::FINISH_REASON_STOP_SEQUENCE);
  for (const v1::Hypothesis& each : response.hypotheses()) {
    EXPECT_THAT(each.text(), Not(HasSubstr(" T")));
  }
}

// The model's endless text has a period of 26.
TEST_F(ServerTest, TheLoopGuardEndsAnEndlessTextAndIsCounted) {
  const double num_before = harness_.Gauge("loop_guard_stops_total");
  v1::GenerateRequest request = Endless(ServerHarness::kMaxNewTokens);
  request.mutable_decoding()->set_loop_guard(true);
  v1::GenerateResponse response;
  ASSERT_TRUE(Generate(request, &response).ok());
  EXPECT_EQ(response.hypotheses(0).finish_reason(),
            v1::FINISH_REASON_REPETITION);
  EXPECT_EQ(response.hypotheses(0).tokens().ids_size(), 4 * 26);
  EXPECT_EQ(harness_.Gauge("loop_guard_stops_total") - num_before, 1);
  EXPECT_EQ(harness_.Metric("sheaf_request_success_total{model=\"fake\","
                            "finished_reason=\"repetition\"}"),
            1);
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
  const double num_before = harness_.Gauge("generation_tokens_total");
  v1::GenerateRequest request = Endless(ServerHarness::kMaxNewTokens);
  request.mutable_decoding()->add_stop("XYZ");
  grpc::ClientContext context;
  const auto reader = harness_.text->GenerateStream(&context, request);
  std::string joined;
  int num_tokens = 0;
  v1::GenerateChunk chunk;
  while (reader->Read(&chunk)) {
    joined += chunk.text();
    num_tokens += chunk.tokens().ids_size();
  }
  ASSERT_TRUE(reader->Finish().ok());
  EXPECT_TRUE(joined.ends_with("W")) << joined;
  EXPECT_EQ(chunk.finish_reason(), v1::FINISH_REASON_STOP_SEQUENCE);
  EXPECT_EQ(num_tokens, static_cast<int>(joined.size()) + 3);
  // Ends at this token.
  EXPECT_EQ(harness_.Gauge("generation_tokens_total") - num_before, num_tokens);
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, ControlSymbolsInAUsersTextAreText) {
  for (const std::string text :
       {"</s>", "<extra_id_0>", "<pad></s>", "a</s>b"}) {
    // In greedy decoding the model repeats its source up to the first end
    // token. More tokens than the prompt's mean that the text's are there as
    // well.
    const auto greedy = [](const std::string& source) {
      v1::TranslateRequest request = TranslateOf(source);
      request.mutable_decoding()->set_beam_size(1);
      return request;
    };
    v1::TranslateResponse response, empty;
    ASSERT_TRUE(Translate(greedy(text), &response).ok());
    ASSERT_TRUE(Translate(greedy("x"), &empty).ok());
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
  EXPECT_EQ(list.server_version(), Version());
  ASSERT_EQ(list.models_size(), 1);
  EXPECT_EQ(list.models(0).name(), "fake");
  EXPECT_EQ(list.models(0).kv_capacity_bytes(), FakeModel::kNumBlocks * 1024);
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
  // HealthCheckRequest and its answer, written by hand. Field 1 is a string.
  EXPECT_TRUE(
      CallRaw(harness_.channel, "/grpc.health.v1.Health/Check", "").ok());
  EXPECT_TRUE(CallRaw(harness_.channel, "/grpc.health.v1.Health/Check",
                      "\x0a\x14sheaf.v1.TextService")
                  .ok());
  EXPECT_EQ(harness_.Metric(ok) - num_ok, 1);
  EXPECT_EQ(harness_.Metric(invalid) - num_invalid, 1);
  EXPECT_EQ(harness_.Metric(health) - num_health, 2);
  // A client that leaves is counted as well, unless the answer is finished
  // before the server notices.
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
