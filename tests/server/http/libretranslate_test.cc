// SPDX-License-Identifier: Apache-2.0

// LibreTranslate's API as its clients use it, on a server with a fake model.

#include "server/http/libretranslate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "server/http/libretranslate_languages.h"
#include "tests/server/http/http_fixture.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class LibreTranslateTest : public HttpServerTest {
 protected:
  HttpAnswer PostForm(const std::string& path, const std::string& body) {
    return Ask("POST", path,
               "Content-Type: application/x-www-form-urlencoded\r\n", body);
  }
};

json Request(const json& q) {
  return {{"q", q}, {"source", "en"}, {"target", "de"}};
}

TEST_F(LibreTranslateTest, TranslatesATextInEveryForm) {
  Start();
  const std::string expected = Translated("HELLO & GOODBYE.");
  ASSERT_FALSE(expected.empty());
  const HttpAnswer as_json =
      PostJson("/translate", Request("HELLO & GOODBYE."));
  EXPECT_EQ(as_json.status, 200);
  EXPECT_EQ(as_json.body, json({{"translatedText", expected}}));
  EXPECT_EQ(PostForm("/translate",
                     "q=HELLO+%26%20GOODBYE.&source=en&target=de&format=text")
                .body,
            as_json.body);
  EXPECT_EQ(Ask("POST", "/translate?source=en&target=de",
                "Content-Type: multipart/form-data; boundary=b\r\n",
                "--b\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n"
                "HELLO & GOODBYE.\r\n--b--\r\n")
                .body,
            as_json.body);
}

TEST_F(LibreTranslateTest, TranslatesAnArrayInItsOrder) {
  Start();
  json texts = json::array();
  json expected = json::array();
  for (int i = 0; i < 40; ++i) {  // more than run at the same time
    texts.push_back(absl::StrCat("TEXT ", i, "."));
    expected.push_back(Translated(texts.back()));
  }
  texts.push_back("");
  expected.push_back("");
  texts.push_back("19:30");
  expected.push_back("19:30");
  const HttpAnswer answer = PostJson("/translate", Request(texts));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, json({{"translatedText", expected}}));
  EXPECT_EQ(PostJson("/translate", Request({"HELLO."})).body["translatedText"],
            json::array({Translated("HELLO.")}));
}

// Mastodon's request.
TEST_F(LibreTranslateTest, DetectsTheSourceLanguage) {
  Start();
  const HttpAnswer answer = PostJson(
      "/translate", {{"q", {"This is an English sentence about cats.", "?!"}},
                     {"source", "auto"},
                     {"target", "de"},
                     {"format", "html"},
                     {"api_key", nullptr}});
  EXPECT_EQ(answer.status, 200);
  const json& detected = answer.body["detectedLanguage"];
  ASSERT_EQ(detected.size(), 2u);
  EXPECT_EQ(detected[0]["language"], "en");
  EXPECT_GT(detected[0]["confidence"], 90);
  EXPECT_LE(detected[0]["confidence"], 100);
  EXPECT_EQ(detected[1]["confidence"], 0);
}

TEST_F(LibreTranslateTest, KeepsTheTagsOfHtml) {
  Start();
  json request = Request("<p>19:30</p>&amp;<br>");
  request["format"] = "html";
  const HttpAnswer answer = PostJson("/translate", request);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body["translatedText"], "<p>19:30</p>&amp;<br>");
}

TEST_F(LibreTranslateTest, ReturnsAlternatives) {
  Start();
  json request = Request("HELLO.");
  request["alternatives"] = 3;
  HttpAnswer answer = PostJson("/translate", request);
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.body["translatedText"].is_string());
  EXPECT_TRUE(answer.body["alternatives"].is_array());
  EXPECT_LE(answer.body["alternatives"].size(), 3u);
  request["q"] = {"HELLO.", "GOODBYE."};
  request["alternatives"] = "2";
  answer = PostJson("/translate", request);
  ASSERT_EQ(answer.body["alternatives"].size(), 2u);
  EXPECT_TRUE(answer.body["alternatives"][0].is_array());
  request["alternatives"] = 8;  // the server runs 8 sequences
  answer = PostJson("/translate", request);
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body["error"],
            "Invalid request: alternatives parameter must be <= 7");
  for (const json& wrong : {json("many"), json(uint64_t{1} << 63)}) {
    request["alternatives"] = wrong;
    EXPECT_EQ(PostJson("/translate", request).body["error"],
              "Invalid request: alternatives parameter is not a number");
  }
}

TEST_F(LibreTranslateTest, RefusesWhatItsClientsExpectToBeRefused) {
  Start();
  const auto error = [&](const json& change) {
    json request = Request("HELLO.");
    request.update(change);
    const HttpAnswer answer = PostJson("/translate", request);
    EXPECT_EQ(answer.status, 400) << change;
    return answer.body["error"].get<std::string>();
  };
  EXPECT_EQ(error({{"q", nullptr}}), "Invalid request: missing q parameter");
  EXPECT_EQ(error({{"q", ""}}), "Invalid request: missing q parameter");
  EXPECT_EQ(error({{"q", json::array()}}),
            "Invalid request: missing q parameter");
  EXPECT_EQ(error({{"source", ""}}),
            "Invalid request: missing source parameter");
  EXPECT_EQ(error({{"target", nullptr}}),
            "Invalid request: missing target parameter");
  EXPECT_EQ(error({{"format", "xml"}}), "xml format is not supported");
  EXPECT_THAT(error({{"target", "zz"}}), StartsWith("target is \"zz\""));
  EXPECT_THAT(error({{"target", "fr"}}), HasSubstr("\"fr\""));
  EXPECT_THAT(error({{"q", 5}}), HasSubstr("neither a string nor an array"));
  EXPECT_THAT(error({{"q", {"a", 5}}}), HasSubstr("array of strings"));
  EXPECT_THAT(error({{"q", json::array({json::array({"a"})})}}),
              HasSubstr("array of strings"));
  EXPECT_THAT(error({{"source", 5}}), HasSubstr("source is no string"));
  EXPECT_THAT(error({{"q", std::string(100'001, 'a')}}),
              StartsWith("q has 100001 bytes"));
}

TEST_F(LibreTranslateTest, RefusesBodiesThatAreNoRequest) {
  Start();
  for (const std::string& body :
       {std::string("[]"), std::string("\"a\""), std::string("{"),
        std::string(""), std::string("{\"q\":\"a\",\"q\":\"b\"}"),
        std::string("{\"q\":\"\xff\"}"), std::string(100'000, '['),
        absl::StrCat("{\"q\":", std::string(1000, '['), std::string(1000, ']'),
                     "}"),
        std::string("{\"q\":\"a\"} x"), std::string("{\"q\":\"\\ud800\"}")}) {
    const HttpAnswer answer = PostJson("/translate", body);
    EXPECT_EQ(answer.status, 400) << body.substr(0, 50);
    EXPECT_TRUE(answer.body["error"].is_string());
  }
  // A million texts.
  std::string many = "{\"source\":\"en\",\"target\":\"de\",\"q\":[\"\"";
  for (int i = 0; i < 60'000; ++i) many += ",\"\"";
  EXPECT_EQ(PostJson("/translate", many + "]}").status, 400);
  json texts = json::array();
  for (int i = 0; i < 1001; ++i) texts.push_back("a");
  EXPECT_THAT(PostJson("/translate", Request(texts)).body["error"],
              HasSubstr("q has 1001 texts"));
  for (const std::string fields :
       {"Content-Type: text/plain\r\n", "Content-Type: application/xml\r\n",
        "Content-Type: application/json; charset=latin1\r\n",
        "Content-Type: multipart/form-data\r\n", "",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"}) {
    EXPECT_EQ(Ask("POST", "/translate", fields, "{}").status, 415) << fields;
  }
  EXPECT_EQ(PostForm("/translate", "q=%zz&source=en&target=de").status, 400);
  EXPECT_EQ(PostForm("/translate", "q=a&q=b&source=en&source=de&target=de")
                .body["error"],
            "source is no string, or there twice");
}

TEST_F(LibreTranslateTest, TranslatesFiles) {
  Start();
  const auto post = [&](const std::string& disposition,
                        const std::string& bytes) {
    return Ask("POST", "/translate_file",
               "Content-Type: multipart/form-data; boundary=b\r\n",
               absl::StrCat("--b\r\nContent-Disposition: form-data; ",
                            disposition, "\r\n\r\n", bytes,
                            "\r\n--b\r\nContent-Disposition: form-data; "
                            "name=source\r\n\r\nen\r\n--b\r\n"
                            "Content-Disposition: form-data; name=target"
                            "\r\n\r\nde\r\n--b--\r\n"));
  };
  std::string lines;
  for (int i = 0; i < 30; ++i) absl::StrAppend(&lines, "LINE ", i, ".\n\n");
  const HttpAnswer answer = post("name=file; filename=\"a.TXT\"", lines);
  ASSERT_EQ(answer.status, 200) << answer.text;
  const std::string url = answer.body["translatedFileUrl"];
  ASSERT_THAT(url, StartsWith("http://a/download_file/"));
  const std::string path = url.substr(std::string("http://a").size());
  const HttpAnswer file = Get(path);
  EXPECT_EQ(file.status, 200);
  EXPECT_THAT(file.header, HasSubstr("Content-Disposition: attachment; "));
  std::string expected;
  for (int i = 0; i < 30; ++i) {
    absl::StrAppend(&expected, Translated(absl::StrCat("LINE ", i, ".")),
                    "\n\n");
  }
  EXPECT_EQ(file.text, expected);
  EXPECT_EQ(Get(path + "x").status, 404);
  EXPECT_EQ(Get("/download_file/..%2f..%2fetc%2fpasswd").status, 404);

  EXPECT_EQ(post("name=file; filename=empty.txt", "").status, 200);
  for (const std::string disposition :
       {"name=file; filename=\"a.exe\"", "name=file; filename=\"a\"",
        "name=file", "name=other; filename=\"a.txt\"",
        "name=file; filename=\"../a.json\""}) {
    const HttpAnswer refused = post(disposition, "HELLO.");
    EXPECT_EQ(refused.status, 400) << disposition;
    EXPECT_TRUE(refused.body["error"].is_string());
  }
}

TEST_F(LibreTranslateTest, DetectsLanguages) {
  Start();
  const HttpAnswer answer =
      PostForm("/detect", "q=Das+ist+ein+deutscher+Satz+ueber+Katzen.");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body[0]["language"], "de");
  EXPECT_GT(answer.body[0]["confidence"], 50);
  EXPECT_EQ(PostJson("/detect", {{"q", "?"}}).body.size(), 1u);
  EXPECT_EQ(PostJson("/detect", json::object()).status, 400);
}

TEST_F(LibreTranslateTest, ListsLanguagesAndSettings) {
  Start();
  const HttpAnswer languages = Get("/languages");
  EXPECT_EQ(languages.status, 200);
  EXPECT_EQ(languages.body,
            json::parse(R"([{"code":"en","name":"English","targets":["de"]},
                            {"code":"de","name":"German","targets":[]}])"));
  const HttpAnswer settings = Get("/frontend/settings");
  EXPECT_EQ(settings.body["charLimit"], ServerHarness::kMaxTextBytes);
  EXPECT_EQ(settings.body["keyRequired"], false);
  EXPECT_EQ(settings.body["filesTranslation"], true);
  EXPECT_EQ(settings.body["supportedFilesFormat"][0], ".txt");
  EXPECT_EQ(settings.body["language"]["target"]["code"], "de");
  EXPECT_EQ(Get("/health").body, json({{"status", "ok"}}));
  EXPECT_EQ(PostJson("/suggest", json::object()).status, 403);
}

TEST(LibreTranslateLanguagesTest, KnowsAllPairsOfAMultilingualModel) {
  ModelTasks tasks;
  Task any;
  any.kind = Task::Kind::kAnyTranslation;
  tasks.tasks.push_back(any);
  const Language codes[] = {*ReadLanguage("en"), *ReadLanguage("zh-Hant"),
                            *ReadLanguage("zh-Hans")};
  tasks.sources = LanguageSet::Of(codes);
  tasks.targets = tasks.sources;
  EXPECT_EQ(
      LibreTranslateLanguages(tasks),
      json::parse(
          R"json([{"code":"en","name":"English","targets":["zh-Hant","zh-Hans"]},
              {"code":"zh-Hant","name":"Chinese (Traditional)",
               "targets":["en","zh-Hans"]
},
              {"code":"zh-Hans","name":"Chinese (Simplified)",
               "targets":["en","zh-Hant"]}])json"));
}

TEST_F(LibreTranslateTest, ATokenMayBeInTheBodyOrTheHeader) {
  const TempDir dir;
  const std::string tokens = dir.path() + "/tokens";
  // The SHA-256 of "secret".
  std::ofstream(tokens)
      << "weblate 2bb80d537b1da3e38bd30361aa855686bde0eacd7162"
         "fef6a25fe97bf527a25b\n";
  Start([&](ServerOptions& options) { options.auth_tokens_file = tokens; });
  json request = Request("HELLO.");
  EXPECT_EQ(PostJson("/translate", request).status, 403);
  EXPECT_TRUE(PostJson("/translate", request).body["error"].is_string());
  request["api_key"] = "wrong";
  EXPECT_EQ(PostJson("/translate", request).status, 403);
  request["api_key"] = "secret";
  EXPECT_EQ(PostJson("/translate", request).status, 200);
  request.erase("api_key");
  request["apiKey"] = "secret";
  EXPECT_EQ(PostJson("/translate", request).status, 200);
  EXPECT_EQ(PostForm("/detect", "q=a&api_key=secret").status, 200);
  EXPECT_EQ(PostJson("/translate", Request("HELLO."),
                     "Authorization: Bearer secret\r\n")
                .status,
            200);
  EXPECT_EQ(Get("/health").status, 200);
  EXPECT_EQ(Get("/frontend/settings").body["keyRequired"], true);
  const std::string log = LogText();
  EXPECT_THAT(log, HasSubstr("method=\"POST /translate\" code=OK "));
  EXPECT_THAT(log, HasSubstr("token=weblate"));
  EXPECT_THAT(log, HasSubstr("code=UNAUTHENTICATED"));
  EXPECT_EQ(log.find("secret"), std::string::npos);
}

TEST_F(LibreTranslateTest, ACallerHasItsLimitHereToo) {
  // A translation of the model has 4 beams.
  Start([](ServerOptions& options) { options.max_requests_per_caller = 4; });
  harness_->gate.Close();
  HttpPeer first(port());
  first.Send(JsonBytes("/translate", Request("HELLO.")));
  harness_->gate.AwaitEngine();
  const HttpAnswer answer = PostJson("/translate", Request("HELLO."));
  EXPECT_EQ(answer.status, 429);
  EXPECT_THAT(answer.header, HasSubstr("Retry-After: 1\r\n"));
  harness_->gate.Open();
  EXPECT_THAT(first.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(LibreTranslateTest, AClientThatLeavesCancelsItsRequests) {
  Start();
  harness_->gate.Close();
  {
    HttpPeer peer(port());
    peer.Send(JsonBytes("/translate", Request({"HELLO.", "GOODBYE."})));
    harness_->gate.AwaitEngine();
  }
  // Connections go to the front's two threads in turn. After a call on each,
  // both have seen what came before.
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Get("/health").status, 200);
  harness_->gate.Open();
  EXPECT_EQ(harness_->WhatIsLeft(), "");
  EXPECT_THAT(LogText(), HasSubstr("CANCELLED"));
}

TEST_F(LibreTranslateTest, LongTextsTakeTheirTurns) {
  Start();
  std::string text;
  while (text.size() < 50'000) text += "19:30 - ";
  const HttpAnswer answer = PostJson("/translate", Request(text));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body["translatedText"], text);
}

TEST_F(LibreTranslateTest, ADrainRefusesNewRequests) {
  Start();
  harness_->gate.Close();
  HttpPeer running(port());
  running.Send(JsonBytes("/translate", Request("HELLO.")));
  harness_->gate.AwaitEngine();
  std::thread drain([&] { harness_->server->Drain(absl::Seconds(60)); });
  while (Get("/health").status != 503) {
  }
  EXPECT_EQ(PostJson("/translate", Request("HELLO.")).status, 503);
  harness_->gate.Open();
  const std::string answer = running.ReadAll();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  drain.join();
}

}  // namespace
}  // namespace sheaf
