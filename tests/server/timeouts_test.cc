// SPDX-License-Identifier: Apache-2.0

// The header grpc-timeout in all forms that a client may write. gRPC's own
// clients write few of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/server/server_fixture.h"
#include "tests/support/http2_peer.h"

namespace sheaf {
namespace {

class TimeoutsTest : public ServerTest {
 protected:
  // Returns the call's status code, or -1 if the server ended it without one.
  int CodeOf(const v1::GenerateRequest& request, const std::string& timeout) {
    Http2Peer peer(harness_.server->listen().port);
    const uint32_t stream = peer.Open("/sheaf.v1.TextService/Generate",
                                      {{"grpc-timeout", timeout}});
    peer.SendMessage(stream, request.SerializeAsString());
    return peer.AwaitEnd(stream).code;
  }
};

TEST_F(TimeoutsTest, TheLongestOfEachUnitHasNotPassed) {
  for (const char* timeout : {"99999999H", "99999999M", "99999999S",
                              "99999999m", "99999999u", "2562048H"}) {
    EXPECT_EQ(CodeOf(GenerateOf(ByteTokens("OK")), timeout),
              grpc::StatusCode::OK)
        << timeout;
  }
}

TEST_F(TimeoutsTest, ZeroAndTheShortestHavePassed) {
  harness_.gate.Close();
  for (const char* timeout : {"0n", "0m", "0H", "1n", "1u"}) {
    EXPECT_EQ(CodeOf(Endless(10), timeout), grpc::StatusCode::DEADLINE_EXCEEDED)
        << timeout;
  }
  harness_.gate.Open();
  EXPECT_EQ(harness_.WhatIsLeft(), "");
}

// gRPC ignores these, so the server's own deadline applies.
TEST_F(TimeoutsTest, WhatIsNoTimeoutIsNone) {
  for (const char* timeout : {"", "H", "1", "1x", "-1S", "1.5S", "123456789S",
                              "99999999999999999999H", "1SS", "\x80"}) {
    EXPECT_EQ(CodeOf(GenerateOf(ByteTokens("OK")), timeout),
              grpc::StatusCode::OK)
        << timeout;
  }
}

}  // namespace
}  // namespace sheaf
