// SPDX-License-Identifier: Apache-2.0

#include "server/access/intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class IntakeTest : public testing::Test {
 protected:
  int64_t bytes_ = 0;  // the last sum that it got
  Intake intake_{/*max_bytes=*/100, [this](int64_t bytes) { bytes_ = bytes; }};
};

TEST_F(IntakeTest, BytesAreGivenBackAtTheEndOfTheRequest) {
  {
    const absl::StatusOr<IntakeBytes> first = intake_.Take("a", 60);
    const absl::StatusOr<IntakeBytes> second = intake_.Take("b", 40);
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_EQ(bytes_, 100);
  }
  EXPECT_EQ(bytes_, 0);
}

TEST_F(IntakeTest, WhatWouldTakeTooMuchIsRefusedUntilAnotherEnds) {
  std::optional<IntakeBytes> first(*intake_.Take("a", 60));
  const absl::Status refused = intake_.Take("b", 41).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("41 bytes and the others 60"),
                    HasSubstr("at most 100 (--max_queued_bytes)")));
  EXPECT_EQ(bytes_, 60);
  first.reset();
  EXPECT_TRUE(intake_.Take("b", 41).ok());
}

TEST_F(IntakeTest, WhatAloneWouldTakeTooMuchIsTheClientsError) {
  const absl::StatusOr<IntakeBytes> other = intake_.Take("a", 60);
  EXPECT_EQ(intake_.Take("a", 101).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(IntakeTest, ARequestThatGrowsTooMuchKeepsWhatItHas) {
  absl::StatusOr<IntakeBytes> growing = intake_.Take("a", 10);
  const absl::StatusOr<IntakeBytes> other = intake_.Take("b", 60);
  EXPECT_EQ(growing->Resize(41).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(bytes_, 70);
  EXPECT_TRUE(growing->Resize(40).ok());
  EXPECT_TRUE(growing->Resize(1).ok());
  EXPECT_EQ(bytes_, 61);
}

TEST_F(IntakeTest, OnceClosedItRefusesAndWhatItTookMayGrow) {
  absl::StatusOr<IntakeBytes> held = intake_.Take("a", 10);
  intake_.Close();
  EXPECT_EQ(intake_.Take("a", 1).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_TRUE(held->Resize(20).ok());
}

TEST_F(IntakeTest, ACallerWithSeveralRequestsLeavesAThirdOfWhatItHoldsFree) {
  const absl::StatusOr<IntakeBytes> first = intake_.Take("greedy", 50);
  const absl::Status refused = intake_.Take("greedy", 26).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("takes 26 bytes and others of \"greedy\" 50"),
                    HasSubstr("leaves 24 free of 100 (--max_queued_bytes)"),
                    HasSubstr("at most 3 times what is free")));
  absl::StatusOr<IntakeBytes> second = intake_.Take("greedy", 24);
  EXPECT_TRUE(second->Resize(25).ok());
  EXPECT_FALSE(second->Resize(26).ok());
  // A second greedy caller: 12 is at most 3 times 13.
  const absl::StatusOr<IntakeBytes> other = intake_.Take("other", 6);
  EXPECT_TRUE(intake_.Take("other", 6).ok());
  // A request of a caller that has no other may take all.
  EXPECT_TRUE(intake_.Take("third", 19).ok());
}

TEST_F(IntakeTest, TheOnlyRequestOfACallerMayTakeAll) {
  absl::StatusOr<IntakeBytes> only = intake_.Take("a", 90);
  EXPECT_TRUE(only->Resize(100).ok());
}

TEST_F(IntakeTest, GreedyCallersNeverLockOutANewOne) {
  std::mt19937 random(1);
  for (int num_callers = 1; num_callers <= 8; ++num_callers) {
    std::vector<IntakeBytes> held;
    for (int i = 0; i < 1'000; ++i) {
      absl::StatusOr<IntakeBytes> taken =
          intake_.Take(std::to_string(random() % num_callers), 1);
      if (taken.ok()) held.push_back(*std::move(taken));
    }
    EXPECT_TRUE(intake_.Take("new", 1).ok()) << num_callers;
  }
}

TEST_F(IntakeTest, TheSumIsThatOfTheRequests) {
  std::mt19937 random(1);
  std::vector<std::pair<IntakeBytes, int64_t>> held;
  int64_t sum = 0;
  int num_callers = 0;  // each request has another caller
  for (int i = 0; i < 20'000; ++i) {
    const auto bytes = static_cast<int64_t>(random() % 30);
    if (held.empty() || random() % 2 == 0) {
      absl::StatusOr<IntakeBytes> taken =
          intake_.Take(std::to_string(++num_callers), bytes);
      ASSERT_EQ(taken.ok(), bytes == 0 || sum + bytes <= 100);
      if (!taken.ok()) continue;
      held.emplace_back(*std::move(taken), bytes);
      sum += bytes;
    } else if (random() % 2 == 0) {
      auto& [last, own] = held.back();
      if (last.Resize(bytes).ok()) {
        sum += bytes - own;
        own = bytes;
      }
    } else {
      sum -= held.back().second;
      held.pop_back();
    }
    ASSERT_EQ(bytes_, sum);
    ASSERT_LE(sum, 100);
  }
}

}  // namespace
}  // namespace sheaf
