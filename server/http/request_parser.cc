// SPDX-License-Identifier: Apache-2.0

#include "server/http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/http/header_rules.h"

namespace sheaf {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr absl::string_view kHeaderEnd = "\r\n\r\n";
// More digits would not fit into a number of bytes that is allowed.
constexpr int32_t kMaxChunkDigits = 8;

std::string Text(boost::beast::string_view view) {
  return std::string(view.data(), view.size());
}

}  // namespace

RequestParser::RequestParser(const Limits& limits) : limits_(limits) {}

bool RequestParser::Fail(int status, std::string message) {
  state_ = State::kFailed;
  failure_ = {status, std::move(message)};
  return false;
}

bool RequestParser::FailTooLong() {
  return Fail(413, absl::StrCat("the body is too long; this server allows ",
                                limits_.max_body_bytes, " bytes"));
}

size_t RequestParser::Put(absl::string_view bytes) {
  if (state_ == State::kHeader) return PutHeader(bytes);
  if (state_ == State::kBody) return PutBody(bytes);
  return 0;
}

size_t RequestParser::PutHeader(absl::string_view bytes) {
  const size_t old_size = raw_.size();
  const size_t room = limits_.max_header_bytes - old_size;
  absl::StrAppend(&raw_, bytes.substr(0, room));
  const size_t from = old_size - std::min(old_size, kHeaderEnd.size() - 1);
  const size_t end = absl::string_view(raw_).find(kHeaderEnd, from);
  const size_t line_end = raw_.find('\n');
  if (std::min(line_end, raw_.size()) > kMaxTargetBytes) {
    Fail(414, absl::StrCat("the line of the request is too long; this server "
                           "allows ",
                           kMaxTargetBytes, " bytes"));
    return 0;
  }
  // Told early, because the end may never come.
  if (end == std::string::npos) {
    if (raw_.find('\0', old_size) != std::string::npos) {
      Fail(400, "the header has a NUL byte");
    } else if (raw_.size() >= limits_.max_header_bytes) {
      Fail(431, absl::StrCat("the header is too long; this server allows ",
                             limits_.max_header_bytes,
                             " bytes (--max_metadata_bytes)"));
    } else if (old_size < 2 && !raw_.empty() &&
               (raw_[0] == '\r' || raw_[0] == '\n')) {
      Fail(400, "an empty line is before the request");
    }
    return state_ == State::kFailed ? 0 : bytes.size();
  }
  raw_.resize(end + kHeaderEnd.size());
  const size_t num_taken = raw_.size() - old_size;
  if (ReadHeader()) {
    state_ = header_.has_body ? State::kBody : State::kDone;
  }
  raw_.clear();
  raw_.shrink_to_fit();
  return num_taken;
}

bool RequestParser::ReadHeader() {
  if (std::string wrong = WrongBytesOfHeader(raw_); !wrong.empty()) {
    return Fail(400, std::move(wrong));
  }
  // The line of the request and the empty line are no fields.
  if (std::count(raw_.begin(), raw_.end(), '\n') >
      static_cast<std::ptrdiff_t>(kMaxFields) + 2) {
    return Fail(431, absl::StrCat("the header has more than ", kMaxFields,
                                  " fields, the most that this server allows"));
  }
  if (!ParseHeader()) return false;
  if (std::string wrong = WrongFields(header_); !wrong.empty()) {
    return Fail(400, std::move(wrong));
  }
  const absl::string_view expect = header_.Field("expect");
  header_.expects_continue = absl::EqualsIgnoreCase(expect, "100-continue");
  if (!expect.empty() && !header_.expects_continue) {
    return Fail(417, "Expect is not \"100-continue\"");
  }
  return BeginBody();
}

bool RequestParser::ParseHeader() {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<uint32_t>(limits_.max_header_bytes));
  parser.body_limit(std::numeric_limits<uint64_t>::max());
  error_code error;
  const size_t num_used =
      parser.put(asio::buffer(raw_.data(), raw_.size()), error);
  if (error == http::error::bad_version) {
    return Fail(505, "the version is neither HTTP/1.0 nor HTTP/1.1");
  }
  if (error || num_used != raw_.size() || !parser.is_header_done()) {
    return Fail(400, "the header is malformed");
  }
  const auto& request = parser.get();
  const std::string target = Text(request.target());
  if (std::string wrong = WrongTarget(target); !wrong.empty()) {
    return Fail(400, std::move(wrong));
  }
  header_.method = Text(request.method_string());
  header_.is_version_1_0 = request.version() == 10;
  header_.keeps_alive = request.keep_alive();
  for (const auto& field : request) {
    header_.fields.emplace_back(Text(field.name_string()), Text(field.value()));
  }
  const size_t question = target.find('?');
  header_.path = target.substr(0, question);
  if (question != std::string::npos) {
    header_.query = target.substr(question + 1);
  }
  return true;
}

// REQUIRES: WrongFields() found nothing.
bool RequestParser::BeginBody() {
  is_chunked_ = !header_.Field("transfer-encoding").empty();
  if (is_chunked_) {
    part_ = Part::kChunkSize;
  } else if (!absl::SimpleAtoi(header_.Field("content-length"), &num_left_)) {
    num_left_ = 0;
  }
  header_.has_body = is_chunked_ || num_left_ > 0;
  return num_left_ <= limits_.max_body_bytes || FailTooLong();
}

size_t RequestParser::PutBody(absl::string_view bytes) {
  size_t num_taken = 0;
  while (num_taken < bytes.size() && state_ == State::kBody) {
    if (part_ != Part::kData) {
      PutChunkByte(bytes[num_taken++]);
      continue;
    }
    const absl::string_view data =
        bytes.substr(num_taken, static_cast<size_t>(num_left_));
    absl::StrAppend(&body_, data);
    num_taken += data.size();
    num_left_ -= static_cast<int64_t>(data.size());
    if (num_left_ > 0) continue;
    if (is_chunked_) {
      part_ = Part::kDataEnd;
    } else {
      state_ = State::kDone;
    }
  }
  return num_taken;
}

// Takes a byte of what is around the data of chunks.
bool RequestParser::PutChunkByte(char c) {
  const auto expect = [&](char expected, Part next) {
    part_ = next;
    return c == expected || Fail(400, "the chunks of the body are malformed");
  };
  switch (part_) {
    case Part::kData:
      break;
    case Part::kChunkSize:
      if (num_digits_ > 0 && c == '\r') {
        part_ = Part::kChunkSizeEnd;
      } else if (!absl::ascii_isxdigit(c)) {
        return Fail(400, "the size of a chunk is no hexadecimal number");
      } else if (++num_digits_ > kMaxChunkDigits) {
        return Fail(400, "the size of a chunk is too long");
      } else {
        num_left_ = 16 * num_left_ + (absl::ascii_isdigit(c)
                                          ? c - '0'
                                          : absl::ascii_tolower(c) - 'a' + 10);
      }
      return true;
    case Part::kChunkSizeEnd:
      return expect('\n', Part::kData) && EndChunkLine();
    case Part::kDataEnd:
      return expect('\r', Part::kDataEndEnd);
    case Part::kDataEndEnd:
      return expect('\n', Part::kChunkSize);
    case Part::kLastEnd:
      if (c != '\r') {
        return Fail(400, "the body has trailers; this server takes none");
      }
      part_ = Part::kLastEndEnd;
      return true;
    case Part::kLastEndEnd:
      if (expect('\n', Part::kData)) state_ = State::kDone;
      return true;
  }
  return true;
}

// The size of a chunk is known.
bool RequestParser::EndChunkLine() {
  num_digits_ = 0;
  if (num_left_ == 0) part_ = Part::kLastEnd;
  return static_cast<int64_t>(body_.size()) + num_left_ <=
             limits_.max_body_bytes ||
         FailTooLong();
}

}  // namespace sheaf
