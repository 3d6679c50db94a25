#include "server/access/caller_limiter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kHome[] = "ipv4:192.0.2.1:1111";

TEST(CallerLimiterTest, WithoutTokensEverybodyMayCall) {
  CallerLimiter limiter(/*tokens=*/nullptr, /*max_requests_per_caller=*/0);
  for (int i = 0; i < 1000; ++i) {
    const absl::StatusOr<CallerLease> lease =
        limiter.Acquire(kHome, std::nullopt);
    ASSERT_TRUE(lease.ok());
    EXPECT_EQ(lease->token_name(), "");
  }
}

TEST(CallerLimiterTest, AnAddressHasItsPlacesWhateverItsPort) {
  CallerLimiter limiter(/*tokens=*/nullptr, /*max_requests_per_caller=*/2);
  std::optional<CallerLease> first(*limiter.Acquire(kHome, std::nullopt));
  const absl::StatusOr<CallerLease> second =
      limiter.Acquire("ipv4:192.0.2.1:2222", std::nullopt);
  EXPECT_TRUE(second.ok());
  const absl::Status third =
      limiter.Acquire("ipv4:192.0.2.1:3333", std::nullopt).status();
  EXPECT_EQ(third.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(third.message(),
              AllOf(HasSubstr("2 requests"), HasSubstr("192.0.2.1"),
                    HasSubstr("allows 2 at a time")));
  EXPECT_TRUE(limiter.Acquire("ipv4:192.0.2.2:1111", std::nullopt).ok());
  first.reset();
  EXPECT_TRUE(limiter.Acquire(kHome, std::nullopt).ok());
}

TEST(CallerLimiterTest, APlaceIsGivenBackOnceThoughTheLeaseMoves) {
  CallerLimiter limiter(/*tokens=*/nullptr, /*max_requests_per_caller=*/1);
  {
    absl::StatusOr<CallerLease> lease = limiter.Acquire(kHome, std::nullopt);
    const CallerLease moved = *std::move(lease);
    EXPECT_FALSE(limiter.Acquire(kHome, std::nullopt).ok());
  }
  EXPECT_TRUE(limiter.Acquire(kHome, std::nullopt).ok());
}

class GuardTokensTest : public testing::Test {
 protected:
  GuardTokensTest() {
    const std::string path = absl::StrCat(testing::TempDir(), "/guard_tokens");
    // sha256sum's, of "alpha".
    std::ofstream(path)
        << "web 8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda"
           "1ed4018e8f2223f8\n";
    tokens_ = *AuthTokens::Load(path, [](const absl::Status&) {});
  }
  std::unique_ptr<AuthTokens> tokens_;
};

TEST_F(GuardTokensTest, ABearerTokenOfTheFileMayCall) {
  CallerLimiter limiter(tokens_.get(), /*max_requests_per_caller=*/0);
  EXPECT_EQ(limiter.Acquire(kHome, "Bearer alpha")->token_name(), "web");
  EXPECT_EQ(limiter.Acquire(kHome, "bearer alpha")->token_name(), "web");
}

TEST_F(GuardTokensTest, AnythingElseIsUnauthenticatedAndNotRepeated) {
  CallerLimiter limiter(tokens_.get(), /*max_requests_per_caller=*/0);
  EXPECT_EQ(limiter.Acquire(kHome, std::nullopt).status().code(),
            absl::StatusCode::kUnauthenticated);
  for (const char* wrong : {"", "alpha", "Basic alpha", "Bearer", "Bearer ",
                            "Bearer beta", "Bearer  alpha", "Bearer alpha "}) {
    const absl::Status status = limiter.Acquire(kHome, wrong).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << wrong;
    EXPECT_THAT(status.message(), testing::Not(HasSubstr("alpha")));
  }
}

TEST_F(GuardTokensTest, ATokenHasItsPlacesFromWhereverItComes) {
  CallerLimiter limiter(tokens_.get(), /*max_requests_per_caller=*/1);
  const absl::StatusOr<CallerLease> lease =
      limiter.Acquire(kHome, "Bearer alpha");
  EXPECT_TRUE(lease.ok());
  EXPECT_EQ(limiter.Acquire("ipv4:192.0.2.9:1", "Bearer alpha").status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace sheaf
