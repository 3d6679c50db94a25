// SPDX-License-Identifier: Apache-2.0

#include "server/access/caller_limiter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A caller that sends this header of authorization, if any.
Caller From(const std::string& address, const std::string& authorization = "") {
  Caller caller;
  caller.address = address;
  caller.authorization = authorization;
  return caller;
}

const char kHome[] = "ipv4:192.0.2.1";

TEST(CallerLimiterTest, WithoutTokensEveryCallerMayCall) {
  CallerLimiter limiter(/*tokens=*/nullptr, /*max_per_caller=*/0);
  for (int i = 0; i < 1000; ++i) {
    const absl::StatusOr<CallerLease> lease = limiter.Acquire(From(kHome));
    ASSERT_TRUE(lease.ok());
    EXPECT_EQ(lease->token_name(), "");
  }
}

TEST(CallerLimiterTest, AnAddressHasItsPlaces) {
  CallerLimiter limiter(/*tokens=*/nullptr, /*max_per_caller=*/2);
  std::optional<CallerLease> first(*limiter.Acquire(From(kHome)));
  const absl::StatusOr<CallerLease> second =
      limiter.Acquire(From("ipv4:192.0.2.1"));
  EXPECT_TRUE(second.ok());
  const absl::Status third = limiter.Acquire(From("ipv4:192.0.2.1")).status();
  EXPECT_EQ(third.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(third.message(),
              AllOf(HasSubstr("\"ipv4:192.0.2.1\" run 2 sequences"),
                    HasSubstr("1 more"),
                    HasSubstr("allows 2 at a time "
                              "(--max_requests_per_caller)")));
  EXPECT_TRUE(limiter.Acquire(From("ipv4:192.0.2.2")).ok());
  first.reset();
  EXPECT_TRUE(limiter.Acquire(From(kHome)).ok());
}

TEST(CallerLimiterTest, ARequestCountsAsItsSequences) {
  CallerLimiter limiter(/*tokens=*/nullptr, /*max_per_caller=*/5);
  absl::StatusOr<CallerLease> first = limiter.Acquire(From(kHome));
  std::optional<CallerLease> second(*limiter.Acquire(From(kHome)));
  EXPECT_TRUE(first->GrowTo(4).ok());
  const absl::Status refused = second->GrowTo(2);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(),
              AllOf(HasSubstr("run 5 sequences"), HasSubstr("1 more")));
  EXPECT_FALSE(limiter.Acquire(From(kHome)).ok());
  // Waiting would not help this one.
  const absl::Status invalid = second->GrowTo(6);
  EXPECT_EQ(invalid.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(invalid.message(),
              AllOf(HasSubstr("runs 6 sequences"), HasSubstr("5 at a time")));
  second.reset();  // gives back the one that it had
  EXPECT_TRUE(first->GrowTo(5).ok());
  EXPECT_FALSE(limiter.Acquire(From(kHome)).ok());
  EXPECT_TRUE(limiter.Acquire(From("ipv4:192.0.2.2")).ok());
}

// The sequences that a running request adds are counted, and refused to the
// next one.
TEST(CallerLimiterTest, ARunningRequestMayCountAsMoreThanThereIsLeft) {
  CallerLimiter limiter(/*tokens=*/nullptr, /*max_per_caller=*/5);
  std::optional<CallerLease> first(*limiter.Acquire(From(kHome)));
  const absl::StatusOr<CallerLease> second = limiter.Acquire(From(kHome));
  EXPECT_EQ(first->max_sequences(), 5);
  first->CountAs(5);
  first->CountAs(4);  // fewer than it counts as already
  EXPECT_THAT(limiter.Acquire(From(kHome)).status().message(),
              HasSubstr("run 6 sequences"));
  first.reset();
  EXPECT_TRUE(limiter.Acquire(From(kHome)).ok());
}

TEST(CallerLimiterTest, ACertificatesSubjectIsTheCallerWhateverTheAddress) {
  CallerLimiter limiter(/*tokens=*/nullptr, /*max_per_caller=*/1);
  Caller caller = From(kHome);
  caller.certificate_subject = "CN=web";
  const absl::StatusOr<CallerLease> lease = limiter.Acquire(caller);
  EXPECT_EQ(lease->caller(), "CN=web");
  EXPECT_EQ(lease->token_name(), "");
  EXPECT_EQ(lease->weight(), 1);
  caller.address = "ipv4:192.0.2.9";
  EXPECT_FALSE(limiter.Acquire(caller).ok());
  EXPECT_TRUE(limiter.Acquire(From(kHome)).ok());
}

TEST(CallerLimiterTest, APlaceIsGivenBackOnceThoughTheLeaseMoves) {
  CallerLimiter limiter(/*tokens=*/nullptr, /*max_per_caller=*/1);
  {
    absl::StatusOr<CallerLease> lease = limiter.Acquire(From(kHome));
    const CallerLease moved = *std::move(lease);
    EXPECT_FALSE(limiter.Acquire(From(kHome)).ok());
  }
  EXPECT_TRUE(limiter.Acquire(From(kHome)).ok());
}

class CallerTokensTest : public testing::Test {
 protected:
  CallerTokensTest() {
    // The output of sha256sum for "alpha".
    const std::string path = dir_.Write(
        "tokens",
        "web 8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8"
        " weight=7\n");
    tokens_ = *AuthTokens::Load(path, [](const absl::Status&) {});
  }
  const TempDir dir_;
  std::unique_ptr<AuthTokens> tokens_;
};

TEST_F(CallerTokensTest, ABearerTokenOfTheFileMayCall) {
  CallerLimiter limiter(tokens_.get(), /*max_per_caller=*/0);
  EXPECT_EQ(limiter.Acquire(From(kHome, "Bearer alpha"))->token_name(), "web");
  EXPECT_EQ(limiter.Acquire(From(kHome, "bearer alpha"))->token_name(), "web");
}

TEST_F(CallerTokensTest, ATokensNameAndWeightComeBeforeTheCertificate) {
  CallerLimiter limiter(tokens_.get(), /*max_per_caller=*/0);
  Caller caller = From(kHome, "Bearer alpha");
  caller.certificate_subject = "CN=other";
  const absl::StatusOr<CallerLease> lease = limiter.Acquire(caller);
  EXPECT_EQ(lease->caller(), "web");
  EXPECT_EQ(lease->weight(), 7);
}

TEST_F(CallerTokensTest, AnythingElseIsUnauthenticatedAndNotRepeated) {
  CallerLimiter limiter(tokens_.get(), /*max_per_caller=*/0);
  EXPECT_EQ(limiter.Acquire(From(kHome)).status().code(),
            absl::StatusCode::kUnauthenticated);
  for (const char* wrong : {"", "alpha", "Basic alpha", "Bearer", "Bearer ",
                            "Bearer beta", "Bearer  alpha", "Bearer alpha "}) {
    const absl::Status status = limiter.Acquire(From(kHome, wrong)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << wrong;
    EXPECT_THAT(status.message(), testing::Not(HasSubstr("alpha")));
  }
}

TEST_F(CallerTokensTest, ATokenHasItsPlacesFromWhereverItComes) {
  CallerLimiter limiter(tokens_.get(), /*max_per_caller=*/1);
  const absl::StatusOr<CallerLease> lease =
      limiter.Acquire(From(kHome, "Bearer alpha"));
  EXPECT_TRUE(lease.ok());
  EXPECT_EQ(
      limiter.Acquire(From("ipv4:192.0.2.9", "Bearer alpha")).status().code(),
      absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace sheaf
