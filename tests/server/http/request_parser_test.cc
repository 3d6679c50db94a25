// SPDX-License-Identifier: Apache-2.0

#include "server/http/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;
using State = RequestParser::State;

constexpr RequestParser::Limits kLimits = {/*max_header_bytes=*/1000,
                                           /*max_body_bytes=*/100};

// Gives all bytes to the parser in pieces of a size. Returns how many it took.
size_t PutAll(RequestParser& parser, absl::string_view bytes,
              size_t piece = 1 << 20) {
  size_t num_taken = 0;
  while (num_taken < bytes.size() && parser.state() != State::kDone &&
         parser.state() != State::kFailed) {
    num_taken += parser.Put(bytes.substr(num_taken, piece));
  }
  return num_taken;
}

std::string Post(const std::string& fields, const std::string& body) {
  return absl::StrCat("POST /translate HTTP/1.1\r\nHost: a\r\n", fields, "\r\n",
                      body);
}

// The status with which a request is refused; 0: it is not.
int StatusOf(const std::string& bytes) {
  RequestParser parser(kLimits);
  PutAll(parser, bytes);
  return parser.state() == State::kFailed ? parser.failure().status : 0;
}

TEST(RequestParserTest, ReadsARequestInPiecesOfAnySize) {
  const std::string bytes =
      "POST /translate?a=b HTTP/1.1\r\nHost: test\r\ncontent-length:  4 \r\n"
      "X-A: 1\r\n\r\nbody";
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    RequestParser parser(kLimits);
    EXPECT_EQ(PutAll(parser, bytes, piece), bytes.size());
    ASSERT_EQ(parser.state(), State::kDone) << piece;
    const HttpHeader& header = parser.header();
    EXPECT_EQ(header.method, "POST");
    EXPECT_EQ(header.path, "/translate");
    EXPECT_EQ(header.query, "a=b");
    EXPECT_EQ(header.Field("x-a"), "1");
    EXPECT_TRUE(header.has_body);
    EXPECT_TRUE(header.keeps_alive);
    EXPECT_EQ(parser.TakeBody(), "body");
  }
}

TEST(RequestParserTest, ReadsChunksInPiecesOfAnySize) {
  const std::string bytes = Post("Transfer-Encoding: chunked\r\n",
                                 "4\r\nabcd\r\nA\r\n0123456789\r\n"
                                 "0\r\n\r\n");
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    RequestParser parser(kLimits);
    EXPECT_EQ(PutAll(parser, bytes, piece), bytes.size());
    ASSERT_EQ(parser.state(), State::kDone) << piece;
    EXPECT_EQ(parser.TakeBody(), "abcd0123456789");
  }
}

TEST(RequestParserTest, StopsAtTheEndOfTheRequest) {
  for (const std::string& request :
       {std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Post("Content-Length: 2\r\n", "ab"),
        Post("Transfer-Encoding: chunked\r\n", "2\r\nab\r\n0\r\n\r\n")}) {
    RequestParser parser(kLimits);
    EXPECT_EQ(PutAll(parser, request + "GET /next"), request.size());
    EXPECT_EQ(parser.state(), State::kDone);
  }
}

TEST(RequestParserTest, TellsTheHeaderBeforeTheBody) {
  RequestParser parser(kLimits);
  const std::string header = Post("Content-Length: 2\r\n", "");
  EXPECT_EQ(parser.Put(header + "ab"), header.size());
  EXPECT_EQ(parser.state(), State::kBody);
  EXPECT_EQ(parser.header().method, "POST");
}

TEST(RequestParserTest, RefusesTwoOpinionsAboutTheLength) {
  for (const char* fields : {
           "Content-Length: 2\r\nContent-Length: 2\r\n",
           "Content-Length: 2\r\nContent-Length: 3\r\n",
           "Content-Length: 2, 2\r\n",
           "Content-Length: +2\r\n",
           "Content-Length: -2\r\n",
           "Content-Length: 0x2\r\n",
           "Content-Length: 2 2\r\n",
           "Content-Length: \r\n",
           "Content-Length: 99999999999999999999999\r\n",
           "Content-Length : 2\r\n",
           "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: gzip, chunked\r\n",
           "Transfer-Encoding: gzip\r\n",
           "Transfer-Encoding: xchunked\r\n",
           "Transfer-Encoding: chunked, identity\r\n",
           "Transfer-Encoding:\r\n",
           "Trailer: X-A\r\nTransfer-Encoding: chunked\r\n",
       }) {
    EXPECT_EQ(StatusOf(Post(fields, "ab")), 400) << fields;
  }
  EXPECT_EQ(StatusOf("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            400);
}

TEST(RequestParserTest, RefusesChunksThatParsersReadDifferently) {
  for (const char* chunks : {
           "2;a=b\r\nab\r\n0\r\n\r\n",      // an extension
           "2 \r\nab\r\n0\r\n\r\n",         // white space
           "+2\r\nab\r\n0\r\n\r\n",         //
           "0x2\r\nab\r\n0\r\n\r\n",        //
           "-1\r\nab\r\n0\r\n\r\n",         //
           "\r\nab\r\n0\r\n\r\n",           // no size
           "2\nab\r\n0\r\n\r\n",            // LF alone
           "2\r\nabc\r\n0\r\n\r\n",         // more data than announced
           "2\r\nab0\r\n\r\n",              // no line end behind the data
           "000000002\r\nab\r\n0\r\n\r\n",  // a long size
           "0\r\nX-Trailer: a\r\n\r\n",     // trailers
           "2\r\nab\r\n0\r\nContent-Length: 5\r\n\r\n",
           "0\r\n\n",
       }) {
    EXPECT_EQ(StatusOf(Post("Transfer-Encoding: chunked\r\n", chunks)), 400)
        << chunks;
  }
}

TEST(RequestParserTest, RefusesBytesThatEndLinesElsewhere) {
  for (const std::string& fields : {
           std::string("X-A: 1\r\n folded\r\n"),
           std::string("X-A: 1\r\n\tfolded\r\n"),
           std::string(" X-A: 1\r\n"),
           std::string("X-A: a\nb\r\n"),
           std::string("X-A: a\rb\r\n"),
           std::string("X-A: a\0b\r\n", 10),
           std::string("X\0A: a\r\n", 8),
           std::string("X-A: 1\nX-B: 2\n"),
           std::string("X A: 1\r\n"),
           std::string("no colon\r\n"),
           std::string(": empty\r\n"),
       }) {
    EXPECT_EQ(StatusOf(Post(fields, "")), 400) << fields;
  }
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\nHost: a\n\n" + std::string(1000, 'a')),
            431);
  EXPECT_EQ(StatusOf("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(std::string("GET / \0", 7)), 400);
}

TEST(RequestParserTest, RefusesTargetsThatAreNoPath) {
  for (const char* target :
       {"http://a/translate", "a:80", "*", "//a\x80", "/a b", "/\xc3\xa4",
        "translate", "/a#b", "/a\tb", ""}) {
    EXPECT_EQ(
        StatusOf(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: a\r\n\r\n")),
        400)
        << target;
  }
}

TEST(RequestParserTest, RefusesOtherVersionsAndHosts) {
  EXPECT_EQ(StatusOf("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(StatusOf("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(StatusOf("GET / HTTP/1.11\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET /\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.0\r\n\r\n"), 0);
}

TEST(RequestParserTest, RefusesFieldsThatAreThereTwice) {
  for (const char* name : {"Content-Type", "Authorization", "Expect"}) {
    EXPECT_EQ(
        StatusOf(Post(absl::StrCat(name, ": a\r\n", name, ": a\r\n"), "")), 400)
        << name;
  }
}

TEST(RequestParserTest, RefusesWhatIsTooLong) {
  EXPECT_EQ(StatusOf(Post("X-A: " + std::string(1000, 'a'), "")), 431);
  std::string many;
  for (int i = 0; i < 120; ++i) many += "a:\r\n";
  EXPECT_EQ(StatusOf(Post(many, "")), 431);
  EXPECT_EQ(StatusOf(Post("Content-Length: 101\r\n", "")), 413);
  EXPECT_EQ(StatusOf(Post("Transfer-Encoding: chunked\r\n", "65\r\n")), 413);
  EXPECT_EQ(StatusOf(Post("Transfer-Encoding: chunked\r\n", "ffffffff\r\n")),
            413);
  EXPECT_EQ(StatusOf(Post("Transfer-Encoding: chunked\r\n",
                          "64\r\n" + std::string(100, 'a') + "\r\n1\r\n")),
            413);
  RequestParser parser({/*max_header_bytes=*/1 << 16, /*max_body_bytes=*/0});
  PutAll(parser, "GET /" + std::string(9000, 'a'), /*piece=*/100);
  ASSERT_EQ(parser.state(), State::kFailed);
  EXPECT_EQ(parser.failure().status, 414);
}

TEST(RequestParserTest, KnowsWhatIsExpected) {
  EXPECT_EQ(StatusOf(Post("Expect: a\r\n", "")), 417);
  RequestParser parser(kLimits);
  PutAll(parser, Post("Expect: 100-Continue\r\nContent-Length: 1\r\n", ""));
  ASSERT_EQ(parser.state(), State::kBody);
  EXPECT_TRUE(parser.header().expects_continue);
}

TEST(RequestParserTest, KnowsWhetherTheConnectionIsKept) {
  const auto keeps = [](const std::string& bytes) {
    RequestParser parser(kLimits);
    PutAll(parser, bytes);
    EXPECT_EQ(parser.state(), State::kDone);
    return parser.header().keeps_alive;
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
}

TEST(MediaTypeTest, HasTypeCharsetAndBoundary) {
  const MediaType media = ParseMediaType(
      "Multipart/Form-Data; charset=\"UTF-8\" ;boundary=\"a b\";other=1");
  EXPECT_EQ(media.type, "multipart/form-data");
  EXPECT_EQ(media.charset, "utf-8");
  EXPECT_EQ(media.boundary, "a b");
  EXPECT_TRUE(media.is_valid);
  EXPECT_TRUE(ParseMediaType("a/b;").is_valid);
  for (const char* text :
       {"a/b; charset", "a/b; charset=", "a/b; charset=\"u",
        "a/b; charset=a; charset=b", "a/b; c=\"a\"b", "a/b; boundary=a b"}) {
    EXPECT_FALSE(ParseMediaType(text).is_valid) << text;
  }
}

}  // namespace
}  // namespace sheaf
