// SPDX-License-Identifier: Apache-2.0

// ModelStreamInfer through a server in this process.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "inference/grpc_service.grpc.pb.h"
#include "tests/server/grpc/inference_requests.h"
#include "tests/server/server_fixture.h"

namespace sheaf {
namespace {

using inference::ModelInferRequest;
using inference::ModelStreamInferResponse;
using ::testing::HasSubstr;

bool IsFinal(const ModelStreamInferResponse& response) {
  return response.infer_response()
      .parameters()
      .at("triton_final_response")
      .bool_param();
}

// A stream of a client.
class ClientStream {
 public:
  explicit ClientStream(inference::GRPCInferenceService::Stub& stub)
      : stream_(stub.ModelStreamInfer(&context_)) {}

  bool Write(const ModelInferRequest& request) {
    return stream_->Write(request);
  }
  bool Read(ModelStreamInferResponse* response) {
    return stream_->Read(response);
  }
  // The responses to a request.
  std::vector<ModelStreamInferResponse> Ask(const ModelInferRequest& request) {
    EXPECT_TRUE(Write(request));
    std::vector<ModelStreamInferResponse> responses;
    do {
      responses.emplace_back();
      if (!Read(&responses.back())) {
        ADD_FAILURE() << "the stream has ended";
        break;
      }
    } while (!IsFinal(responses.back()));
    return responses;
  }
  // The code with which the stream ends after the client's last request.
  grpc::StatusCode End() {
    stream_->WritesDone();
    ModelStreamInferResponse response;
    EXPECT_FALSE(Read(&response));
    return stream_->Finish().error_code();
  }
  grpc::Status Leave() {
    context_.TryCancel();
    return stream_->Finish();
  }
  grpc::Status Finish() { return stream_->Finish(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<
      grpc::ClientReaderWriter<ModelInferRequest, ModelStreamInferResponse>>
      stream_;
};

std::string JoinedText(const std::vector<ModelStreamInferResponse>& responses) {
  std::string text;
  for (const ModelStreamInferResponse& response : responses) {
    EXPECT_EQ(response.error_message(), "");
    const auto& output = response.infer_response().outputs(0);
    EXPECT_EQ(output.name(), "text");
    text += output.contents().bytes_contents(0);
  }
  return text;
}

class InferStreamTest : public ServerTest {
 protected:
  std::string Expected(const std::string& text) {
    v1::TranslateResponse response;
    EXPECT_TRUE(Translate(TranslateOf(text), &response).ok());
    return response.text();
  }

  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_ =
      inference::GRPCInferenceService::NewStub(harness_.channel);
};

TEST_F(InferStreamTest, TheTextComesInPartsAndTheRestWithTheLast) {
  ModelInferRequest request;
  AddInput("text", {"HELLO WORLD"}, &request);
  (*request.mutable_parameters())["task"].set_string_param("generate");
  (*request.mutable_parameters())["beam_size"].set_int64_param(1);
  grpc::ClientContext context;
  inference::ModelInferResponse whole;
  ASSERT_TRUE(stub_->ModelInfer(&context, request, &whole).ok());
  harness_.gate.Close(/*num_steps=*/2);
  ClientStream stream(*stub_);
  request.set_id("my id");
  ASSERT_TRUE(stream.Write(request));
  std::vector<ModelStreamInferResponse> responses(1);
  ASSERT_TRUE(stream.Read(&responses[0]));
  EXPECT_FALSE(IsFinal(responses[0]));
  EXPECT_EQ(responses[0].infer_response().id(), "my id");
  EXPECT_EQ(responses[0].infer_response().outputs_size(), 1);
  harness_.gate.Open();
  while (!IsFinal(responses.back())) {
    responses.emplace_back();
    ASSERT_TRUE(stream.Read(&responses.back()));
  }
  EXPECT_EQ(JoinedText(responses),
            whole.outputs(0).contents().bytes_contents(0));
  const auto& last = responses.back().infer_response();
  ASSERT_EQ(last.outputs_size(), 3);
  EXPECT_EQ(last.outputs(1).contents().bytes_contents(0), "EOS");
  EXPECT_EQ(stream.End(), grpc::StatusCode::OK);
}

TEST_F(InferStreamTest, RequestsAreAnsweredOneAfterAnother) {
  ClientStream stream(*stub_);
  ASSERT_TRUE(stream.Write(TranslationOf({"FIRST"})));
  ASSERT_TRUE(stream.Write(TranslationOf({"SECOND"})));
  std::vector<ModelStreamInferResponse> first, second;
  for (auto* responses : {&first, &second}) {
    do {
      responses->emplace_back();
      ASSERT_TRUE(stream.Read(&responses->back()));
    } while (!IsFinal(responses->back()));
  }
  EXPECT_EQ(JoinedText(first), Expected("FIRST"));
  EXPECT_EQ(JoinedText(second), Expected("SECOND"));
  EXPECT_EQ(stream.End(), grpc::StatusCode::OK);
}

TEST_F(InferStreamTest, AnErrorOfARequestDoesNotEndTheStream) {
  ClientStream stream(*stub_);
  const auto refusal = [&](const ModelInferRequest& request) {
    const auto responses = stream.Ask(request);
    EXPECT_EQ(responses.size(), 1u);
    EXPECT_EQ(responses[0].infer_response().id(), request.id());
    return responses[0].error_message();
  };
  ModelInferRequest request = TranslationOf({""});
  request.set_id("7");
  EXPECT_EQ(refusal(request), "text is empty");
  EXPECT_THAT(refusal(TranslationOf({"A", "B"})),
              HasSubstr("text has 2 elements; a stream allows 1 per request"));
  request = TranslationOf({"A"});
  (*request.mutable_parameters())["num_hypotheses"].set_int64_param(2);
  EXPECT_THAT(refusal(request), HasSubstr("is 2; a stream allows 1"));
  request = TranslationOf({"A"});
  request.set_model_name("other");
  EXPECT_THAT(refusal(request), HasSubstr("model_name is \"other\""));
  EXPECT_EQ(JoinedText(stream.Ask(TranslationOf({"AGAIN"}))),
            Expected("AGAIN"));
  EXPECT_EQ(stream.End(), grpc::StatusCode::OK);
}

TEST_F(InferStreamTest, TritonsParameterIsTakenByStreamsOnly) {
  ModelInferRequest request = TranslationOf({"HELLO"});
  auto& parameter =
      (*request.mutable_parameters())["triton_enable_empty_final_response"];
  parameter.set_bool_param(true);
  ClientStream stream(*stub_);
  EXPECT_EQ(JoinedText(stream.Ask(request)), Expected("HELLO"));
  parameter.set_int64_param(1);
  EXPECT_THAT(stream.Ask(request)[0].error_message(), HasSubstr("a bool"));
  parameter.set_bool_param(true);
  grpc::ClientContext context;
  inference::ModelInferResponse response;
  EXPECT_EQ(stub_->ModelInfer(&context, request, &response).error_code(),
            grpc::INVALID_ARGUMENT);
}

TEST_F(InferStreamTest, WithoutTextAmongTheOutputsThereIsOneResponse) {
  ModelInferRequest request = Raw(TranslationOf({"HELLO WORLD"}));
  request.add_outputs()->set_name("finish_reason");
  ClientStream stream(*stub_);
  const auto responses = stream.Ask(request);
  ASSERT_EQ(responses.size(), 1u);
  EXPECT_EQ(responses[0].infer_response().raw_output_contents(0),
            ToRaw(std::vector<std::string>{"EOS"}));
}

TEST_F(InferStreamTest, AStreamWithoutRequestsEndsWell) {
  ClientStream stream(*stub_);
  EXPECT_EQ(stream.End(), grpc::StatusCode::OK);
}

TEST_F(InferStreamTest, AClientMayLeaveAtAnyTime) {
  for (int num_steps = 0; num_steps < 12; ++num_steps) {
    ClientStream stream(*stub_);
    harness_.gate.Close(num_steps);
    stream.Write(TranslationOf({"HELLO WORLD"}));
    EXPECT_EQ(stream.Leave().error_code(), grpc::CANCELLED);
    harness_.gate.Open();
    ClientStream reading(*stub_);
    ModelStreamInferResponse response;
    reading.Write(TranslationOf({"HELLO WORLD"}));
    EXPECT_TRUE(reading.Read(&response));
    reading.Leave();
  }
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

// Each has had an answer, and waits for its next request.
TEST_F(InferStreamTest, StreamsThatWaitDoNotDelayOtherCalls) {
  std::vector<std::unique_ptr<ClientStream>> streams;
  for (int i = 0; i < 15; ++i) {
    streams.push_back(std::make_unique<ClientStream>(*stub_));
    streams.back()->Ask(TranslationOf({"HELLO"}));
  }
  EXPECT_EQ(Expected("OK"), Expected("OK"));
  for (const auto& stream : streams) {
    EXPECT_EQ(JoinedText(stream->Ask(TranslationOf({"AGAIN"}))),
              Expected("AGAIN"));
    EXPECT_EQ(stream->End(), grpc::StatusCode::OK);
  }
}

TEST(InferStreamLimitsTest, AStreamThatWaitsCountsForItsCaller) {
  ServerHarness harness(
      /*max_sequences=*/8, /*max_queue=*/32,
      /*stuck_after=*/absl::Seconds(30), /*log=*/nullptr,
      [](ServerOptions& options) { options.max_requests_per_caller = 1; });
  const auto stub = inference::GRPCInferenceService::NewStub(harness.channel);
  ClientStream stream(*stub);
  EXPECT_EQ(JoinedText(stream.Ask(TranslationOf({" "}))), " ");
  ModelInferRequest greedy = TranslationOf({"A"});
  (*greedy.mutable_parameters())["beam_size"].set_int64_param(1);
  grpc::ClientContext context;
  inference::ModelInferResponse response;
  EXPECT_EQ(stub->ModelInfer(&context, greedy, &response).error_code(),
            grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(stream.End(), grpc::StatusCode::OK);
  grpc::ClientContext next;
  const grpc::Status status = stub->ModelInfer(&next, greedy, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST(InferStreamLimitsTest, AStreamThatSendsNothingEnds) {
  ServerHarness harness(
      /*max_sequences=*/8, /*max_queue=*/32,
      /*stuck_after=*/absl::Seconds(30), /*log=*/nullptr,
      [](ServerOptions& options) {
        options.message_timeout = absl::Milliseconds(50);
      });
  const auto stub = inference::GRPCInferenceService::NewStub(harness.channel);
  ClientStream stream(*stub);
  stream.Ask(TranslationOf({"HELLO"}));
  EXPECT_THAT(stream.Finish().error_message(), HasSubstr("--message_timeout"));
}

TEST(InferStreamLimitsTest, AStreamThatWaitsEndsWhenTheServerDrains) {
  ServerHarness harness;
  const auto stub = inference::GRPCInferenceService::NewStub(harness.channel);
  ClientStream stream(*stub);
  stream.Ask(TranslationOf({"HELLO"}));
  harness.server->Drain(absl::Seconds(5));
  EXPECT_EQ(stream.Finish().error_code(), grpc::UNAVAILABLE);
}

}  // namespace
}  // namespace sheaf
