// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/inflate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/gzip.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMax = 1 << 20;

std::string Deflated(Compression compression, const std::string& text) {
  return compression == Compression::kGzip ? Gzip(text) : Deflate(text);
}

class InflateTest : public testing::TestWithParam<Compression> {
 protected:
  std::string Compress(const std::string& text) {
    return Deflated(GetParam(), text);
  }
  absl::StatusOr<std::string> InflateAll(const std::string& bytes,
                                         int64_t max_bytes = kMax) {
    return Inflate(GetParam(), {bytes}, max_bytes);
  }
};

std::string Text(size_t size) {
  std::string text;
  for (uint32_t i = 0; text.size() < size; ++i) {
    text += std::to_string(i * 2654435761u);
  }
  text.resize(size);
  return text;
}

TEST_P(InflateTest, GivesTheTextBack) {
  for (size_t size : {0u, 1u, 16383u, 16384u, 16385u, 300000u}) {
    const auto inflated = InflateAll(Compress(Text(size)));
    ASSERT_TRUE(inflated.ok()) << inflated.status();
    EXPECT_EQ(*inflated, Text(size)) << size;
  }
}

TEST_P(InflateTest, TheBordersOfPartsDoNotMatter) {
  const std::string bytes = Compress(Text(50000));
  for (size_t step : {1u, 7u, 1000u}) {
    std::vector<absl::string_view> parts = {""};
    for (size_t at = 0; at < bytes.size(); at += step) {
      parts.push_back(absl::string_view(bytes).substr(at, step));
    }
    const auto inflated = Inflate(GetParam(), parts, kMax);
    ASSERT_TRUE(inflated.ok()) << inflated.status();
    EXPECT_EQ(*inflated, Text(50000));
  }
}

TEST_P(InflateTest, TheLimitItselfIsAllowedAndAByteMoreIsNot) {
  const std::string bytes = Compress(Text(100000));
  EXPECT_TRUE(InflateAll(bytes, 100000).ok());
  const auto status = InflateAll(bytes, 99999).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("more than 99999 bytes"));
}

// One in a thousand of what it inflates to.
TEST_P(InflateTest, ABombEndsAtTheLimit) {
  const std::string bomb = Compress(std::string(64 << 20, '\0'));
  ASSERT_LT(bomb.size(), 100'000u);
  EXPECT_EQ(InflateAll(bomb).status().code(),
            absl::StatusCode::kResourceExhausted);
  // The damage after the limit is not noticed.
  EXPECT_EQ(
      InflateAll(bomb.substr(0, bomb.size() / 2) + "damaged").status().code(),
      absl::StatusCode::kResourceExhausted);
}

TEST_P(InflateTest, EveryTruncatedMessageIsIncomplete) {
  const std::string bytes = Compress("Where is the train station?");
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto status = InflateAll(bytes.substr(0, size)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << size;
    EXPECT_THAT(status.message(), HasSubstr("is incomplete"));
  }
}

TEST_P(InflateTest, BytesBehindTheEndAreRefused) {
  const std::string bytes = Compress("Yes.");
  for (const std::string& more : {std::string("x"), bytes}) {
    const auto status = InflateAll(bytes + more).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("is followed by other bytes"));
    EXPECT_FALSE(Inflate(GetParam(), {bytes, more}, kMax).ok());
  }
}

TEST_P(InflateTest, AFlippedBitIsNoticed) {
  const std::string text = Text(200);
  const std::string bytes = Compress(text);
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    const auto inflated = InflateAll(flipped);
    // Some bits of the gzip header do not matter.
    EXPECT_EQ(inflated.value_or(text), text) << bit;
  }
}

TEST_P(InflateTest, TheOtherCompressionIsDamaged) {
  const Compression other = GetParam() == Compression::kGzip
                                ? Compression::kDeflate
                                : Compression::kGzip;
  const auto status = InflateAll(Deflated(other, "Yes.")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("is damaged"));
}

INSTANTIATE_TEST_SUITE_P(Compressions, InflateTest,
                         testing::Values(Compression::kGzip,
                                         Compression::kDeflate));

}  // namespace
}  // namespace sheaf
