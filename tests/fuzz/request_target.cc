// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "server/http/request_parser.h"
#include "tests/fuzz/targets.h"

namespace sheaf {
namespace {

using State = RequestParser::State;

constexpr RequestParser::Limits kLimits = {/*max_header_bytes=*/2000,
                                           /*max_body_bytes=*/1000};

struct Parsed {
  State state = State::kHeader;
  size_t num_taken = 0;
  HttpHeader header;
  std::string body;

  friend bool operator==(const Parsed& a, const Parsed& b) {
    return a.state == b.state && a.num_taken == b.num_taken &&
           a.header.method == b.header.method &&
           a.header.path == b.header.path && a.header.query == b.header.query &&
           a.header.fields == b.header.fields && a.body == b.body;
  }
};

// Gives the bytes to a parser in pieces of these sizes, the last one again and
// again.
Parsed Parse(absl::string_view bytes, size_t first_piece, size_t piece) {
  RequestParser parser(kLimits);
  Parsed parsed;
  size_t size = first_piece;
  while (parsed.num_taken < bytes.size() && parser.state() != State::kDone &&
         parser.state() != State::kFailed) {
    const size_t num = parser.Put(bytes.substr(parsed.num_taken, size));
    SHEAF_CHECK(num <= size);
    SHEAF_CHECK(num > 0 || parser.state() == State::kFailed);
    parsed.num_taken += num;
    size = piece;
  }
  SHEAF_CHECK(parsed.num_taken <= bytes.size());
  parsed.state = parser.state();
  if (parsed.state == State::kFailed) {
    // How much was taken before, and which of several reasons counts, depends
    // on the pieces.
    parsed.num_taken = 0;
    SHEAF_CHECK(parser.failure().status >= 400);
    SHEAF_CHECK(!parser.failure().message.empty());
    return parsed;
  }
  if (parsed.state != State::kHeader) parsed.header = parser.header();
  SHEAF_CHECK(parser.body_size() <=
              static_cast<size_t>(kLimits.max_body_bytes));
  if (parsed.state == State::kDone) parsed.body = parser.TakeBody();
  return parsed;
}

// Takes the text before `end` from the beginning of `rest`, and `end`.
absl::string_view TakeUntil(absl::string_view& rest, absl::string_view end) {
  const size_t size = rest.find(end);
  SHEAF_CHECK(size != absl::string_view::npos);
  const absl::string_view taken = rest.substr(0, size);
  rest.remove_prefix(size + end.size());
  return taken;
}

// The data of chunks, which are at the beginning of `rest`; takes them.
std::string TakeChunks(absl::string_view& rest) {
  std::string data;
  for (;;) {
    uint32_t size = 0;
    const absl::string_view digits = TakeUntil(rest, "\r\n");
    SHEAF_CHECK(absl::c_all_of(digits, absl::ascii_isxdigit));
    SHEAF_CHECK(absl::SimpleHexAtoi(digits, &size));
    SHEAF_CHECK(rest.size() >= size + 2 && rest.substr(size, 2) == "\r\n");
    absl::StrAppend(&data, rest.substr(0, size));
    rest.remove_prefix(size + 2);
    if (size == 0) return data;
  }
}

// Beast puts fields of the same name together.
HttpFields ByName(HttpFields fields) {
  std::stable_sort(
      fields.begin(), fields.end(), [](const auto& a, const auto& b) {
        return absl::AsciiStrToLower(a.first) < absl::AsciiStrToLower(b.first);
      });
  return fields;
}

// Reads a request again that was accepted, in the plainest way (RFC 9112), as a
// proxy in front might.
void CheckAgain(absl::string_view bytes, const Parsed& parsed) {
  absl::string_view rest = bytes;
  absl::string_view head = TakeUntil(rest, "\r\n\r\n");
  const std::string lines = absl::StrCat(head, "\r\n");
  absl::string_view left = lines;
  SHEAF_CHECK(absl::StrContains(TakeUntil(left, "\r\n"), " HTTP/1."));
  std::optional<uint64_t> length;
  bool is_chunked = false;
  HttpFields fields;
  while (!left.empty()) {
    const absl::string_view line = TakeUntil(left, "\r\n");
    const size_t colon = line.find(':');
    SHEAF_CHECK(colon != absl::string_view::npos && colon > 0);
    const absl::string_view name = line.substr(0, colon);
    const absl::string_view value =
        absl::StripAsciiWhitespace(line.substr(colon + 1));
    SHEAF_CHECK(absl::c_all_of(name, [](char c) {
      return absl::ascii_isalnum(c) || absl::StrContains("!#$%&'*+-.^_`|~", c);
    }));
    fields.emplace_back(name, value);
    if (absl::EqualsIgnoreCase(name, "content-length")) {
      uint64_t number = 0;
      SHEAF_CHECK(!length.has_value() && absl::SimpleAtoi(value, &number));
      length = number;
    } else if (absl::EqualsIgnoreCase(name, "transfer-encoding")) {
      SHEAF_CHECK(!is_chunked && absl::EqualsIgnoreCase(value, "chunked"));
      is_chunked = true;
    }
  }
  SHEAF_CHECK(ByName(fields) == ByName(parsed.header.fields));
  SHEAF_CHECK(!is_chunked || !length.has_value());
  if (is_chunked) {
    SHEAF_CHECK(parsed.body == TakeChunks(rest));
  } else {
    SHEAF_CHECK(parsed.body == rest.substr(0, length.value_or(0)));
    rest.remove_prefix(length.value_or(0));
  }
  SHEAF_CHECK(parsed.num_taken == bytes.size() - rest.size());
}

}  // namespace

void CheckRequest(absl::string_view input) {
  const Parsed whole = Parse(input, input.size() + 1, 1);
  for (const size_t piece : {1, 2, 7}) {
    SHEAF_CHECK(Parse(input, piece, piece) == whole);
  }
  // Each input is cut at another place, too.
  size_t cut = input.size();
  for (const char c : input) cut = cut * 31 + static_cast<uint8_t>(c);
  cut = 1 + cut % (input.size() + 1);
  SHEAF_CHECK(Parse(input, cut, input.size() + 1) == whole);
  if (whole.state == State::kDone) CheckAgain(input, whole);
}

}  // namespace sheaf
