// SPDX-License-Identifier: Apache-2.0

// Everything that reads bytes of clients of HTTP, on mutated requests. A build
// with -DSHEAF_FUZZER is a target of libFuzzer instead, with the same checks.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "server/http/completions.h"
#include "server/http/form_body.h"
#include "server/http/libretranslate_texts.h"
#include "server/http/proto_json.h"
#include "server/http/request_parser.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {
namespace {

struct Parsed {
  RequestParser::State state;
  size_t num_taken;
  std::string path;
  std::string body;
  int status;

  friend bool operator==(const Parsed&, const Parsed&) = default;
};

Parsed Parse(absl::string_view bytes, size_t piece) {
  constexpr RequestParser::Limits kLimits = {/*max_header_bytes=*/2000,
                                             /*max_body_bytes=*/1000};
  RequestParser parser(kLimits);
  Parsed parsed = {};
  using State = RequestParser::State;
  while (parsed.num_taken < bytes.size() && parser.state() != State::kDone &&
         parser.state() != State::kFailed) {
    const size_t num = parser.Put(bytes.substr(parsed.num_taken, piece));
    SHEAF_CHECK(num <= piece);
    SHEAF_CHECK(num > 0 || parser.state() == State::kFailed);
    parsed.num_taken += num;
  }
  SHEAF_CHECK(parsed.num_taken <= bytes.size());
  parsed.state = parser.state();
  if (parsed.state == State::kFailed) {
    // Where a failure is noticed depends on the pieces.
    parsed.num_taken = 0;
    parsed.status = parser.failure().status;
    SHEAF_CHECK(parsed.status >= 400 && !parser.failure().message.empty());
    return parsed;
  }
  if (parsed.state != State::kHeader) parsed.path = parser.header().path;
  SHEAF_CHECK(parser.body_size() <= kLimits.max_body_bytes);
  if (parsed.state == State::kDone) parsed.body = parser.TakeBody();
  return parsed;
}

// The end of a request does not depend on how its bytes arrive.
void CheckParser(absl::string_view bytes) {
  const Parsed whole = Parse(bytes, bytes.size() + 1);
  for (const size_t piece : {1, 7}) {
    const Parsed other = Parse(bytes, piece);
    SHEAF_CHECK(other.state == whole.state && other.path == whole.path &&
                other.body == whole.body && other.num_taken == whole.num_taken);
  }
}

void CheckStatus(const absl::Status& status) {
  SHEAF_CHECK(status.ok() || absl::IsInvalidArgument(status));
}

void CheckBodies(const std::string& type, absl::string_view body) {
  HttpRequest request;
  request.header.fields = {{"Content-Type", type}};
  request.body = std::string(body);
  static const auto translate = LibreTranslateReader(nullptr, {});
  static const auto detect = LibreTranslateDetectReader(nullptr);
  static const auto complete = CompletionsReader(nullptr, "model");
  CheckStatus(translate(request).status());
  CheckStatus(detect(request).status());
  CheckStatus(complete(request).status());
}

// The first byte chooses what reads the others.
void CheckInput(absl::string_view input) {
  if (input.empty()) return;
  const absl::string_view bytes = input.substr(1);
  switch (input[0] % 6) {
    case 0:
      return CheckParser(bytes);
    case 1:
      return CheckBodies("application/json", bytes);
    case 2:
      return CheckBodies("application/x-www-form-urlencoded", bytes);
    case 3:
      return CheckBodies("multipart/form-data; boundary=b", bytes);
    case 4: {
      v1::TranslateRequest translate;
      CheckStatus(ParseProtoJson(std::string(bytes), &translate));
      v1::GenerateRequest generate;
      CheckStatus(ParseProtoJson(std::string(bytes), &generate));
      return;
    }
    default: {
      const MediaType media = ParseMediaType(bytes);
      CheckStatus(ParseMultipart(bytes, media.boundary).status());
      return;
    }
  }
}

#ifndef SHEAF_FUZZER

// Changes a few bytes, or repeats or removes a part.
std::string Mutated(std::string text, std::mt19937& random) {
  static constexpr absl::string_view kPieces[] = {
      "\r\n", "\n",      "\r",      "\r\n\r\n", "\"", "{",
      "}",    "[",       "]",       ":",        ",",  "%",
      "&",    "=",       "--",      "--b",      "0",  "5",
      "ffff", "chunked", "\\ud800", "\\",       " ",  "Content-Length"};
  const auto below = [&random](size_t n) { return n == 0 ? 0 : random() % n; };
  for (size_t i = 0; i <= below(4); ++i) {
    const size_t at = below(text.size() + 1);
    switch (below(4)) {
      case 0:
        text.insert(at, std::string(kPieces[below(std::size(kPieces))]));
        break;
      case 1:
        text.erase(at, below(8));
        break;
      case 2:
        text.insert(at, text.substr(below(text.size() + 1), below(40)));
        break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(random());
    }
  }
  return text;
}

TEST(BoundaryTest, MutatedRequestsAreReadOrRefused) {
  const std::string json =
      R"({"q":["a","\u00fc"],"source":"auto","target":"de","alternatives":2,)"
      R"("prompt":"a","max_tokens":5,"stream":true,"stop":["x"]})";
  const std::string proto =
      R"({"text":"a","sourceLanguage":"en","decoding":{"top_p":0.5,)"
      R"("stop":["a"],"seed":"5"},"tokens":{"ids":[1,2]}})";
  const std::vector<std::string> seeds = {
      absl::StrCat("POST /translate?a=b HTTP/1.1\r\nHost: a\r\n"
                   "Content-Type: application/json\r\nContent-Length: ",
                   json.size(), "\r\n\r\n", json, "GET /"),
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
      "Expect: 100-continue\r\n\r\n5\r\nabcde\r\n10\r\n0123456789abcdef\r\n"
      "0\r\n\r\n",
      json,
      "q=a+b%20c&source=en&target=de&q=%C3%BC&api_key=x",
      "--b\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\na\r\n--b\r\n"
      "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n"
      "Content-Type: text/plain\r\n\r\n\r\n--b--\r\n",
      proto,
      "multipart/form-data; charset=\"utf-8\"; boundary=b"};
  std::mt19937 random(1);
  constexpr int kNumCases = 30'000;
  for (int i = 0; i < kNumCases; ++i) {
    const std::string& seed = seeds[i % seeds.size()];
    const std::string bytes = Mutated(seed, random);
    for (char target = 0; target < 6; ++target) {
      CheckInput(absl::StrCat(std::string(1, target), bytes));
    }
  }
}

#endif

}  // namespace

#ifdef SHEAF_FUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  CheckInput(absl::string_view(reinterpret_cast<const char*>(bytes), size));
  return 0;
}
#endif

}  // namespace sheaf
