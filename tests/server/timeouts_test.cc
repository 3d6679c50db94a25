// SPDX-License-Identifier: Apache-2.0

// The header grpc-timeout in all forms that a client may write. gRPC's own
// clients write few of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/server/server_fixture.h"
#include "tests/support/http_peer.h"

namespace sheaf {
namespace {

// RFC 9113: the frames of one request and of its answer.
enum FrameType : uint8_t { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4 };
constexpr uint8_t kEndStream = 1, kEndHeaders = 4;

std::string Frame(FrameType type, uint8_t flags, uint8_t stream,
                  const std::string& payload) {
  const size_t n = payload.size();
  const uint8_t header[] = {static_cast<uint8_t>(n >> 16),
                            static_cast<uint8_t>(n >> 8),
                            static_cast<uint8_t>(n),
                            type,
                            flags,
                            0,
                            0,
                            0,
                            stream};
  return absl::StrCat(std::string(header, header + sizeof(header)), payload);
}

// RFC 7541: a literal without indexing. REQUIRES: both are short.
std::string Field(const std::string& name, const std::string& value) {
  return absl::StrCat(std::string(1, '\0'),
                      std::string(1, static_cast<char>(name.size())), name,
                      std::string(1, static_cast<char>(value.size())), value);
}

std::string GenerateCall(const v1::GenerateRequest& request,
                         const std::string& timeout) {
  const std::string message = request.SerializeAsString();
  EXPECT_LT(message.size(), 128);
  return absl::StrCat(
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Frame(kSettings, 0, 0, ""),
      Frame(kHeaders, kEndHeaders, 1,
            absl::StrCat(Field(":method", "POST"), Field(":scheme", "http"),
                         Field(":path", "/sheaf.v1.TextService/Generate"),
                         Field(":authority", "test"),
                         Field("content-type", "application/grpc"),
                         Field("te", "trailers"),
                         Field("grpc-timeout", timeout))),
      Frame(kData, kEndStream, 1,
            absl::StrCat(std::string(4, '\0'),
                         std::string(1, static_cast<char>(message.size())),
                         message)));
}

class TimeoutsTest : public ServerTest {
 protected:
  // Returns the call's status code, or -1 if the server ended it without one.
  int CodeOf(const v1::GenerateRequest& request, const std::string& timeout) {
    HttpPeer peer(harness_.server->listen().port);
    EXPECT_TRUE(peer.Send(GenerateCall(request, timeout)));
    for (;;) {
      const std::string header = peer.ReadExactly(9);
      if (header.size() < 9) return -1;
      const auto byte = [&](int i) { return static_cast<uint8_t>(header[i]); };
      const std::string payload =
          peer.ReadExactly(byte(0) << 16 | byte(1) << 8 | byte(2));
      if (byte(8) != 1) continue;  // another stream
      if (byte(3) == kReset) return -1;
      if (byte(3) != kHeaders || !(byte(4) & kEndStream)) continue;
      const std::string key = "grpc-status";
      const size_t at = payload.find(key);
      if (at == std::string::npos) return -1;
      const size_t value = at + key.size();
      return std::stoi(payload.substr(value + 1, payload[value]));
    }
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
