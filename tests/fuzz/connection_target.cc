// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "nlohmann/json.hpp"
#include "server/http/http_front.h"
#include "server/http/request_parser.h"
#include "tests/fuzz/fuzzed_server.h"
#include "tests/fuzz/targets.h"
#include "tests/support/http_peer.h"

namespace sheaf {
namespace {

// Far above what an answer takes, also on a machine that is busy. So are the
// limits of the front, because an answer about one would be another one.
constexpr int kPatienceMs = 600'000;

int32_t Port() {
  static HttpFront* const front = [] {
    HttpFront::Options options;
    options.address = {"127.0.0.1", 0};
    options.limits.header_timeout = options.limits.body_timeout =
        options.limits.answer_timeout = absl::Milliseconds(kPatienceMs);
    FuzzedServer& server = FuzzedServer::Get();
    auto started =
        HttpFront::Listen(options, &server.router(), &server.metrics());
    SHEAF_CHECK(started.ok());
    (*started)->Start();
    return started->release();
  }();
  return front->port();
}

struct Answer {
  int status = 0;
  bool is_last = false;  // of its connection
  HttpFields fields;
  std::string body;

  std::string Field(absl::string_view name) const {
    HttpHeader header;
    header.fields = fields;
    return header.Joined(name);
  }
};

bool IsToken(absl::string_view text) {
  return !text.empty() && absl::c_all_of(text, [](char c) {
    return absl::ascii_isalnum(c) || c == '-';
  });
}

bool IsText(absl::string_view text) {
  return absl::c_all_of(text,
                        [](char c) { return absl::ascii_isprint(c) != 0; });
}

void ReadHead(absl::string_view head, Answer& answer) {
  SHEAF_CHECK(absl::ConsumeSuffix(&head, "\r\n\r\n"));
  SHEAF_CHECK(absl::ConsumePrefix(&head, "HTTP/1.1 "));
  const std::vector<absl::string_view> lines = absl::StrSplit(head, "\r\n");
  SHEAF_CHECK(absl::SimpleAtoi(lines[0].substr(0, 3), &answer.status));
  SHEAF_CHECK(lines[0].substr(3, 1) == " " && IsText(lines[0]));
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(lines[i], absl::MaxSplits(": ", 1));
    SHEAF_CHECK(IsToken(field.first) && IsText(field.second));
    answer.fields.emplace_back(field.first, field.second);
  }
  answer.is_last = answer.Field("connection") == "close";
}

// Returns `size` bytes, or fewer if the server closes.
std::string ReadBytes(HttpPeer& peer, size_t size) {
  std::string bytes;
  do {
    bytes += peer.ReadExactly(size - bytes.size());
  } while (bytes.size() < size && !peer.IsClosed(kPatienceMs));
  return bytes;
}

std::string ReadToEnd(HttpPeer& peer) {
  std::string bytes;
  do {
    bytes += peer.ReadAll();
  } while (!peer.IsClosed(kPatienceMs));
  return bytes;
}

std::string ReadChunks(HttpPeer& peer) {
  std::string body;
  for (;;) {
    const std::string line = peer.ReadUntil("\r\n", kPatienceMs);
    uint32_t size = 0;
    SHEAF_CHECK(absl::SimpleHexAtoi(line, &size));
    const std::string data = ReadBytes(peer, size + 2);
    SHEAF_CHECK(data.size() == size + 2 && absl::EndsWith(data, "\r\n"));
    body += data.substr(0, size);
    if (size == 0) return body;
  }
}

// Reads the next answer, which must be whole and well-formed. None if the
// server closes instead.
std::optional<Answer> ReadAnswer(HttpPeer& peer, bool is_head) {
  const std::string head = peer.ReadUntil("\r\n\r\n", kPatienceMs);
  if (head.empty()) return std::nullopt;
  Answer answer;
  ReadHead(head, answer);
  const std::string length = answer.Field("content-length");
  const std::string encoding = answer.Field("transfer-encoding");
  if (answer.status == 100 || answer.status == 204) {
    SHEAF_CHECK(length.empty() && encoding.empty());
    return answer;
  }
  if (is_head) return answer;
  if (encoding == "chunked") {
    SHEAF_CHECK(length.empty());
    answer.body = ReadChunks(peer);
  } else if (!length.empty()) {
    size_t size = 0;
    SHEAF_CHECK(encoding.empty() && absl::SimpleAtoi(length, &size));
    answer.body = ReadBytes(peer, size);
    SHEAF_CHECK(answer.body.size() == size);
  } else {
    SHEAF_CHECK(encoding.empty() && answer.is_last);
    answer.body = ReadToEnd(peer);
  }
  if (answer.Field("content-type") == "application/json") {
    SHEAF_CHECK(nlohmann::json::accept(answer.body));
  }
  return answer;
}

// The answer to a request; those that only say "go on" do not count.
std::optional<Answer> ReadFinalAnswer(HttpPeer& peer, bool is_head) {
  std::optional<Answer> answer;
  do {
    answer = ReadAnswer(peer, is_head);
  } while (answer.has_value() && answer->status == 100);
  return answer;
}

// A request at the beginning of some bytes.
struct Asked {
  RequestParser::State state = RequestParser::State::kHeader;
  size_t size = 0;
  bool is_head = false;
};

Asked NextRequest(absl::string_view bytes) {
  const HttpLimits limits;
  RequestParser parser({limits.max_header_bytes, limits.max_body_bytes});
  Asked asked;
  bool is_over = false;
  while (asked.size < bytes.size() && !is_over) {
    asked.size += parser.Put(bytes.substr(asked.size));
    is_over = parser.state() == RequestParser::State::kDone ||
              parser.state() == RequestParser::State::kFailed;
  }
  asked.state = parser.state();
  if (asked.state == RequestParser::State::kDone ||
      asked.state == RequestParser::State::kBody) {
    asked.is_head = parser.header().method == "HEAD";
  }
  if (asked.state != RequestParser::State::kDone) asked.size = bytes.size();
  return asked;
}

// Sends bytes in two pieces. The server may close before it has them all.
void Send(HttpPeer& peer, absl::string_view bytes, uint64_t random) {
  const size_t cut = random % (bytes.size() + 1);
  if (peer.Send(bytes.substr(0, cut))) peer.Send(bytes.substr(cut));
}

// Reads the answers to all requests. `is_at_once`: sends them all before that,
// so that the first answer may be the last.
void Ask(absl::string_view input, bool is_at_once, uint64_t random) {
  HttpPeer peer(Port());
  SHEAF_CHECK(peer.is_connected());
  if (is_at_once) Send(peer, input, random);
  bool must_answer = true;
  while (!input.empty()) {
    const Asked asked = NextRequest(input);
    if (!is_at_once) Send(peer, input.substr(0, asked.size), random);
    input.remove_prefix(asked.size);
    const bool is_whole = asked.state == RequestParser::State::kDone ||
                          asked.state == RequestParser::State::kFailed;
    if (!is_whole) peer.EndSending();
    const std::optional<Answer> answer = ReadFinalAnswer(peer, asked.is_head);
    SHEAF_CHECK(answer.has_value() || !is_whole || !must_answer);
    if (!answer.has_value()) break;
    if (asked.state == RequestParser::State::kFailed) {
      SHEAF_CHECK(answer->status >= 400 && answer->is_last);
    }
    if (answer->is_last) break;
    must_answer = !is_at_once;
  }
  peer.EndSending();
  SHEAF_CHECK(ReadToEnd(peer).empty());
}

// Sends everything and leaves.
void AskAndLeave(absl::string_view input, uint64_t random) {
  HttpPeer peer(Port());
  Send(peer, input, random);
}

}  // namespace

void CheckConnection(absl::string_view input) {
  uint64_t random = input.size();
  for (const char c : input) random = random * 31 + static_cast<uint8_t>(c);
  switch (random % 8) {
    case 0:
      return AskAndLeave(input, random / 8);
    case 1:
    case 2:
      return Ask(input, /*is_at_once=*/true, random / 8);
    default:
      return Ask(input, /*is_at_once=*/false, random / 8);
  }
}

}  // namespace sheaf
