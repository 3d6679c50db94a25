// SPDX-License-Identifier: Apache-2.0

// Bad input to every method that takes a body, over sockets: each is refused
// with an error of the dialect, and the server continues to serve.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/server/http/http_fixture.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kJson[] = "Content-Type: application/json\r\n";

struct Method {
  const char* path;
  const char* text;        // the name of the field with the text or texts
  const char* other = "";  // fields without which it is refused
};
constexpr Method kMethods[] = {
    {"/translate", "q", R"(,"source":"en","target":"de")"},
    {"/detect", "q"},
    {"/v2/translate", "text", R"(,"target_lang":"DE")"},
    {"/v1/translate", "text"},
    {"/v1/summarize", "text"},
    {"/v1/generate", "text"},
    {"/v1/detect", "texts"},
    {"/v1/completions", "prompt"},
};

class BadInputTest : public HttpServerTest {
 protected:
  // The answer is an error of HTTP with a body that tells it.
  void ExpectRefused(const Method& method, const std::string& fields,
                     const std::string& body, int status) {
    const HttpAnswer answer = Ask("POST", method.path, fields, body);
    EXPECT_EQ(answer.status, status) << method.path << body.substr(0, 60);
    EXPECT_TRUE(answer.body.is_object()) << method.path << answer.text;
  }
  void ExpectWell() {
    EXPECT_EQ(Get("/health").status, 200);
    EXPECT_EQ(harness_->WhatIsLeft(), "");
  }
};

TEST_F(BadInputTest, JsonThatIsDeepOrHasAKeyTwiceIsRefused) {
  Start();
  for (const Method& method : kMethods) {
    const std::string name = absl::StrCat("{\"", method.text, "\":");
    for (const std::string& body : {
             absl::StrCat(name, std::string(50'000, '['),
                          std::string(50'000, ']'), "}"),
             std::string(50'000, '['),
             absl::StrCat(name, std::string(10'000, '{')),
             absl::StrCat(name, "\"a\",", name.substr(1), "\"b\"}"),
             absl::StrCat(name, "\"a\",\"\\u",
                          absl::Hex(method.text[0], absl::kZeroPad4),
                          &method.text[1], "\":\"b\"}"),
         }) {
      ExpectRefused(method, kJson, body, 400);
    }
  }
  ExpectWell();
}

TEST_F(BadInputTest, BytesThatAreNoTextAreRefused) {
  Start();
  for (const Method& method : kMethods) {
    const std::string name = absl::StrCat("{\"", method.text, "\":\"");
    for (const std::string& text :
         {std::string("a\0b", 3), std::string("\xff"), std::string("\xc0\x80"),
          std::string("\xed\xa0\x80"), std::string("\\ud800"),
          std::string("a\nb")}) {
      ExpectRefused(method, kJson, absl::StrCat(name, text, "\"}"), 400);
    }
    ExpectRefused(method, kJson, absl::StrCat("\xef\xbb\xbf", name, "a\"}"),
                  400);
  }
  ExpectWell();
}

TEST_F(BadInputTest, OtherContentTypesCharsetsAndEncodingsAreRefused) {
  Start();
  for (const Method& method : kMethods) {
    const std::string body = absl::StrCat("{\"", method.text, "\":\"a\"}");
    for (const std::string fields : {
             "Content-Type: text/plain\r\n",
             "Content-Type: application/xml\r\n",
             "Content-Type: application/jsonp\r\n",
             "Content-Type: application/json; charset=utf-16\r\n",
             "Content-Type: application/json; charset=latin1\r\n",
             "Content-Type: application/json; charset=utf-8; charset=utf-7\r\n",
             "Content-Type: application/json; charset=\r\n",
             "Content-Type: application/json, text/plain\r\n",
             "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
             "Content-Type: application/json\r\nContent-Encoding: br\r\n",
         }) {
      ExpectRefused(method, fields, body, 415);
    }
  }
  ExpectWell();
}

TEST_F(BadInputTest, AMillionTextsAreRefused) {
  Start(
      [](ServerOptions& options) { options.limits.max_text_bytes = 8 << 20; });
  for (const std::string text : {"\"a\"", "[]", "1"}) {
    std::string texts = absl::StrCat("[", text);
    for (int i = 1; i < 1'000'000; ++i) absl::StrAppend(&texts, ",", text);
    for (const Method& method : kMethods) {
      ExpectRefused(method, kJson,
                    absl::StrCat("{\"", method.text, "\":", texts, "]}"), 400);
    }
  }
  ExpectWell();
}

TEST_F(BadInputTest, OfAHundredMegabytesLittleIsRead) {
  Start();
  const std::string chunk =
      absl::StrCat("100000\r\n", std::string(1 << 20, 'a'), "\r\n");
  for (const std::string fields :
       {"Content-Length: 104857600\r\n", "Transfer-Encoding: chunked\r\n"}) {
    HttpPeer peer(port());
    peer.Send(absl::StrCat("POST /translate HTTP/1.1\r\nHost: a\r\n", kJson,
                           fields, "\r\n"));
    int num_sent = 0;
    while (num_sent < 100 && peer.Send(chunk)) ++num_sent;
    // The connection ended meanwhile, after an answer.
    EXPECT_LT(num_sent, 100) << fields;
    EXPECT_THAT(peer.ReadUntil("\r\n"), AnyOf(StartsWith("HTTP/1.1 413 "), ""))
        << fields;
  }
  ExpectWell();
}

TEST_F(BadInputTest, AHeaderThatDoesNotEndIsRefused) {
  Start();
  for (const std::string piece : {"X-A: b\r\n", "a", "X-A: \x01\r\n"}) {
    std::string bytes = "GET /health HTTP/1.1\r\nHost: a\r\n";
    while (bytes.size() < 100'000) bytes += piece;
    HttpPeer peer(port());
    peer.Send(bytes);
    EXPECT_THAT(peer.ReadUntil("\r\n"), StartsWith("HTTP/1.1 431 ")) << piece;
    // The server does not read on without end.
    int num_sent = 0;
    while (num_sent < 1000 && peer.Send(bytes)) ++num_sent;
    EXPECT_LT(num_sent, 1000);
  }
  std::string fields;
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&fields, "X-", i, ": a\r\n");
  EXPECT_EQ(Ask("GET", "/health", fields, "").status, 431);
  EXPECT_EQ(
      Ask("GET", "/health", "X-A: " + std::string(60'000, 'a') + "\r\n", "")
          .status,
      431);
  ExpectWell();
}

TEST_F(BadInputTest, ABodyThatDripsDoesNotGetMoreTime) {
  Start([](ServerOptions& options) {
    options.message_timeout = absl::Milliseconds(200);
  });
  HttpPeer peer(port());
  peer.Send(absl::StrCat("POST /v1/generate HTTP/1.1\r\nHost: a\r\n", kJson,
                         "Content-Length: 90000\r\n\r\n{"));
  // A byte per millisecond, for 25 times as long as the body may take.
  std::string answer;
  for (int i = 0; i < 5'000 && answer.empty() && peer.Send(" "); ++i) {
    answer = peer.ReadUntil("\r\n", /*timeout_ms=*/1);
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 408 "));
  ExpectWell();
}

TEST_F(BadInputTest, AClientThatEndsItsSideWithinABodyHasLeft) {
  Start();
  for (const std::string framing :
       {"Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{", "Content-Le"}) {
    HttpPeer peer(port());
    peer.Send(absl::StrCat("POST /v1/generate HTTP/1.1\r\nHost: a\r\n", kJson,
                           framing));
    peer.EndSending();
    EXPECT_EQ(peer.ReadAll(), "") << framing;
  }
  ExpectWell();
}

TEST_F(BadInputTest, PathsThatOnlyLookLikeOthersAreNotFound) {
  Start();
  for (const std::string path :
       {"/v1/../translate", "/v1/%2e%2e/translate", "//translate",
        "/translate/", "/Translate", "/translate%00", "/%74ranslate",
        "/translate;x", "/v1//translate", "/./translate", "/..", "/.",
        "/v1/models/..", "/v1/models/%2e%2e", "/download_file/../health",
        "/download_file/..%2f..%2fetc%2fpasswd"}) {
    EXPECT_EQ(Ask("GET", path, "", "").status, 404) << path;
  }
  ExpectWell();
}

TEST_F(BadInputTest, WrongTokensOpenNothing) {
  const TempDir dir;
  const std::string tokens = dir.Write(
      "tokens",
      "a 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n");
  Start([&](ServerOptions& options) { options.auth_tokens_file = tokens; });
  for (const Method& method : kMethods) {
    const std::string body =
        absl::StrCat("{\"", method.text, "\":\"a\"", method.other, "}");
    // The dialects of LibreTranslate and DeepL say 403.
    const int status = absl::StartsWith(method.path, "/v1/") ? 401 : 403;
    for (const std::string& value :
         {std::string("Bearer"), std::string("Bearer "),
          std::string("Bearer wrong"), std::string("Bearer secret x"),
          std::string("Bearer SECRET"), std::string("Basic c2VjcmV0"),
          std::string("secret"), std::string("DeepL-Auth-Key wrong"),
          "Bearer " + std::string(8000, 'a')}) {
      ExpectRefused(method,
                    absl::StrCat(kJson, "Authorization: ", value, "\r\n"), body,
                    status);
    }
  }
  for (const char* path : {"/v1/models", "/v1/stats", "/v2/usage"}) {
    EXPECT_THAT(Get(path).status, AnyOf(401, 403)) << path;
  }
}

}  // namespace
}  // namespace sheaf
