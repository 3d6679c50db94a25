// SPDX-License-Identifier: Apache-2.0

#include "base/start_guard.h"

#include <new>
#include <system_error>
#include <thread>

#include "gtest/gtest.h"

namespace sheaf {
namespace {

// More than any address space.
constexpr size_t kTooMuch = size_t{1} << 60;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kHasOwnNew = true;  // The sanitizer's ends the process itself.
#else
constexpr bool kHasOwnNew = false;
#endif

TEST(StartGuardDeathTest, OutOfMemoryIsOneLineWithWhatTheInnermostSays) {
  if (kHasOwnNew) GTEST_SKIP() << "a sanitizer allocates";
  const StartGuard outer("program", "outer", 4);
  EXPECT_EXIT(
      {
        const StartGuard inner("program", "weights take 5 bytes", 3);
        ::operator delete(::operator new(kTooMuch));
      },
      ::testing::ExitedWithCode(3),
      "^program: out of memory; weights take 5 bytes\n$");
  EXPECT_EXIT(::operator delete(::operator new(kTooMuch)),
              ::testing::ExitedWithCode(4),
              "^program: out of memory; outer\n$");
}

TEST(StartGuardDeathTest, AThreadThatCannotStartIsOneLine) {
  const StartGuard guard("program", "it takes threads", 3);
  // Nothing catches it, as in a thread that starts another.
  const auto fail = [] {
    std::thread([] {
      throw std::system_error(EAGAIN, std::generic_category());
    }).join();
  };
  EXPECT_EXIT(fail(), ::testing::ExitedWithCode(3),
              "^program: Resource temporarily unavailable; it takes threads");
}

TEST(StartGuardTest, AfterwardsMemoryThrowsAsBefore) {
  if (kHasOwnNew) GTEST_SKIP() << "a sanitizer allocates";
  { const StartGuard guard("program", "", 3); }
  EXPECT_THROW(::operator delete(::operator new(kTooMuch)), std::bad_alloc);
}

}  // namespace
}  // namespace sheaf
