// SPDX-License-Identifier: Apache-2.0

// Long texts: the time that reading takes, and how it is given up.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "tests/server/request_reader_fixture.h"

namespace sheaf {
namespace {

ServedModel SmallModel(int32_t max_source_tokens) {
  ServedModel model = LoadModel(SmallTokenizer());
  model.max_source_tokens = max_source_tokens;
  return model;
}

std::string Repeat(const std::string& unit, size_t bytes) {
  std::string text;
  while (text.size() + unit.size() <= bytes) text += unit;
  return text;
}

v1::SummarizeRequest SummarizeOf(const std::string& text) {
  v1::SummarizeRequest request;
  request.set_text(text);
  return request;
}

v1::GenerateRequest GenerateOf(const std::string& text) {
  v1::GenerateRequest request;
  request.set_text(text);
  return request;
}

double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

// Each text repeats one unit: two kinds of marks, a base with marks, one
// letter, words of a script with and without pieces, letters and newlines, ...
class LongTextTest : public testing::TestWithParam<const char*> {
 protected:
  template <typename Request>
  double SecondsFor(const Request& request) {
    const double begin = CpuSeconds();
    EXPECT_TRUE(reader_.Read(request, [] { return true; }).ok());
    return CpuSeconds() - begin;
  }

  const RequestReader reader_{SmallModel(/*max_source_tokens=*/512),
                              RequestLimits()};
};

TEST_P(LongTextTest, TakesTimeLinearInItsLength) {
  // 16 times the text would take 256 times as long if time were quadratic.
  constexpr size_t kSmall = 16 << 10, kLarge = 256 << 10;
  constexpr double kMostTimes = 64, kNoise = 0.02;
  const std::string small = Repeat(GetParam(), kSmall);
  const std::string large = Repeat(GetParam(), kLarge);
  EXPECT_LT(SecondsFor(TranslateOf(large)),
            kMostTimes * SecondsFor(TranslateOf(small)) + kNoise);
  EXPECT_LT(SecondsFor(SummarizeOf(large)),
            kMostTimes * SecondsFor(SummarizeOf(small)) + kNoise);
}

TEST_P(LongTextTest, IsGivenUpWhenItIsNotWanted) {
  // Checking this many bytes takes some time in any case.
  constexpr size_t kBytes = 512 << 10;
  constexpr double kNoise = 0.1;
  const std::string text = Repeat(GetParam(), kBytes);
  const auto give_up = [&](const auto& request) {
    int num_questions = 0;
    const auto is_wanted = [&] { return ++num_questions <= 5; };
    EXPECT_EQ(reader_.Read(request, is_wanted).status().code(),
              absl::StatusCode::kCancelled);
  };
  const double full = SecondsFor(SummarizeOf(text));
  const double begin = CpuSeconds();
  give_up(TranslateOf(text));
  give_up(SummarizeOf(text));
  give_up(GenerateOf(text));
  EXPECT_LT(CpuSeconds() - begin, full / 2 + kNoise);
}

INSTANTIATE_TEST_SUITE_P(Shapes, LongTextTest,
                         testing::Values("\u0301\u0316", "a\u0316\u0301", "a",
                                         "a\n", "\n", "a. ", ". ", "...", "!",
                                         "\u4F60\u597D", "\u4F60\u597D\u3002",
                                         "\u0E2A\u0E27\u0E31\u0E2A",
                                         "\U0001F600", "Dr. ", "the cat sat. ",
                                         "a\u00A0", "\u1100\u1161\u11A8"));

TEST(LongGenerateTest, ATextFarTooLongIsRefusedWithAboutItsTokens) {
  const RequestReader reader(SmallModel(/*max_source_tokens=*/512),
                             RequestLimits());
  const std::string text = Repeat("The cat sat on the mat. ", 1 << 20);
  const absl::Status status =
      reader.Read(GenerateOf(text), [] { return true; }).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  absl::string_view message = status.message();
  ASSERT_TRUE(absl::ConsumePrefix(&message, "text has about ")) << status;
  int64_t tokens = 0;
  ASSERT_TRUE(absl::SimpleAtoi(message.substr(0, message.find(' ')), &tokens));
  const auto exact = static_cast<double>(SmallTokenizer()->Encode(text).size());
  EXPECT_NEAR(static_cast<double>(tokens), exact, 0.01 * exact);
  EXPECT_THAT(std::string(message), testing::HasSubstr("takes 1..512"));
}

TEST(LongGenerateTest, ATextThatJustFitsIsTokenizedAsAWhole) {
  const std::string text = Repeat("The cat sat on the mat. ", 100'000);
  std::vector<int32_t> ids = SmallTokenizer()->Encode(text);
  ids.push_back(SmallTokenizer()->eos_id());
  const auto num_ids = static_cast<int32_t>(ids.size());
  const RequestReader reader(SmallModel(/*max_source_tokens=*/num_ids),
                             RequestLimits());
  const auto prepared = reader.Read(GenerateOf(text), [] { return true; });
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->request.segments[0], ids);
  const RequestReader smaller(SmallModel(num_ids - 1), RequestLimits());
  EXPECT_EQ(smaller.Read(GenerateOf(text), [] { return true; }).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sheaf
