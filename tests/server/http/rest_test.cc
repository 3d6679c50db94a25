// SPDX-License-Identifier: Apache-2.0

// The methods of sheaf.v1 in JSON, and /v1/completions, on a fake model.

#include "server/http/rest.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/http/openapi.h"
#include "tests/server/http/http_fixture.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using google::protobuf::util::MessageDifferencer;
using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

template <typename Message>
Message FromJson(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(text, &message).ok())
      << text;
  return message;
}

// The data of the events of a whole answer without its chunks' sizes.
std::vector<std::string> DataOf(const std::string& text) {
  std::vector<std::string> data;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StartsWith(line, "data: ")) data.emplace_back(line.substr(6));
  }
  return data;
}

class RestTest : public HttpServerTest {
 protected:
  // The answer as events. An old client gets no chunks.
  std::string PostForEvents(const std::string& path, const json& body) {
    const std::string text = body.dump();
    HttpPeer peer(port());
    peer.Send(absl::StrCat("POST ", path,
                           " HTTP/1.0\r\nContent-Type: application/json\r\n"
                           "Accept: text/event-stream\r\nContent-Length: ",
                           text.size(), "\r\n\r\n", text));
    EXPECT_THAT(peer.ReadUntil("\r\n\r\n"),
                HasSubstr("Content-Type: text/event-stream\r\n"));
    return peer.ReadAll();
  }
};

const json kTranslate = {
    {"text", "HELLO."}, {"source_language", "en"}, {"target_language", "de"}};

TEST_F(RestTest, AnswersAsGrpcDoes) {
  Start();
  grpc::ClientContext context;
  v1::TranslateResponse expected;
  ASSERT_TRUE(
      harness_->text->Translate(&context, TranslateOf("HELLO."), &expected)
          .ok());
  const HttpAnswer answer = PostJson("/v1/translate", kTranslate);
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(MessageDifferencer::Equals(
      FromJson<v1::TranslateResponse>(answer.text), expected))
      << answer.text;
  EXPECT_EQ(PostJson("/v1/translate", {{"text", "HELLO."},
                                       {"sourceLanguage", "en"},
                                       {"targetLanguage", "de"}})
                .body,
            answer.body);
  grpc::ClientContext models_context;
  v1::ListModelsResponse models;
  ASSERT_TRUE(harness_->models->ListModels(&models_context, {}, &models).ok());
  EXPECT_TRUE(MessageDifferencer::Equals(
      FromJson<v1::ListModelsResponse>(Get("/v1/models").text), models));
  EXPECT_TRUE(MessageDifferencer::Equals(
      FromJson<v1::Model>(Get("/v1/models/fake").text), models.models(0)));
  EXPECT_EQ(Get("/v1/models/other").status, 404);
}

TEST_F(RestTest, RunsEveryMethod) {
  Start();
  EXPECT_EQ(PostJson("/v1/summarize", {{"text", "HELLO."}}).status, 200);
  const HttpAnswer generated =
      PostJson("/v1/generate", {{"tokens", {{"ids", ByteTokens("OK")}}},
                                {"decoding", {{"max_new_tokens", 5}}}});
  EXPECT_EQ(generated.body["hypotheses"][0]["text"], "OK");
  const HttpAnswer detected =
      PostJson("/v1/detect", {{"texts", {"Das ist ein deutscher Satz."}}});
  EXPECT_EQ(detected.body["results"][0]["languages"][0]["language"], "de");
}

TEST_F(RestTest, StreamsTheSameText) {
  Start();
  const std::string events = PostForEvents("/v1/translate", kTranslate);
  EXPECT_THAT(events, EndsWith("\n\n"));
  const std::vector<std::string> data = DataOf(events);
  ASSERT_FALSE(data.empty());
  std::string text;
  for (const std::string& each : data) {
    text += FromJson<v1::TextChunk>(each).text();
  }
  EXPECT_EQ(text, Translated("HELLO."));
  EXPECT_EQ(FromJson<v1::TextChunk>(data.back()).finish_reason(),
            v1::FINISH_REASON_EOS);
  EXPECT_GT(FromJson<v1::TextChunk>(data.back()).usage().output_tokens(), 0);
}

TEST_F(RestTest, AStreamThatIsRefusedIsAnError) {
  Start();
  const HttpAnswer answer =
      PostJson("/v1/generate", {{"text", ""}},
               "Accept: application/json;q=0.1, text/event-stream\r\n");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.header,
              HasSubstr("Content-Type: application/problem+json\r\n"));
}

TEST_F(RestTest, AStreamEndsWithAnErrorIfItCannotBeFinished) {
  Start([](ServerOptions& options) {
    options.default_deadline = absl::Milliseconds(300);
  });
  harness_->gate.Close(/*num_steps=*/5);
  // The engine continues once the deadline has passed.
  std::thread engine([&] {
    harness_->gate.AwaitEngine();
    const MonotonicTime end = MonotonicTime::Now() + absl::Milliseconds(300);
    while (MonotonicTime::Now() < end) std::this_thread::yield();
    harness_->gate.Open();
  });
  const std::string events =
      PostForEvents("/v1/generate", {{"tokens", {{"ids", {kEndlessToken}}}},
                                     {"decoding", {{"max_new_tokens", 200}}}});
  engine.join();
  EXPECT_THAT(events, HasSubstr("event: error\ndata: {"));
  EXPECT_EQ(json::parse(DataOf(events).back())["code"], "DEADLINE_EXCEEDED");
}

TEST_F(RestTest, ErrorsNameTheField) {
  Start();
  const HttpAnswer answer =
      PostJson("/v1/generate", {{"text", "a"}, {"decoding", {{"top_p", 2}}}});
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.header,
              HasSubstr("Content-Type: application/problem+json\r\n"));
  EXPECT_EQ(answer.body["type"], "about:blank");
  EXPECT_EQ(answer.body["title"], "Bad Request");
  EXPECT_EQ(answer.body["status"], 400);
  EXPECT_EQ(answer.body["code"], "INVALID_ARGUMENT");
  EXPECT_EQ(answer.body["field"], "decoding.top_p");
  EXPECT_THAT(answer.body["detail"].get<std::string>(),
              StartsWith("decoding.top_p is 2;"));
  EXPECT_EQ(PostJson("/v1/generate", {{"text", "a"}, {"model", "x"}}).status,
            404);
}

TEST_F(RestTest, BodiesAreReadStrictly) {
  Start();
  for (const std::string body : {
           R"({"text":"a","unknown":1})",
           R"({"text":"a","text":"b"})",
           R"({"text":"a","decoding":{"top_p":1,"topP":0.5}})",
           R"({"text":"a","decoding":{"top_p":1,"top_p":0.5}})",
           R"({"text":"a","tokens":{"ids":[1]}})",
           R"({"text":1})",
           R"({"tokens":{"ids":[1.5]}})",
           R"({"tokens":{"ids":[99999999999]}})",
           R"({"text":"a","decoding":"x"})",
           R"([{"text":"a"}])",
           R"({"text":"a"} {})",
           R"({'text':'a'})",
           R"({text:"a"})",
           R"({"text":"a",})",
           R"({"text":"\ud800"})",
           "{\"text\":\"\xff\"}",
           "",
       }) {
    EXPECT_EQ(PostJson("/v1/generate", body).status, 400) << body;
  }
  std::string deep = "1";
  for (int i = 0; i < 10'000; ++i) deep = absl::StrCat("{\"a\":", deep, "}");
  EXPECT_EQ(PostJson("/v1/generate", deep).status, 400);
  EXPECT_EQ(PostJson("/v1/generate?stream=true", {{"text", "a"}}).status, 400);
  EXPECT_EQ(
      Ask("POST", "/v1/generate", "Content-Type: text/json\r\n", "{}").status,
      415);
}

TEST_F(RestTest, NothingIsReadWithoutAToken) {
  const TempDir dir;
  const std::string tokens = dir.Write(
      "tokens",
      "a 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n");
  Start([&](ServerOptions& options) { options.auth_tokens_file = tokens; });
  HttpPeer peer(port());
  peer.Send(
      "POST /v1/generate HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
      "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n");
  const std::string header = peer.ReadUntil("\r\n\r\n");
  EXPECT_THAT(header, StartsWith("HTTP/1.1 401 Unauthorized\r\n"));
  EXPECT_THAT(header, HasSubstr("WWW-Authenticate: Bearer\r\n"));
  EXPECT_THAT(header, HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(Get("/v1/models").status, 401);
  EXPECT_EQ(PostJson("/v1/completions", {{"prompt", "a"}}).status, 401);
  EXPECT_EQ(
      Ask("GET", "/v1/models", "Authorization: Bearer secret\r\n", "").status,
      200);
}

// Every $ref leads to a schema.
void CheckRefs(const json& value, const json& document) {
  if (!value.is_structured()) return;
  for (const auto& [key, member] : value.items()) {
    if (key == "$ref") {
      const std::string ref = member.get<std::string>().substr(1);
      EXPECT_TRUE(document.contains(json::json_pointer(ref))) << ref;
    }
    CheckRefs(member, document);
  }
}

TEST_F(RestTest, TheDocumentDescribesThePaths) {
  Start();
  const HttpAnswer answer = Get("/openapi.json");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body["openapi"], "3.1.0");
  CheckRefs(answer.body, answer.body);
  for (const auto& [path, item] : answer.body["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      EXPECT_NE(
          Ask(method == "get" ? "GET" : "POST",
              absl::StrContains(path, "{") ? "/v1/models/fake" : path, "", "")
              .status,
          405)
          << path;
    }
  }
  const json& fields =
      answer.body["components"]["schemas"]["TranslateRequest"]["properties"];
  EXPECT_EQ(fields["text"]["type"], "string");
  EXPECT_EQ(fields["decoding"]["$ref"], "#/components/schemas/DecodingOptions");
}

// Whether the paths take the parameters that the document has.
TEST_F(RestTest, TheDocumentHasTheParametersOfCompletions) {
  Start();
  const json document = Get("/openapi.json").body;
  const json& schema = document["components"]["schemas"]["CompletionRequest"];
  ASSERT_TRUE(schema.contains("properties"));
  for (const auto& [name, value] : schema["properties"].items()) {
    json body = {{"prompt", ByteTokens("OK")}, {"max_tokens", 5}};
    body[name] = nullptr;
    const HttpAnswer answer = PostJson("/v1/completions", body);
    EXPECT_EQ(answer.status, name == "prompt" ? 400 : 200)
        << name << answer.text;
  }
  const HttpAnswer answer =
      PostJson("/v1/completions", {{"prompt", ByteTokens("OK")}, {"x", 1}});
  EXPECT_EQ(answer.status, 400);
  const json& completion = document["components"]["schemas"]["Completion"];
  const HttpAnswer right =
      PostJson("/v1/completions", {{"prompt", ByteTokens("OK")}});
  for (const auto& [name, value] : right.body.items()) {
    EXPECT_TRUE(completion["properties"].contains(name)) << name;
  }
  for (const json& name : completion["required"]) {
    EXPECT_TRUE(right.body.contains(name.get<std::string>())) << name;
  }
}

TEST_F(RestTest, CompletionsHaveOpenAisForm) {
  Start();
  const HttpAnswer answer = PostJson(
      "/v1/completions",
      {{"model", "fake"}, {"prompt", ByteTokens("OK")}, {"max_tokens", 5}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body["object"], "text_completion");
  EXPECT_EQ(answer.body["model"], "fake");
  EXPECT_EQ(answer.body["choices"][0]["text"], "OK");
  EXPECT_EQ(answer.body["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(answer.body["usage"]["completion_tokens"], 2);
  EXPECT_THAT(answer.body["id"].get<std::string>(), StartsWith("cmpl-"));
  EXPECT_EQ(PostJson("/v1/completions", {{"prompt", {kEndlessToken}},
                                         {"temperature", 0.5},
                                         {"seed", 1},
                                         {"stop", {"x"}},
                                         {"n", 1},
                                         {"user", "me"}})
                .body["choices"][0]["finish_reason"],
            "length");
}

TEST_F(RestTest, CompletionsAreStreamed) {
  Start();
  const std::string events = PostForEvents(
      "/v1/completions", {{"prompt", ByteTokens("HELLO")},
                          {"stream", true},
                          {"stream_options", {{"include_usage", true}}}});
  const std::vector<std::string> data = DataOf(events);
  ASSERT_GE(data.size(), 3u);
  EXPECT_EQ(data.back(), "[DONE]");
  EXPECT_EQ(json::parse(data[data.size() - 2])["usage"]["completion_tokens"],
            5);
  std::string text;
  for (size_t i = 0; i + 2 < data.size(); ++i) {
    text += json::parse(data[i])["choices"][0]["text"];
  }
  EXPECT_EQ(text, "HELLO");
}

TEST_F(RestTest, CompletionsRefuseWhatIsNotOffered) {
  Start();
  for (const json& change : std::vector<json>{
           {{"n", 2}},
           {{"echo", true}},
           {{"logprobs", 1}},
           {{"suffix", "a"}},
           {{"presence_penalty", 0.5}},
           {{"logit_bias", {{"1", 1}}}},
           {{"unknown", 1}},
           {{"prompt", {"a", "b"}}},
           {{"prompt", 5}},
           {{"prompt", json::array()}},
           {{"prompt", {-5.5}}},
           {{"prompt", {int64_t{40} - (int64_t{1} << 32)}}},
           {{"prompt", {uint64_t{1} << 63}}},
           {{"max_tokens", "a"}},
           {{"max_tokens", -1}},
           {{"max_tokens", (uint64_t{1} << 63) + 5}},
           {{"max_tokens", 1000000}},
           {{"temperature", "a"}},
           {{"top_p", 2}},
           {{"seed", 0.5}},
           {{"stop", 1}},
           {{"stream", 1}},
           {{"stream_options", {{"include_usage", true}}}},
           {{"model", 1}},
       }) {
    json request = {{"prompt", "a"}};
    request.update(change);
    const HttpAnswer answer = PostJson("/v1/completions", request);
    EXPECT_EQ(answer.status, 400) << change;
    EXPECT_TRUE(answer.body["error"]["message"].is_string()) << change;
    EXPECT_EQ(answer.body["error"]["type"], "invalid_request_error");
  }
}

}  // namespace
}  // namespace sheaf
