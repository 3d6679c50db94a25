// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/http_peer.h"

namespace sheaf {

// How a call ended.
struct Http2End {
  int code = -1;        // grpc-status; -1: none
  std::string headers;  // as they came, not decoded
};

// A client that writes the frames of HTTP/2 (RFC 9113) itself, for what gRPC's
// own clients never do.
class Http2Peer {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  // `window` is what the server may send on a stream unasked.
  explicit Http2Peer(int32_t port, uint32_t window = 65535) : peer_(port) {
    // Setting 1 is the size of the table of header fields. Without a table,
    // the server writes all fields as they are. Setting 4 is the window.
    EXPECT_TRUE(peer_.Send(
        absl::StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                     Frame(kSettings, 0, 0,
                           absl::StrCat(Number(1, 2), Number(0, 4),
                                        Number(4, 2), Number(window, 4))))));
  }

  // Opens a stream with the headers of a call, and returns its number.
  uint32_t Open(const std::string& path, const Fields& more = {},
                bool is_end = false) {
    Fields fields = {{":method", "POST"}, {":scheme", "http"},
                     {":path", path},     {":authority", "test"},
                     {"te", "trailers"},  {"content-type", "application/grpc"}};
    fields.insert(fields.end(), more.begin(), more.end());
    std::string block;
    for (const auto& [name, value] : fields) {
      absl::StrAppend(&block, Field(name, value));
    }
    const uint32_t stream = std::exchange(next_stream_, next_stream_ + 2);
    EXPECT_TRUE(peer_.Send(Frame(
        kHeaders, kEndHeaders | (is_end ? kEndStream : 0), stream, block)));
    return stream;
  }
  // Sends a whole message of gRPC. REQUIRES: it fits into a frame.
  void SendMessage(uint32_t stream, const std::string& bytes,
                   bool is_compressed = false, bool is_end = true) {
    SendBytes(
        stream,
        absl::StrCat(std::string(1, is_compressed ? '\1' : '\0'),
                     Number(static_cast<uint32_t>(bytes.size()), 4), bytes),
        is_end);
  }
  void SendBytes(uint32_t stream, const std::string& bytes, bool is_end) {
    EXPECT_TRUE(
        peer_.Send(Frame(kData, is_end ? kEndStream : 0, stream, bytes)));
  }
  void Reset(uint32_t stream) {
    constexpr uint32_t kCancel = 8;
    EXPECT_TRUE(peer_.Send(Frame(kReset, 0, stream, Number(kCancel, 4))));
  }

  // Reads up to the end of the stream. No code: it was reset, or the connection
  // has ended, or nothing came for 10 s.
  Http2End AwaitEnd(uint32_t stream) { return ReadToEnd(stream); }

  // The same for the stream that ends first.
  Http2End AwaitAnyEnd() { return ReadToEnd(std::nullopt); }

 private:
  // Null: any stream.
  Http2End ReadToEnd(std::optional<uint32_t> stream) {
    for (;;) {
      const std::string header = peer_.ReadExactly(9);
      if (header.size() < 9) return {};
      const auto byte = [&](int i) { return static_cast<uint8_t>(header[i]); };
      const std::string payload =
          peer_.ReadExactly(byte(0) << 16 | byte(1) << 8 | byte(2));
      const uint32_t of =
          byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8);
      if (byte(3) == kSettings && !(byte(4) & kAck)) {
        peer_.Send(Frame(kSettings, kAck, 0, ""));
      }
      if (of == 0 || of != stream.value_or(of)) continue;
      if (byte(3) == kReset) return {};
      if (byte(3) == kHeaders && (byte(4) & kEndStream)) {
        return {CodeIn(payload), payload};
      }
    }
  }

  enum Type : uint8_t { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4 };
  static constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4;

  static std::string Number(uint32_t number, int num_bytes) {
    std::string bytes;
    for (int i = num_bytes - 1; i >= 0; --i) {
      bytes.push_back(static_cast<char>(number >> (8 * i)));
    }
    return bytes;
  }
  static std::string Frame(Type type, uint8_t flags, uint32_t stream,
                           const std::string& payload) {
    return absl::StrCat(Number(static_cast<uint32_t>(payload.size()), 3),
                        Number(type, 1), Number(flags, 1), Number(stream, 4),
                        payload);
  }
  // RFC 7541: a literal without indexing. REQUIRES: both are short.
  static std::string Field(const std::string& name, const std::string& value) {
    EXPECT_LT(name.size(), 127u);
    EXPECT_LT(value.size(), 127u);
    return absl::StrCat(Number(0, 1),
                        Number(static_cast<uint32_t>(name.size()), 1), name,
                        Number(static_cast<uint32_t>(value.size()), 1), value);
  }
  static int CodeIn(const std::string& headers) {
    const std::string key = "grpc-status";
    const size_t at = headers.find(key);
    if (at == std::string::npos) return -1;
    const size_t value = at + key.size();
    return std::stoi(headers.substr(value + 1, headers[value]));
  }

  HttpPeer peer_;
  uint32_t next_stream_ = 1;
};

}  // namespace sheaf
