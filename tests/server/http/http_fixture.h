// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tests/server/server_fixture.h"
#include "tests/support/http_peer.h"

namespace sheaf {

struct HttpAnswer {
  int status = 0;
  std::string header;
  std::string text;
  nlohmann::json body;  // null if the text is no JSON
};

// A server with HTTP, a fake model and a log.
class HttpServerTest : public testing::Test {
 protected:
  void Start(const std::function<void(ServerOptions&)>& adjust =
                 [](ServerOptions&) {}) {
    harness_.emplace(/*max_sequences=*/8, /*max_queue=*/32, absl::Seconds(30),
                     &log_, [&](ServerOptions& options) {
                       options.http_listen = HostPort{"127.0.0.1", 0};
                       adjust(options);
                     });
  }
  int32_t port() { return harness_->server->http_listen()->port; }

  // A request; `fields` are whole lines.
  static std::string BytesOf(const std::string& method, const std::string& path,
                             const std::string& fields,
                             const std::string& body) {
    return absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: a\r\n", fields,
                        "Content-Length: ", body.size(), "\r\n\r\n", body);
  }
  static std::string JsonBytes(const std::string& path,
                               const nlohmann::json& body) {
    return BytesOf("POST", path, "Content-Type: application/json\r\n",
                   body.dump());
  }

  HttpAnswer Ask(const std::string& method, const std::string& path,
                 const std::string& fields, const std::string& body) {
    HttpPeer peer(port());
    peer.Send(BytesOf(method, path, fields + "Connection: close\r\n", body));
    HttpAnswer answer;
    answer.header = peer.ReadUntil("\r\n\r\n");
    EXPECT_THAT(answer.header, testing::StartsWith("HTTP/1.1 "));
    answer.status = std::atoi(answer.header.c_str() + 9);
    answer.text = peer.ReadAll();
    answer.body = nlohmann::json::parse(answer.text, nullptr,
                                        /*allow_exceptions=*/false);
    return answer;
  }
  // `body` is a text of JSON if it is a string.
  HttpAnswer PostJson(const std::string& path, const nlohmann::json& body,
                      const std::string& fields = "") {
    return Ask("POST", path, "Content-Type: application/json\r\n" + fields,
               body.is_string() ? body.get<std::string>() : body.dump());
  }
  HttpAnswer Get(const std::string& path) { return Ask("GET", path, "", ""); }

  // What gRPC answers to a translation from English to German.
  std::string Translated(const std::string& text) {
    grpc::ClientContext context;
    v1::TranslateResponse response;
    EXPECT_TRUE(
        harness_->text->Translate(&context, TranslateOf(text), &response).ok());
    return response.text();
  }
  std::string LogText() {
    EXPECT_TRUE(log_.Flush(absl::InfiniteDuration()));
    return absl::StrJoin(lines_, "\n");
  }

  std::vector<std::string> lines_;  // may be read after Flush()
  Log log_{LogFormat::kText, [this](absl::string_view line) {
             lines_.emplace_back(line);
             return true;
           }};
  std::optional<ServerHarness> harness_;
};

}  // namespace sheaf
