// SPDX-License-Identifier: Apache-2.0

// The Open Inference Protocol through a server in this process.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "inference/grpc_service.grpc.pb.h"
#include "server/batch_exchange.h"
#include "server/grpc/infer_response.h"
#include "server/grpc/tensors.h"
#include "tests/server/grpc/inference_requests.h"
#include "tests/server/server_fixture.h"

namespace sheaf {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InferenceServiceTest : public ServerTest {
 protected:
  InferenceServiceTest()
      : stub_(inference::GRPCInferenceService::NewStub(harness_.channel)) {}

  grpc::Status Infer(const ModelInferRequest& request) {
    grpc::ClientContext context;
    return stub_->ModelInfer(&context, request, &response_);
  }
  // The refusal of a request. Its details name the field.
  std::string Refusal(const ModelInferRequest& request,
                      const std::string& field,
                      grpc::StatusCode code = grpc::INVALID_ARGUMENT) {
    const grpc::Status status = Infer(request);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    google::rpc::Status details;
    google::rpc::BadRequest bad;
    EXPECT_TRUE(details.ParseFromString(status.error_details()));
    EXPECT_TRUE(details.details_size() > 0 && details.details(0).UnpackTo(&bad))
        << status.error_message();
    if (bad.field_violations_size() > 0) {
      EXPECT_EQ(bad.field_violations(0).field(), field);
    }
    return status.error_message();
  }
  static std::vector<std::string> Bytes(
      const ModelInferResponse::InferOutputTensor& output) {
    EXPECT_EQ(output.datatype(), "BYTES");
    const auto& bytes = output.contents().bytes_contents();
    return {bytes.begin(), bytes.end()};
  }
  // What the method Translate answers to the same text.
  std::string Expected(const std::string& text) {
    v1::TranslateResponse response;
    EXPECT_TRUE(Translate(TranslateOf(text), &response).ok());
    return response.text();
  }

  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
  ModelInferResponse response_;
};

TEST_F(InferenceServiceTest, ABatchIsTranslatedInItsOrder) {
  ModelInferRequest request = TranslationOf({"HELLO", "WORLD. AGAIN", "  "});
  request.set_id("my id");
  ASSERT_TRUE(Infer(request).ok());
  EXPECT_EQ(response_.id(), "my id");
  EXPECT_EQ(response_.model_name(), "fake");
  EXPECT_EQ(response_.model_version(), "1");
  ASSERT_EQ(response_.outputs_size(), 4);
  EXPECT_EQ(response_.raw_output_contents_size(), 0);
  EXPECT_EQ(response_.outputs(0).name(), "text");
  EXPECT_THAT(response_.outputs(0).shape(), ElementsAre(3));
  EXPECT_THAT(Bytes(response_.outputs(0)),
              ElementsAre(Expected("HELLO"), Expected("WORLD. AGAIN"), "  "));
  EXPECT_EQ(response_.outputs(1).name(), "finish_reason");
  EXPECT_THAT(Bytes(response_.outputs(1)), ElementsAre("EOS", "EOS", "EOS"));
  EXPECT_EQ(response_.outputs(2).name(), "score");
  EXPECT_EQ(response_.outputs(2).datatype(), "FP32");
  EXPECT_EQ(response_.outputs(2).contents().fp32_contents_size(), 3);
  EXPECT_EQ(response_.outputs(3).name(), "detected_language");
  EXPECT_THAT(Bytes(response_.outputs(3)), ElementsAre("", "", ""));
}

TEST_F(InferenceServiceTest, RawContentsAreAnsweredWithRawContents) {
  ModelInferRequest request = TranslationOf({"HELLO", "WORLD"});
  ASSERT_TRUE(Infer(request).ok());
  const ModelInferResponse expected = response_;
  ASSERT_TRUE(Infer(Raw(request)).ok());
  ASSERT_EQ(response_.raw_output_contents_size(), 4);
  EXPECT_FALSE(response_.outputs(0).has_contents());
  EXPECT_EQ(response_.raw_output_contents(0),
            ToRaw(Bytes(expected.outputs(0))));
  const auto& scores = expected.outputs(2).contents().fp32_contents();
  EXPECT_EQ(response_.raw_output_contents(2),
            ToRaw(std::vector<float>(scores.begin(), scores.end())));
}

TEST_F(InferenceServiceTest, OutputsHaveTheShapeOfTheTexts) {
  ModelInferRequest request = TranslationOf({"HELLO", "WORLD"});
  request.mutable_inputs(0)->add_shape(1);
  ASSERT_TRUE(Infer(request).ok());
  for (const auto& output : response_.outputs()) {
    EXPECT_THAT(output.shape(), ElementsAre(2, 1));
  }
}

TEST_F(InferenceServiceTest, OnlyTheOutputsThatAreAskedForAreReturned) {
  ModelInferRequest request = TranslationOf({"HELLO"});
  request.add_outputs()->set_name("score");
  request.add_outputs()->set_name("text");
  ASSERT_TRUE(Infer(request).ok());
  ASSERT_EQ(response_.outputs_size(), 2);
  EXPECT_EQ(response_.outputs(0).name(), "score");
  EXPECT_EQ(response_.outputs(1).name(), "text");
}

TEST_F(InferenceServiceTest, EachTextMayHaveItsOwnLanguages) {
  ModelInferRequest request;
  AddInput("text", {"HELLO", "WORLD"}, &request);
  AddInput("source_language", {"en", "auto"}, &request);
  AddInput("target_language", {"de", "de-AT"}, &request);
  ASSERT_TRUE(Infer(request).ok());
  request.mutable_inputs(2)->mutable_contents()->set_bytes_contents(1, "xx");
  EXPECT_THAT(Refusal(request, "target_language"),
              AllOf(HasSubstr("element 1: "), HasSubstr("xx")));
}

TEST(InferResponseTest, TheLanguageThatWasDetectedIsReturned) {
  TextAnswer answer;
  answer.summary.detected = {{{"fr", 0.5f}}};
  const ModelInferResponse response =
      MakeInferResponse({.outputs = {"detected_language"}, .shape = {2, 1}},
                        {answer, TextAnswer()});
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 1));
  EXPECT_THAT(response.outputs(0).contents().bytes_contents(),
              ElementsAre("fr", ""));
}

TEST_F(InferenceServiceTest, SeveralHypothesesAreASecondDimension) {
  ModelInferRequest request = TranslationOf({"HELLO", " "});
  (*request.mutable_parameters())["beam_size"].set_int64_param(2);
  (*request.mutable_parameters())["num_hypotheses"].set_int64_param(2);
  ASSERT_TRUE(Infer(request).ok());
  v1::TranslateRequest same = TranslateOf("HELLO");
  same.mutable_decoding()->set_beam_size(2);
  same.mutable_decoding()->set_num_hypotheses(2);
  v1::TranslateResponse expected;
  ASSERT_TRUE(Translate(same, &expected).ok());
  ASSERT_EQ(expected.alternatives_size(), 2);
  EXPECT_THAT(response_.outputs(0).shape(), ElementsAre(2, 2));
  EXPECT_THAT(
      Bytes(response_.outputs(0)),
      ElementsAre(expected.text(), expected.alternatives(1).text(), " ", ""));
  const auto& scores = response_.outputs(2).contents().fp32_contents();
  EXPECT_EQ(scores[1], expected.alternatives(1).score());
  EXPECT_EQ(scores[3], -std::numeric_limits<float>::infinity());
  EXPECT_THAT(Bytes(response_.outputs(1)),
              ElementsAre("EOS", "EOS", "EOS", ""));
  EXPECT_THAT(response_.outputs(3).shape(), ElementsAre(2));
}

TEST_F(InferenceServiceTest, AParameterChoosesTheTask) {
  ModelInferRequest request;
  AddInput("text", {"HELLO"}, &request);
  (*request.mutable_parameters())["task"].set_string_param("generate");
  (*request.mutable_parameters())["max_new_tokens"].set_int64_param(2);
  ASSERT_TRUE(Infer(request).ok());
  EXPECT_EQ(response_.outputs_size(), 3);
  EXPECT_THAT(Bytes(response_.outputs(1)), ElementsAre("LENGTH"));
  AddInput("target_language", {"de"}, &request);
  EXPECT_THAT(Refusal(request, "inputs[1].name"),
              HasSubstr("\"target_language\"; the task has the inputs text"));
  (*request.mutable_parameters())["task"].set_string_param("sing");
  EXPECT_THAT(Refusal(request, "parameters[\"task\"]"),
              HasSubstr("\"sing\"; this server allows translate, summarize, "
                        "generate"));
}

TEST_F(InferenceServiceTest, ErrorsOfTheReaderKeepTheirField) {
  ModelInferRequest request = TranslationOf({"HELLO"});
  (*request.mutable_parameters())["max_new_tokens"].set_int64_param(9000);
  EXPECT_THAT(Refusal(request, "decoding.max_new_tokens"),
              HasSubstr("is 9000; this server allows 1..200"));
  request = TranslationOf({"HELLO", ""});
  EXPECT_THAT(Refusal(request, "text"), HasSubstr("element 1: text is empty"));
}

TEST_F(InferenceServiceTest, AnotherModelOrVersionIsNotFound) {
  ModelInferRequest request = TranslationOf({"HELLO"});
  request.set_model_name("other");
  EXPECT_THAT(Refusal(request, "model_name", grpc::NOT_FOUND),
              HasSubstr("is \"other\"; this server serves \"fake\""));
  request.set_model_name("");
  request.set_model_version("2");
  EXPECT_THAT(Refusal(request, "model_version", grpc::NOT_FOUND),
              HasSubstr("is \"2\""));
}

TEST_F(InferenceServiceTest, ShapesThatAreNotThatOfABatchAreRefused) {
  const std::vector<std::vector<int64_t>> shapes = {
      {}, {0}, {-1}, {1, 2}, {1, 1, 1}, {1, 0}, {1, -1}, {int64_t{1} << 62, 1}};
  for (const std::vector<int64_t>& shape : shapes) {
    ModelInferRequest request = TranslationOf({"HELLO"});
    request.mutable_inputs(0)->mutable_shape()->Assign(shape.begin(),
                                                       shape.end());
    for (const ModelInferRequest& each : {request, Raw(request)}) {
      const grpc::Status status = Infer(each);
      EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
      EXPECT_THAT(status.error_message(), HasSubstr("shape"));
    }
  }
  ModelInferRequest request = TranslationOf({"HELLO"});
  request.mutable_inputs(0)->set_shape(0, 2);
  EXPECT_THAT(Refusal(request, "inputs[0].contents.bytes_contents"),
              HasSubstr("has 1 elements; the shape [2] has 2"));
  EXPECT_THAT(Refusal(Raw(request), "raw_input_contents[0]"),
              HasSubstr("before element 1 of 2"));
  request = TranslationOf(std::vector<std::string>(kMaxInferTexts + 1, "A"));
  EXPECT_THAT(Refusal(request, "inputs[0].shape"),
              HasSubstr("is [257]; this server allows [N] or [N, 1] with N in "
                        "1..256"));
}

TEST_F(InferenceServiceTest, TensorsThatAreNotRightAreRefusedByName) {
  ModelInferRequest request = TranslationOf({"HELLO"});
  request.mutable_inputs(1)->set_datatype("INT64");
  EXPECT_THAT(Refusal(request, "inputs[1].datatype"),
              HasSubstr("is \"INT64\"; the tensor \"source_language\" has "
                        "BYTES"));
  request = TranslationOf({"HELLO"});
  (*request.mutable_inputs(0)->mutable_parameters())["shared_memory_region"]
      .set_string_param("x");
  EXPECT_THAT(Refusal(request, "inputs[0].parameters"),
              HasSubstr("\"shared_memory_region\""));
  request = TranslationOf({"HELLO"});
  request.mutable_inputs(0)->mutable_contents()->add_int_contents(1);
  EXPECT_THAT(Refusal(request, "inputs[0].contents"),
              HasSubstr("other types than BYTES"));
  request = TranslationOf({"HELLO"});
  AddInput("text", {"A"}, &request);
  EXPECT_THAT(Refusal(request, "inputs[3].name"), HasSubstr("\"text\""));
  request = TranslationOf({"HELLO", "B\xff"});
  EXPECT_THAT(Refusal(request, "text"), HasSubstr("element 1"));
  request = TranslationOf({"A", "B", "C"});
  AddInput("x", {}, &request);
  EXPECT_THAT(Refusal(request, "inputs[3].name"), HasSubstr("is \"x\""));
  request = TranslationOf({"A", "B", "C"});
  request.mutable_inputs()->DeleteSubrange(0, 1);
  EXPECT_THAT(Refusal(request, "inputs"), HasSubstr("no tensor \"text\""));
  request = TranslationOf({"A", "B", "C"});
  request.mutable_inputs(1)->set_shape(0, 2);
  request.mutable_inputs(1)->mutable_contents()->add_bytes_contents("en");
  EXPECT_THAT(Refusal(request, "source_language"),
              HasSubstr("has 2 elements; 3 texts allow 1 or 3"));
}

TEST_F(InferenceServiceTest, RawContentsThatAreNotRightAreRefusedByName) {
  ModelInferRequest request = Raw(TranslationOf({"HELLO"}));
  request.mutable_raw_input_contents()->RemoveLast();
  EXPECT_THAT(Refusal(request, "raw_input_contents"),
              HasSubstr("has 2 elements; 3 inputs need as many"));
  request = Raw(TranslationOf({"HELLO"}));
  request.mutable_inputs(2)->mutable_contents()->add_bytes_contents("de");
  EXPECT_THAT(Refusal(request, "inputs[2].contents"), HasSubstr("is set"));
  request = Raw(TranslationOf({"HELLO"}));
  request.set_raw_input_contents(0, std::string("\xff\xff\xff\xff"
                                                "A"));
  EXPECT_THAT(Refusal(request, "raw_input_contents[0]"),
              HasSubstr("element 0 has the length 4294967295"));
}

TEST_F(InferenceServiceTest, OutputsThatAreNotRightAreRefusedByName) {
  ModelInferRequest request = TranslationOf({"HELLO"});
  request.add_outputs()->set_name("logits");
  EXPECT_THAT(Refusal(request, "outputs[0].name"),
              HasSubstr("is \"logits\"; the task has the outputs text"));
  request.mutable_outputs(0)->set_name("text");
  request.add_outputs()->set_name("text");
  EXPECT_THAT(Refusal(request, "outputs[1].name"), HasSubstr("before it"));
  request.mutable_outputs()->RemoveLast();
  (*request.mutable_outputs(0)->mutable_parameters())["classification"]
      .set_int64_param(1);
  EXPECT_THAT(Refusal(request, "outputs[0].parameters"),
              HasSubstr("\"classification\""));
}

TEST_F(InferenceServiceTest, BytesThatAreNoMessageAreRefused) {
  const std::string bytes = TranslationOf({"HELLO"}).SerializeAsString();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const grpc::Status status =
        CallRaw(harness_.channel, "/inference.GRPCInferenceService/ModelInfer",
                bytes.substr(0, size));
    EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT) << size;
  }
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(InferenceServiceTest, ADeadlineEndsTheWholeBatch) {
  harness_.gate.Close();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(50));
  const grpc::Status status =
      stub_->ModelInfer(&context, TranslationOf({"A", "B", "C"}), &response_);
  EXPECT_EQ(status.error_code(), grpc::DEADLINE_EXCEEDED);
  harness_.gate.Open();
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(InferenceServiceTest, MetadataDescribesServerAndModel) {
  grpc::ClientContext context, model_context, other_context;
  inference::ServerMetadataResponse server;
  ASSERT_TRUE(stub_->ServerMetadata(&context, {}, &server).ok());
  EXPECT_EQ(server.name(), "sheaf");
  inference::ModelMetadataRequest request;
  request.set_name("fake");
  inference::ModelMetadataResponse model;
  ASSERT_TRUE(stub_->ModelMetadata(&model_context, request, &model).ok());
  EXPECT_THAT(model.versions(), ElementsAre("1"));
  ASSERT_EQ(model.inputs_size(), 3);
  EXPECT_EQ(model.inputs(0).name(), "text");
  EXPECT_EQ(model.inputs(0).datatype(), "BYTES");
  EXPECT_THAT(model.inputs(0).shape(), ElementsAre(-1));
  ASSERT_EQ(model.outputs_size(), 4);
  request.set_name("other");
  EXPECT_EQ(stub_->ModelMetadata(&other_context, request, &model).error_code(),
            grpc::NOT_FOUND);
}

class ReadinessTest : public testing::Test {
 protected:
  bool IsLive() {
    grpc::ClientContext context;
    inference::ServerLiveResponse response;
    EXPECT_TRUE(stub_->ServerLive(&context, {}, &response).ok());
    return response.live();
  }
  bool IsReady() {
    grpc::ClientContext context;
    inference::ServerReadyResponse response;
    EXPECT_TRUE(stub_->ServerReady(&context, {}, &response).ok());
    return response.ready();
  }
  bool IsModelReady(const std::string& name, const std::string& version = "") {
    grpc::ClientContext context;
    inference::ModelReadyRequest request;
    request.set_name(name);
    request.set_version(version);
    inference::ModelReadyResponse response;
    EXPECT_TRUE(stub_->ModelReady(&context, request, &response).ok());
    return response.ready();
  }

  ServerHarness harness_{/*max_sequences=*/8, /*max_queue=*/32,
                         /*stuck_after=*/absl::Milliseconds(50)};
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_ =
      inference::GRPCInferenceService::NewStub(harness_.channel);
};

TEST_F(ReadinessTest, AServerIsLiveUntilItIsStuck) {
  EXPECT_TRUE(IsLive());
  EXPECT_TRUE(IsReady());
  harness_.gate.Close();
  grpc::ClientContext context;
  const v1::GenerateRequest request = Endless(10);
  const auto stream = harness_.text->GenerateStream(&context, request);
  while (IsLive()) {
  }
  EXPECT_TRUE(IsReady());
  harness_.gate.Open();
  while (!IsLive()) {
  }
}

TEST_F(ReadinessTest, OnlyTheServedModelIsReady) {
  EXPECT_TRUE(IsModelReady("fake"));
  EXPECT_TRUE(IsModelReady("fake", "1"));
  EXPECT_FALSE(IsModelReady("fake", "2"));
  EXPECT_FALSE(IsModelReady("other"));
}

}  // namespace
}  // namespace sheaf
