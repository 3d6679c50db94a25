// SPDX-License-Identifier: Apache-2.0

// DeepL's API through a server in this process.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "server/http/deepl_languages.h"
#include "server/http/deepl_parameters.h"
#include "tests/server/http/http_fixture.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kFormType[] =
    "Content-Type: application/x-www-form-urlencoded\r\n";

class DeepLTest : public HttpServerTest {
 protected:
  HttpAnswer Translate(json body) {
    body.emplace("target_lang", "DE");
    return PostJson("/v2/translate", body);
  }
  // The message of a refusal.
  std::string Refusal(const json& body, int status = 400) {
    const HttpAnswer answer = Translate(body);
    EXPECT_EQ(answer.status, status) << answer.text;
    return answer.body.value("message", "");
  }
};

TEST_F(DeepLTest, TextsAreTranslatedInTheirOrder) {
  Start();
  const HttpAnswer answer =
      Translate({{"text", {"HELLO", "", "WORLD"}}, {"source_lang", "EN"}});
  ASSERT_EQ(answer.status, 200) << answer.text;
  const json& translations = answer.body["translations"];
  ASSERT_EQ(translations.size(), 3u);
  EXPECT_EQ(translations[0]["text"], Translated("HELLO"));
  EXPECT_EQ(translations[1]["text"], "");
  EXPECT_EQ(translations[2]["text"], Translated("WORLD"));
  for (const json& translation : translations) {
    EXPECT_EQ(translation["detected_source_language"], "EN");
    EXPECT_EQ(translation.size(), 2u);
  }
}

TEST_F(DeepLTest, AFormIsReadLikeJson) {
  Start();
  const HttpAnswer answer =
      Ask("POST", "/v2/translate", kFormType,
          "text=HELLO&text=WORLD&target_lang=de&show_billed_characters=1"
          "&split_sentences=nonewlines&preserve_formatting=1&formality="
          "prefer_more&context=ABC&model_type=prefer_quality_optimized");
  ASSERT_EQ(answer.status, 200) << answer.text;
  const json& translations = answer.body["translations"];
  ASSERT_EQ(translations.size(), 2u);
  EXPECT_EQ(translations[1]["text"], Translated("WORLD"));
  EXPECT_EQ(translations[1]["billed_characters"], 5);
  EXPECT_EQ(translations[1]["model_type_used"], "quality_optimized");
}

TEST_F(DeepLTest, TagsAreKept) {
  Start();
  for (const char* handling : {"html", "xml"}) {
    const HttpAnswer answer = Translate({{"text", "<x>HELLO</x>"},
                                         {"tag_handling", handling},
                                         {"ignore_tags", {"x"}},
                                         {"outline_detection", false}});
    ASSERT_EQ(answer.status, 200) << answer.text;
    EXPECT_EQ(answer.body["translations"][0]["text"], "<x>HELLO</x>");
  }
}

TEST_F(DeepLTest, ErrorsHaveDeepLsForm) {
  Start();
  EXPECT_EQ(Refusal(json::object()), "Parameter 'text' not specified");
  EXPECT_EQ(Refusal({{"text", "A"}, {"target_lang", ""}}),
            "Parameter 'target_lang' not specified");
  EXPECT_EQ(Refusal({{"text", "A"}, {"target_lang", "FR"}}),
            "Value for 'target_lang' not supported.");
  EXPECT_EQ(Refusal({{"text", "A"}, {"source_lang", "not a tag"}}),
            "Value for 'source_lang' not supported.");
  EXPECT_EQ(Refusal({{"text", "A"}, {"formality", "more"}}),
            "'formality' is not supported for given 'target_lang'.");
  EXPECT_EQ(
      Refusal({{"text", "A"}, {"source_lang", "EN"}, {"glossary_id", "x"}},
              404),
      "Glossary not found");
  EXPECT_THAT(Refusal({{"text", "A"}, {"glossary_id", "x"}}),
              HasSubstr("'source_lang' not specified"));
}

TEST_F(DeepLTest, ParametersThatAreNotRightAreRefusedByName) {
  Start();
  const std::vector<std::pair<json, std::string>> cases = {
      {{{"text", 1}}, "text is neither a string nor an array of strings"},
      {{{"text", {"A", 1}}}, "text is neither"},
      {{{"text", json::array()}}, "'text' not specified"},
      {{{"text", std::vector<std::string>(51, "A")}},
       "text has 51 elements; this server allows 1..50"},
      {{{"text", "A"}, {"formality", "rude"}}, "formality is \"rude\""},
      {{{"text", "A"}, {"tag_handling", "md"}}, "tag_handling is \"md\""},
      {{{"text", "A"}, {"tag_handling", 1}}, "tag_handling is no string"},
      {{{"text", "A"}, {"tag_handling_version", "v3"}}, "\"v3\""},
      {{{"text", "A"}, {"split_sentences", "2"}}, "split_sentences is \"2\""},
      {{{"text", "A"}, {"outline_detection", "maybe"}},
       "outline_detection is no bool"},
      {{{"text", "A"}, {"preserve_formatting", 2}},
       "preserve_formatting is no bool"},
      {{{"text", "A"}, {"ignore_tags", {1}}}, "ignore_tags is neither"},
      {{{"text", "A"}, {"model_type", "x"}}, "model_type is \"x\""},
      {{{"text", "A"}, {"style_id", "x"}}, "Parameter 'style_id'"},
      {{{"text", "A"}, {"context", {"B"}}}, "context is no string"},
  };
  for (const auto& [body, message] : cases) {
    EXPECT_THAT(Refusal(body), HasSubstr(message)) << body;
  }
  EXPECT_EQ(PostJson("/v2/translate", "[]").status, 400);
  EXPECT_EQ(PostJson("/v2/translate", "{").status, 400);
  EXPECT_EQ(
      Ask("POST", "/v2/translate", "Content-Type: text/plain\r\n", "A").status,
      415);
}

TEST_F(DeepLTest, TheKeyIsATokenOfTheServer) {
  const std::string path = testing::TempDir() + "/deepl_tokens";
  // The digest of "key".
  std::ofstream(path) << "a 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1d"
                         "c30e73f826b683\n";
  Start([&](ServerOptions& options) { options.auth_tokens_file = path; });
  const json body = {{"text", "HELLO"}, {"target_lang", "DE"}};
  EXPECT_EQ(PostJson("/v2/translate", body).status, 403);
  EXPECT_EQ(
      PostJson("/v2/translate", body, "Authorization: DeepL-Auth-Key no\r\n")
          .status,
      403);
  EXPECT_EQ(
      PostJson("/v2/translate", body, "Authorization: DeepL-Auth-Key key\r\n")
          .status,
      200);
  EXPECT_EQ(Get("/v2/usage").status, 403);
  EXPECT_EQ(Get("/v2/languages").status, 403);
  EXPECT_EQ(Ask("GET", "/v2/usage", "Authorization: DeepL-Auth-Key key\r\n", "")
                .status,
            200);
}

TEST_F(DeepLTest, UsageCountsCharactersThatWereTranslated) {
  Start();
  EXPECT_EQ(Get("/v2/usage").body["character_count"], 0);
  Translate({{"text", {"HELLO", "\xc3\x84\xe2\x82\xac"}}});
  Translate({{"text", ""}, {"target_lang", "FR"}});
  const HttpAnswer answer = Get("/v2/usage");
  EXPECT_EQ(answer.body["character_count"], 7);
  EXPECT_EQ(answer.body["character_limit"], 1'000'000'000'000);
}

TEST_F(DeepLTest, LanguagesAreThoseOfTheModel) {
  Start();
  EXPECT_EQ(Get("/v2/languages").text,
            R"([{"language":"EN","name":"English"}])");
  const std::string targets =
      R"([{"language":"DE","name":"German","supports_formality":false}])";
  EXPECT_EQ(Get("/v2/languages?type=target").text, targets);
  // The client of PyPI sends a form with GET.
  EXPECT_EQ(Ask("GET", "/v2/languages", kFormType, "type=target").text,
            targets);
  EXPECT_EQ(Get("/v2/languages?type=x").status, 400);
}

TEST_F(DeepLTest, DeepLXIsToldFromLibreTranslateByItsFields) {
  Start();
  const HttpAnswer answer = PostJson(
      "/translate",
      {{"text", "HELLO"}, {"source_lang", "EN"}, {"target_lang", "de"}});
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.body["code"], 200);
  EXPECT_EQ(answer.body["data"], Translated("HELLO"));
  EXPECT_EQ(answer.body["source_lang"], "EN");
  EXPECT_EQ(answer.body["target_lang"], "DE");
  const HttpAnswer libre = PostJson(
      "/translate", {{"q", "target_lang"}, {"source", "en"}, {"target", "de"}});
  ASSERT_EQ(libre.status, 200) << libre.text;
  EXPECT_EQ(libre.body["translatedText"], Translated("target_lang"));
  EXPECT_EQ(
      PostJson("/translate", {{"text", {"A", "B"}}, {"target_lang", "DE"}})
          .status,
      400);
}

TEST(DeepLLanguagesTest, CodesAreAsDeepLWritesThem) {
  EXPECT_EQ(DeepLSourceCode("zh-Hans"), "ZH");
  EXPECT_EQ(DeepLSourceCode("EN-us"), "EN");
  const json languages = json::parse(
      R"([{"code": "zh-Hans", "targets": ["en", "pt-BR"]},
          {"code": "zh-Hant", "targets": ["en", "zh-Hans"]},
          {"code": "en", "targets": []}])");
  const json sources = DeepLSources(languages);
  ASSERT_EQ(sources.size(), 1u);
  EXPECT_EQ(sources[0]["language"], "ZH");
  std::vector<std::string> targets;
  for (const json& target : DeepLTargets(languages)) {
    targets.push_back(target["language"]);
  }
  EXPECT_THAT(targets, ElementsAre("EN-GB", "EN-US", "PT-BR", "ZH-HANS"));
}

// Texts with each byte of a request changed are read or refused.
TEST(DeepLParametersTest, WhateverTheBytesTheyAreReadOrRefused) {
  const std::string body =
      R"({"text":["A"],"target_lang":"DE","tag_handling":"xml",)"
      R"("ignore_tags":["x","y,z"],"outline_detection":false})";
  HttpRequest http;
  http.header.fields = {{"content-type", "application/json"}};
  http.body = body;
  ASSERT_TRUE(ReadDeepLRequest(http).ok());
  EXPECT_THAT(ReadDeepLRequest(http)->common.markup().ignored_tags(),
              ElementsAre("x", "y", "z"));
  for (size_t i = 0; i < body.size(); ++i) {
    for (char byte : {'\0', '\1', '"', '{', '[', ']', '\\', ',', 'a', '\xff'}) {
      http.body = body;
      http.body[i] = byte;
      const absl::Status status = ReadDeepLRequest(http).status();
      EXPECT_TRUE(status.ok() ||
                  status.code() == absl::StatusCode::kInvalidArgument ||
                  status.code() == absl::StatusCode::kNotFound)
          << http.body;
    }
  }
}

}  // namespace
}  // namespace sheaf
