// SPDX-License-Identifier: Apache-2.0

// Requests that the server refuses, and of which nothing must be left.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "tests/server/server_fixture.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// The google.rpc.Status in the details of a status.
google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

// The field that the details name; empty if they name none.
std::string FieldOf(const grpc::Status& status) {
  const google::rpc::Status details = DetailsOf(status);
  google::rpc::BadRequest bad;
  if (details.details_size() != 1 || !details.details(0).UnpackTo(&bad) ||
      bad.field_violations_size() != 1) {
    return "";
  }
  EXPECT_EQ(details.code(), status.error_code());
  EXPECT_EQ(details.message(), status.error_message());
  EXPECT_EQ(bad.field_violations(0).description(), status.error_message());
  return bad.field_violations(0).field();
}

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
      {"beams", [](auto& r) { r.mutable_decoding()->set_beam_size(9); },
       StatusCode::INVALID_ARGUMENT,
       "decoding.beam_size is 9; this server allows 1..8"},
      {"beams that sample",
       [](auto& r) {
         r.mutable_decoding()->set_beam_size(4);
         r.mutable_decoding()->set_temperature(0.5f);
       },
       StatusCode::INVALID_ARGUMENT,
       "decoding.temperature is 0.5; with beam_size 4"},
      {"line breaks of a later version",
       [](auto& r) { r.set_line_breaks(static_cast<v1::LineBreaks>(-1)); },
       StatusCode::INVALID_ARGUMENT,
       "line_breaks is -1; this server allows 0..2"},
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
    if (c.code == StatusCode::UNIMPLEMENTED) continue;  // concerns two fields
    EXPECT_NE(FieldOf(status), "") << c.name;
    EXPECT_THAT(status.error_message(), StartsWith(FieldOf(status) + " "));
    EXPECT_EQ(harness_.WhatIsLeft(), "") << c.name;
  }
  EXPECT_EQ(harness_.Metric(unknown_model) - num_before, 1);
}

TEST_F(ServerTest, WhatDoesNotParseIsTheClientsError) {
  const std::string translate = "/sheaf.v1.TextService/Translate";
  // Field 2, text, is one byte that is not UTF-8.
  const grpc::Status not_utf8 =
      CallRaw(harness_.channel, translate, "\x12\x01\xff");
  EXPECT_EQ(not_utf8.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(not_utf8.error_message(), "text is not valid UTF-8");
  EXPECT_EQ(FieldOf(not_utf8), "text");
  // Field 5, decoding, has field 13, stop, with such a byte.
  const grpc::Status stop_is_not =
      CallRaw(harness_.channel, translate, "\x2a\x03\x6a\x01\xff");
  EXPECT_EQ(FieldOf(stop_is_not), "decoding.stop");
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

TEST_F(ServerTest, AnyBytesAreAnsweredWithTheClientsErrorOrAnAnswer) {
  constexpr int kCalls = 2000;
  const std::vector<std::string> methods = {
      "/sheaf.v1.TextService/Translate", "/sheaf.v1.TextService/Summarize",
      "/sheaf.v1.TextService/Generate", "/sheaf.v1.TextService/DetectLanguage",
      "/sheaf.v1.ModelService/GetModel"};
  v1::TranslateRequest translate =
      TranslateOf("Hello there. \xc3\xa4 and so on");
  translate.mutable_decoding()->set_max_new_tokens(20);
  translate.mutable_decoding()->set_top_p(0.5f);
  translate.mutable_decoding()->add_stop(".");
  translate.set_copy_target_language(true);
  v1::GenerateRequest generate = GenerateOf(ByteTokens("GO ON"));
  generate.mutable_decoding()->set_beam_size(2);
  generate.mutable_decoding()->mutable_target_prefix()->add_ids(40);
  v1::DetectLanguageRequest detect;
  detect.add_texts("Hello there. \xc3\xa4 and so on");
  detect.add_texts("Wohin gehen wir?");
  detect.set_target_language("de");
  const std::vector<std::string> valid = {translate.SerializeAsString(),
                                          generate.SerializeAsString(),
                                          detect.SerializeAsString()};
  std::mt19937 random(7);
  const auto below = [&](size_t n) { return random() % n; };
  std::vector<int> num_ended(17);
  for (int i = 0; i < kCalls; ++i) {
    std::string bytes = valid[below(valid.size())];
    const size_t num_spoilt = below(6);
    for (size_t k = 0; k < num_spoilt; ++k) {
      bytes[below(bytes.size())] = static_cast<char>(below(256));
    }
    if (below(10) == 0) bytes.resize(below(bytes.size()));
    const std::string& method = methods[below(methods.size())];
    ++num_ended[CallRaw(harness_.channel, method, bytes).error_code()];
  }
  EXPECT_GT(num_ended[grpc::StatusCode::OK], kCalls / 20);
  EXPECT_GT(num_ended[grpc::StatusCode::INVALID_ARGUMENT], kCalls / 20);
  for (grpc::StatusCode ours :
       {grpc::StatusCode::UNKNOWN, grpc::StatusCode::INTERNAL,
        grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::DATA_LOSS}) {
    EXPECT_EQ(num_ended[ours], 0) << ours;
  }
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(ServerTest, AnErrorRepeatsNoMoreThanTheBeginningOfAName) {
  v1::TranslateRequest request = TranslateOf("Hello there.");
  request.set_model(std::string(50'000, '"') + "\n\xc3\xa4");
  const grpc::Status status = Translate(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_LT(status.error_message().size(), 300);
}

TEST_F(ServerTest, AMessageFarOverTheLimitIsRefusedUnread) {
  const grpc::Status status =
      Translate(TranslateOf(std::string(16 << 20, 'a')));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

}  // namespace
}  // namespace sheaf
