// SPDX-License-Identifier: Apache-2.0

// DetectLanguage through a running server, whose model translates from English
// to German.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/server/server_fixture.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kGerman[] = "Wo möchten Sie heute hingehen?";
constexpr char kEnglish[] = "Where do you want to go today?";
constexpr char kFrench[] = "Où voulez-vous aller aujourd'hui ?";

v1::DetectLanguageRequest DetectOf(const std::vector<std::string>& texts) {
  v1::DetectLanguageRequest request;
  for (const std::string& text : texts) request.add_texts(text);
  return request;
}

class DetectLanguageTest : public ServerTest {
 protected:
  grpc::Status Detect(const v1::DetectLanguageRequest& request) {
    grpc::ClientContext context;
    response_.Clear();
    return harness_.text->DetectLanguage(&context, request, &response_);
  }

  // The best language of each text, "" for none.
  std::vector<std::string> Best() const {
    std::vector<std::string> best;
    for (const v1::DetectedLanguages& result : response_.results()) {
      best.push_back(
          result.languages().empty() ? "" : result.languages(0).language());
    }
    return best;
  }

  double Detections(const std::string& result) {
    return harness_.Metric(
        "sheaf_language_detections_total{model=\"fake\",result=\"" + result +
        "\"}");
  }

  v1::DetectLanguageResponse response_;
};

TEST_F(DetectLanguageTest, EachTextHasItsLanguages) {
  const std::vector<double> before = {
      Detections("certain"), Detections("uncertain"), Detections("unknown")};
  ASSERT_TRUE(
      Detect(DetectOf({kGerman, "", "12:30", kFrench, "OK", "这是一个测试。"}))
          .ok());
  EXPECT_EQ(response_.model(), "fake");
  ASSERT_EQ(response_.results_size(), 6);
  EXPECT_GT(response_.results(0).languages(0).confidence(), 0.9);
  EXPECT_LE(response_.results(4).languages(0).confidence(), 0.5);
  std::vector<std::string> best = Best();
  best.erase(best.begin() + 4);  // "OK" may be in any
  EXPECT_THAT(best, ElementsAre("de", "", "", "fr", "zh-Hans"));
  EXPECT_EQ(Detections("certain") - before[0], 3);
  EXPECT_EQ(Detections("uncertain") - before[1], 1);
  EXPECT_EQ(Detections("unknown") - before[2], 2);
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(DetectLanguageTest, WithATargetOnlyTheModelsSourcesCount) {
  v1::DetectLanguageRequest request =
      DetectOf({kEnglish, kGerman, "12:30", "", "这是一个测试。"});
  request.set_target_language("de");
  ASSERT_TRUE(Detect(request).ok());
  EXPECT_THAT(Best(), ElementsAre("en", "en", "en", "en", "en"));
  EXPECT_GT(response_.results(0).languages(0).confidence(), 0.9);
  for (int i : {1, 2, 3, 4}) {
    EXPECT_EQ(response_.results(i).languages(0).confidence(), 0) << i;
  }
}

TEST_F(DetectLanguageTest, ALongTextIsReadToItsEnd) {
  std::string text;
  while (text.size() < ServerHarness::kMaxTextBytes / 2) text += kGerman;
  while (text.size() < ServerHarness::kMaxTextBytes - 100) text += kFrench;
  ASSERT_TRUE(Detect(DetectOf({text})).ok());
  ASSERT_EQ(response_.results(0).languages_size(), 2);
  for (const v1::DetectedLanguage& each : response_.results(0).languages()) {
    EXPECT_NEAR(each.confidence(), 0.5, 0.1) << each.language();
  }
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(DetectLanguageTest, BadRequestsAreRefusedByNameAndCounted) {
  const std::string rejected =
      "sheaf_requests_rejected_total{model=\"fake\","
      "reason=\"invalid_argument\"}";
  const double num_before = harness_.Metric(rejected);
  using grpc::StatusCode;
  const auto expect_refused = [&](const v1::DetectLanguageRequest& request,
                                  StatusCode code, const std::string& message) {
    const grpc::Status status = Detect(request);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(message));
  };
  expect_refused(DetectOf({}), StatusCode::INVALID_ARGUMENT,
                 "texts has 0 texts; this server allows 1..1000");
  expect_refused(DetectOf(std::vector<std::string>(1001, "a")),
                 StatusCode::INVALID_ARGUMENT, "texts has 1001 texts");
  expect_refused(DetectOf({std::string(60'000, 'a'), std::string(60'000, 'a')}),
                 StatusCode::INVALID_ARGUMENT,
                 "texts has 120000 bytes; this server allows 0..100000");
  v1::DetectLanguageRequest request = DetectOf({kEnglish});
  request.set_target_language("klingon");
  expect_refused(request, StatusCode::INVALID_ARGUMENT,
                 "target_language is \"klingon\"");
  EXPECT_EQ(harness_.Metric(rejected) - num_before, 4);
  request.set_target_language("fr");
  expect_refused(request, StatusCode::UNIMPLEMENTED,
                 "does not translate to \"fr\"");
  request.clear_target_language();
  request.set_model("t5-huge");
  expect_refused(request, StatusCode::NOT_FOUND, "model is \"t5-huge\"");
  // Field 2, texts, has one byte that is not UTF-8.
  const grpc::Status not_utf8 = CallRaw(
      harness_.channel, "/sheaf.v1.TextService/DetectLanguage", "\x12\x01\xff");
  EXPECT_EQ(not_utf8.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(not_utf8.error_message(), "texts is not valid UTF-8");
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

TEST_F(DetectLanguageTest, TheMostTextsAreAnswered) {
  ASSERT_TRUE(Detect(DetectOf(std::vector<std::string>(1000, kGerman))).ok());
  EXPECT_EQ(response_.results_size(), 1000);
}

TEST_F(DetectLanguageTest, ATranslationFromTheOnlySourceDetectsNothing) {
  v1::TranslateRequest request = TranslateOf(kGerman);
  request.set_source_language("auto");
  v1::TranslateResponse response;
  ASSERT_TRUE(Translate(request, &response).ok());
  EXPECT_FALSE(response.has_detected_language());
}

TEST_F(DetectLanguageTest, SentencesOfTheTargetAreCopiedOnRequestOnly) {
  const std::string copied =
      "sheaf_segments_copied_total{model=\"fake\",reason=\"target_language\"}";
  const double num_before = harness_.Metric(copied);
  const std::string text = std::string(kEnglish) + " " + kGerman + "\n19:30\n" +
                           kGerman + "\n" + kEnglish;
  v1::TranslateRequest request = TranslateOf(text);
  v1::TranslateResponse response;
  ASSERT_TRUE(Translate(request, &response).ok());
  EXPECT_EQ(response.usage().segments(), 4);
  EXPECT_EQ(harness_.Metric(copied) - num_before, 0);
  request.set_copy_target_language(true);
  ASSERT_TRUE(Translate(request, &response).ok());
  EXPECT_EQ(response.usage().segments(), 2);
  EXPECT_THAT(response.text(), HasSubstr(std::string(" ") + kGerman +
                                         "\n19:30\n" + kGerman + "\n"));
  EXPECT_EQ(harness_.Metric(copied) - num_before, 2);
  // A text of the target only.
  request.set_text(kGerman);
  ASSERT_TRUE(Translate(request, &response).ok());
  EXPECT_EQ(response.text(), kGerman);
  EXPECT_EQ(response.usage().segments(), 0);
}

}  // namespace
}  // namespace sheaf
