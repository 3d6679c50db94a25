// SPDX-License-Identifier: Apache-2.0

#include "server/ops/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class LogTest : public testing::Test {
 protected:
  std::function<bool(absl::string_view)> Write() {
    return [this](absl::string_view line) {
      lines_.emplace_back(line);
      return true;
    };
  }
  Log::Clocks Clocks() {
    return {[this] { return now_; }, [this] { return monotonic_now_; }};
  }

  absl::Time now_ = absl::FromCivil(absl::CivilSecond(2026, 1, 31, 12, 0, 0),
                                    absl::UTCTimeZone()) +
                    absl::Milliseconds(7);
  MonotonicTime monotonic_now_;
  std::vector<std::string> lines_;  // owned by the log's thread until Flush()
};

TEST_F(LogTest, AnEventIsOneJsonObjectInOrder) {
  Log log(LogFormat::kJson, Write(), Clocks());
  log.Event("request", {{"code", "OK"}, {"tokens", 3}, {"ms", 1.5}});
  log.Note("two\nlines \"quoted\" \xff");
  ASSERT_TRUE(log.Flush(absl::InfiniteDuration()));
  EXPECT_THAT(
      lines_,
      ElementsAre(
          "{\"time\":\"2026-01-31T12:00:00.007Z\",\"event\":\"request\","
          "\"code\":\"OK\",\"tokens\":3,\"ms\":1.5}\n",
          "{\"time\":\"2026-01-31T12:00:00.007Z\",\"event\":\"note\","
          "\"message\":\"two\\nlines \\\"quoted\\\" \xef\xbf\xbd\"}\n"));
}

TEST_F(LogTest, TextIsWordsAndANoteIsItsMessage) {
  Log log(LogFormat::kText, Write(), Clocks());
  log.Event("request", {{"code", "OK"}, {"why", "a b"}, {"n", 3}});
  log.Note("metrics on 127.0.0.1:1");
  ASSERT_TRUE(log.Flush(absl::InfiniteDuration()));
  EXPECT_THAT(lines_, ElementsAre("2026-01-31T12:00:00.007Z request code=OK "
                                  "why=\"a b\" n=3\n",
                                  "metrics on 127.0.0.1:1\n"));
}

TEST_F(LogTest, BeyondTheRateTheNextSecondSaysHowManyWereLeftOut) {
  Log log(LogFormat::kText, Write(), Clocks());
  for (int i = 0; i < Log::kMaxPerSecond + 5; ++i)
    log.Event("many", {{"i", i}});
  log.Event("other", {{"i", 0}});  // has its own rate
  now_ += absl::Seconds(1);
  monotonic_now_ += absl::Seconds(1);
  log.Event("many", {{"i", -1}});
  log.Event("many", {{"i", -2}});
  ASSERT_TRUE(log.Flush(absl::InfiniteDuration()));
  ASSERT_THAT(lines_, SizeIs(Log::kMaxPerSecond + 3));
  EXPECT_EQ(lines_[Log::kMaxPerSecond + 1],
            "2026-01-31T12:00:01.007Z many i=-1 left_out=5\n");
  EXPECT_EQ(lines_[Log::kMaxPerSecond + 2],
            "2026-01-31T12:00:01.007Z many i=-2\n");
}

TEST_F(LogTest, TheRateDoesNotFollowTheWallClock) {
  Log log(LogFormat::kText, Write(), Clocks());
  for (int i = 0; i < Log::kMaxPerSecond + 5; ++i)
    log.Event("many", {{"i", i}});
  now_ += absl::Hours(1);
  log.Event("many", {{"i", -1}});  // still too many
  now_ -= absl::Hours(2);
  monotonic_now_ += absl::Seconds(1);
  log.Event("many", {{"i", -2}});
  ASSERT_TRUE(log.Flush(absl::InfiniteDuration()));
  ASSERT_THAT(lines_, SizeIs(Log::kMaxPerSecond + 1));
  EXPECT_EQ(lines_.back(), "2026-01-31T11:00:00.007Z many i=-2 left_out=6\n");
}

TEST_F(LogTest, LoggingAndTheEndDoNotWaitForAReader) {
  // The log's thread outlives the test.
  const auto reader_is_back = std::make_shared<absl::Notification>();
  {
    Log log(
        LogFormat::kText,
        [reader_is_back](absl::string_view) {
          reader_is_back->WaitForNotification();
          return true;
        },
        Clocks());
    for (int i = 0; i < 100; ++i) {
      monotonic_now_ += absl::Seconds(1);
      for (int k = 0; k < Log::kMaxPerSecond; ++k) log.Event("e", {{"k", k}});
    }
    EXPECT_FALSE(log.Flush(absl::Milliseconds(10)));
  }
  reader_is_back->Notify();
}

TEST_F(LogTest, LinesThatCannotBeWrittenAreCounted) {
  bool has_room = false;
  Log log(
      LogFormat::kText,
      [&](absl::string_view line) {
        if (has_room) lines_.emplace_back(line);
        return has_room;
      },
      Clocks());
  log.Note("one");
  log.Note("two");
  ASSERT_TRUE(log.Flush(absl::InfiniteDuration()));
  has_room = true;
  log.Note("three");
  ASSERT_TRUE(log.Flush(absl::InfiniteDuration()));
  EXPECT_THAT(lines_, ElementsAre("\n2026-01-31T12:00:00.007Z log lost=2\n",
                                  "three\n"));
}

}  // namespace
}  // namespace sheaf
