// SPDX-License-Identifier: Apache-2.0

#include "server/parse_message.h"

#include <google/protobuf/stubs/common.h>
#include <gtest/gtest.h>

#include <string>

#include "server/field_error.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {
namespace {

class ParseMessageTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { RedirectProtobufLog(); }
};

TEST_F(ParseMessageTest, AValidMessageIsParsed) {
  v1::TranslateRequest sent;
  sent.set_text("caf\u00e9");
  v1::TranslateRequest request;
  ASSERT_TRUE(ParseMessage(sent.SerializeAsString(), &request).ok());
  EXPECT_EQ(request.text(), "caf\u00e9");
}

// The field is read from the text of protobuf's log message. If this fails with
// a new protobuf, compare its message with FieldThatIsNotUtf8().
TEST_F(ParseMessageTest, ProtobufStillNamesAFieldThatIsNotUtf8) {
  SCOPED_TRACE(
      google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION));
  v1::TranslateRequest request;
  // Field 2, text, is the single byte 0xff.
  const absl::Status text = ParseMessage("\x12\x01\xff", &request);
  EXPECT_EQ(text.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(text.message(), "text is not valid UTF-8");
  EXPECT_EQ(FieldOf(text), "text");
  // Field 5, decoding, whose field 13, stop, is the single byte 0xff.
  const absl::Status stop = ParseMessage("\x2a\x03\x6a\x01\xff", &request);
  EXPECT_EQ(stop.message(), "decoding.stop is not valid UTF-8");
  EXPECT_EQ(FieldOf(stop), "decoding.stop");
}

TEST_F(ParseMessageTest, OtherBytesNameNoField) {
  v1::TranslateRequest request;
  const absl::Status status = ParseMessage("\xff\xff\xff\xff", &request);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "the request's 4 bytes are not a sheaf.v1.TranslateRequest");
  EXPECT_EQ(FieldOf(status), "");
}

TEST_F(ParseMessageTest, AnEarlierErrorIsForgotten) {
  v1::TranslateRequest request;
  EXPECT_EQ(FieldOf(ParseMessage("\x12\x01\xff", &request)), "text");
  EXPECT_EQ(FieldOf(ParseMessage("\xff", &request)), "");
}

}  // namespace
}  // namespace sheaf
