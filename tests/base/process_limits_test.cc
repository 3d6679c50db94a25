// SPDX-License-Identifier: Apache-2.0

#include "base/process_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace sheaf {
namespace {

using ::testing::HasSubstr;

// Lowers a limit of the process while it lives.
class SoftLimit {
 public:
  SoftLimit(__rlimit_resource resource, rlim_t value) : resource_(resource) {
    getrlimit(resource_, &before_);
    rlimit limit = before_;
    limit.rlim_cur = value;
    setrlimit(resource_, &limit);
  }
  ~SoftLimit() { setrlimit(resource_, &before_); }

 private:
  const __rlimit_resource resource_;
  rlimit before_;
};

TEST(ProcessLimitsTest, FewThreadsAndFilesAreNoProblem) {
  EXPECT_TRUE(CheckThreads("the test", 4).ok());
  EXPECT_TRUE(CheckFreeDescriptors("the test", 4).ok());
}

TEST(ProcessLimitsTest, MissingDescriptorsNameTheLimit) {
  const SoftLimit limit(RLIMIT_NOFILE, 40);
  EXPECT_TRUE(CheckFreeDescriptors("the test", 4).ok());
  const absl::Status status = CheckFreeDescriptors("the test", 41);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("the test needs 41"));
  EXPECT_THAT(status.message(), HasSubstr("40 files (ulimit -n)"));
  // The opened files are closed again.
  EXPECT_TRUE(CheckFreeDescriptors("the test", 4).ok());
}

}  // namespace
}  // namespace sheaf
