// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "server/http/http_message.h"

namespace sheaf {

// Reads one HTTP/1.1 request (RFC 9112) from bytes that arrive in pieces of any
// size. Beast parses the header; this class refuses what Beast lets through and
// other parsers read differently, so that a proxy in front and this server
// agree where a request ends:
//   - A line ends with CR LF. No other CR, LF or NUL is in the header.
//   - No field is continued on a second line.
//   - Content-Length is one number. Transfer-Encoding is "chunked", in HTTP/1.1
//     only. Both together are refused.
//   - Chunks have neither extensions nor trailers.
//   - The target is a path ("/translate?a=b"), not a URI with a host, "*" or
//     an authority, and has printable ASCII only.
//   - HTTP/1.1 has one Host field.
//
// Not thread-safe.
class RequestParser {
 public:
  static constexpr size_t kMaxTargetBytes = 8192;
  static constexpr size_t kMaxFields = 100;

  struct Limits {
    size_t max_header_bytes = 16 << 10;
    int64_t max_body_bytes = int64_t{4} << 20;
  };
  enum class State { kHeader, kBody, kDone, kFailed };
  // The reason of kFailed: the status to answer with, and words for people.
  struct Failure {
    int status = 400;
    std::string message;
  };

  explicit RequestParser(const Limits& limits);
  ~RequestParser() = default;
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Takes bytes and returns how many belong to the request. It is fewer than
  // there are once the request is whole (kDone), and when the header is whole:
  // then Put() stops, so that the caller can look at it first.
  size_t Put(absl::string_view bytes);

  State state() const { return state_; }
  // REQUIRES: state() is kFailed.
  const Failure& failure() const { return failure_; }
  // REQUIRES: state() is kBody or kDone.
  const HttpHeader& header() const { return header_; }
  // Bytes of the body so far.
  size_t body_size() const { return body_.size(); }
  // REQUIRES: state() is kDone.
  std::string TakeBody() { return std::move(body_); }

 private:
  size_t PutHeader(absl::string_view bytes);
  size_t PutBody(absl::string_view bytes);
  bool ReadHeader();
  bool ParseHeader();
  bool BeginBody();
  bool PutChunkByte(char c);
  bool EndChunkLine();
  bool Fail(int status, std::string message);
  bool FailTooLong();

  // The next thing in a body.
  enum class Part {
    kData,
    kChunkSize,     // hexadecimal digits, then CR LF
    kChunkSizeEnd,  // the LF
    kDataEnd,       // CR LF behind the data of a chunk
    kDataEndEnd,    // the LF
    kLastEnd,       // CR LF behind the last chunk, which is empty
    kLastEndEnd,    // the LF
  };

  const Limits limits_;
  State state_ = State::kHeader;
  Failure failure_;
  std::string raw_;  // the header so far
  HttpHeader header_;
  std::string body_;
  Part part_ = Part::kData;
  bool is_chunked_ = false;
  int64_t num_left_ = 0;    // bytes of the body, or of this chunk
  int32_t num_digits_ = 0;  // of the size of this chunk
};

}  // namespace sheaf
