// SPDX-License-Identifier: Apache-2.0

#include "server/field_error.h"

#include <gtest/gtest.h>

#include <string>

namespace sheaf {
namespace {

TEST(FieldErrorTest, TheMessageBeginsWithTheFieldAndTheStatusNamesIt) {
  const absl::Status status =
      FieldError(absl::StatusCode::kInvalidArgument, "decoding.stop[1]",
                 "has %d bytes; this server allows %s", 300, "1..256");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "decoding.stop[1] has 300 bytes; this server allows 1..256");
  EXPECT_EQ(FieldOf(status), "decoding.stop[1]");
}

TEST(FieldErrorTest, AnotherStatusNamesNoFieldUntilOneIsAttached) {
  const absl::Status status = absl::NotFoundError("model is unknown");
  EXPECT_EQ(FieldOf(status), "");
  const absl::Status attached = WithField(status, "model");
  EXPECT_EQ(FieldOf(attached), "model");
  EXPECT_EQ(attached.code(), status.code());
  EXPECT_EQ(attached.message(), status.message());
  EXPECT_TRUE(WithField(absl::OkStatus(), "model").ok());
}

TEST(FieldErrorTest, EscapedTextIsPrintableAndShort) {
  EXPECT_EQ(Escaped("a\n\xff\"b"), "a\\n\\xff\\\"b");
  EXPECT_EQ(Escaped(std::string(100, 'a')), std::string(100, 'a'));
  EXPECT_EQ(Escaped(std::string(101, 'a')), std::string(100, 'a') + "...");
}

}  // namespace
}  // namespace sheaf
