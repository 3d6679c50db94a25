// SPDX-License-Identifier: Apache-2.0

// The glossaries of DeepL's API through a server in this process.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/http/http_fixture.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

constexpr char kFormType[] =
    "Content-Type: application/x-www-form-urlencoded\r\n";
constexpr char kJsonType[] = "Content-Type: application/json\r\n";
constexpr char kV2[] = "/v2/glossaries";
constexpr char kV3[] = "/v3/glossaries";

class DeepLGlossariesTest : public HttpServerTest {
 protected:
  void StartHere() {
    Start([&](ServerOptions& options) { options.http_glossaries = Dir(); });
  }
  void Restart() {
    harness_.reset();
    StartHere();
  }
  std::string Dir() {
    std::filesystem::create_directories(dir_.PathOf("g"));
    return dir_.PathOf("g");
  }
  static json Small(const std::string& name = "mine") {
    return {{"name", name},
            {"source_lang", "EN"},
            {"target_lang", "de"},
            {"entries", "HELLO\tHALLO"},
            {"entries_format", "tsv"}};
  }
  static json Dictionary(const std::string& entries) {
    return {{"source_lang", "en"}, {"target_lang", "de"}, {"entries", entries}};
  }
  HttpAnswer Send(const std::string& method, const std::string& path,
                  const json& body, const std::string& fields = "") {
    return Ask(method, path, kJsonType + fields, body.dump());
  }
  HttpAnswer Delete(const std::string& path, const std::string& fields = "") {
    return Ask("DELETE", path, fields, "");
  }
  // Creates a glossary and returns its id.
  std::string Create(const json& body, const char* path = kV2) {
    const HttpAnswer answer = PostJson(path, body);
    EXPECT_EQ(answer.status, 201) << answer.text;
    return answer.body.value("glossary_id", "");
  }
  std::vector<std::string> Names(const char* path) {
    std::vector<std::string> names;
    const json answer = Get(path).body;
    for (const json& each : answer["glossaries"]) names.push_back(each["name"]);
    return names;
  }
  std::string Entries(const std::string& id) {
    return Get(absl::StrCat(kV2, "/", id, "/entries")).text;
  }

  TempDir dir_;
};

TEST_F(DeepLGlossariesTest, AGlossaryIsCreatedListedReadAndDeleted) {
  StartHere();
  EXPECT_THAT(Names(kV2), IsEmpty());
  const HttpAnswer created = PostJson(kV2, Small());
  ASSERT_EQ(created.status, 201) << created.text;
  EXPECT_EQ(created.body["name"], "mine");
  EXPECT_EQ(created.body["ready"], true);
  EXPECT_EQ(created.body["source_lang"], "en");
  EXPECT_EQ(created.body["target_lang"], "de");
  EXPECT_EQ(created.body["entry_count"], 1);
  EXPECT_THAT(created.body["creation_time"].get<std::string>(),
              MatchesRegex("20..-..-..T..:..:..[.]...Z"));
  const std::string id = created.body["glossary_id"];
  const std::string path = absl::StrCat(kV2, "/", id);
  EXPECT_EQ(Get(path).body, created.body);
  EXPECT_EQ(Get(kV2).body["glossaries"], json::array({created.body}));
  const HttpAnswer entries = Get(path + "/entries");
  EXPECT_EQ(entries.text, "HELLO\tHALLO");
  EXPECT_THAT(entries.header, HasSubstr("text/tab-separated-values"));
  EXPECT_EQ(Delete(path).status, 204);
  EXPECT_EQ(Delete(path).status, 404);
  EXPECT_EQ(Get(path).status, 404);
  EXPECT_EQ(Get(path).body["message"], "Glossary not found");
  EXPECT_EQ(Get(path + "/entries").status, 404);
  EXPECT_THAT(Names(kV2), IsEmpty());
}

TEST_F(DeepLGlossariesTest, EntriesMayBeCsvAndAForm) {
  StartHere();
  json csv = Small();
  csv["entries_format"] = "csv";
  csv["entries"] = "A,B\n\"C, D\",E,en,de\nF,G,de,en\n";
  EXPECT_EQ(Entries(Create(csv)), "A\tB\nC, D\tE");
  const HttpAnswer form =
      Ask("POST", kV2, kFormType,
          "name=n&source_lang=en-US&target_lang=DE&entries=A%09B");
  ASSERT_EQ(form.status, 201) << form.text;
  EXPECT_EQ(Entries(form.body["glossary_id"]), "A\tB");
}

TEST_F(DeepLGlossariesTest, GlossariesAreThereAfterARestart) {
  StartHere();
  const std::string id = Create(Small("first"));
  const std::string deleted = Create(Small("second"));
  EXPECT_EQ(Delete(absl::StrCat(kV2, "/", deleted)).status, 204);
  const json before = Get(kV2).body;
  Restart();
  EXPECT_EQ(Get(kV2).body, before);
  EXPECT_EQ(Entries(id), "HELLO\tHALLO");
}

// The model of this test cannot write the terms, so the text has none.
TEST_F(DeepLGlossariesTest, ATranslationNamesAGlossary) {
  StartHere();
  const std::string id = Create(Small());
  const auto translate = [&](const std::string& glossary,
                             const std::string& target) {
    return PostJson("/v2/translate", {{"text", "WORLD"},
                                      {"source_lang", "EN"},
                                      {"target_lang", target},
                                      {"glossary_id", glossary}});
  };
  const HttpAnswer answer = translate(id, "DE");
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.body["translations"][0]["text"], Translated("WORLD"));
  EXPECT_EQ(translate("00000000-0000-4000-8000-000000000000", "DE").status,
            404);
  const HttpAnswer other = translate(id, "FR");
  EXPECT_EQ(other.status, 404) << other.text;
  EXPECT_THAT(other.body["detail"].get<std::string>(),
              HasSubstr("no dictionary for en-fr; it has en-de"));
  EXPECT_EQ(Delete(absl::StrCat(kV2, "/", id)).status, 204);
  EXPECT_EQ(translate(id, "DE").status, 404);
}

TEST_F(DeepLGlossariesTest, WithoutADirectoryNoneCanBeCreated) {
  Start();
  EXPECT_THAT(Names(kV2), IsEmpty());
  EXPECT_THAT(Names(kV3), IsEmpty());
  const HttpAnswer answer = PostJson(kV2, Small());
  EXPECT_EQ(answer.status, 403);
  EXPECT_THAT(answer.body["message"].get<std::string>(),
              HasSubstr("--http_glossaries"));
  EXPECT_EQ(PostJson(kV3, json::object()).status, 403);
  EXPECT_EQ(Get(absl::StrCat(kV2, "/x")).status, 404);
  EXPECT_EQ(Delete(absl::StrCat(kV3, "/x")).status, 404);
  EXPECT_EQ(Send("PATCH", absl::StrCat(kV3, "/x"), {{"name", "a"}}).status,
            404);
}

TEST_F(DeepLGlossariesTest, WhatIsNotRightIsRefusedByName) {
  StartHere();
  const auto with = [](const std::string& name, const json& value) {
    json body = Small();
    body[name] = value;
    return body;
  };
  json csv = with("entries", "a,b,c");
  csv["entries_format"] = "csv";
  // The message and the detail.
  const std::vector<std::pair<json, std::string>> cases = {
      {with("name", ""), "name is \"\""},
      {with("name", 1), "name is no string"},
      {with("name", std::string(1025, 'a')), "allowed is 1..1024 bytes"},
      {with("source_lang", ""), "Parameter 'source_lang' not specified"},
      {with("source_lang", "?"), "Value for 'source_lang' not supported."},
      {with("target_lang", "?"), "Value for 'target_lang' not supported."},
      {with("target_lang", "fr"),
       "Unsupported glossary source and target language pair|source_lang is "
       "\"en\" and target_lang \"fr\"; this server has en-de"},
      {with("entries", ""),
       "Invalid glossary entries provided|there is no entry for en-de"},
      {with("entries", "a\tb\nc"),
       "Invalid glossary entries provided|line 2: is \"c\""},
      {with("entries", "a\tb\nc\td\na\tb"),
       "Invalid glossary entries provided|entry 3: \"a\" is also entry 1"},
      {with("entries", "a\tb\nA\tc"), "entry 2: \"A\" has other targets"},
      {with("entries", "a\t"), "entry 1: the target is"},
      {with("entries", "a\t" + std::string(513, 'b')),
       "allowed is 1..512 bytes"},
      {with("entries", json::array()), "entries is no string"},
      {with("entries_format", "xml"), "entries_format is \"xml\""},
      {csv, "line 1: has 3 fields"},
      {with("ready", true), "Parameter 'ready' not supported"},
  };
  for (const auto& [body, expected] : cases) {
    const HttpAnswer answer = PostJson(kV2, body);
    EXPECT_EQ(answer.status, 400) << answer.text;
    EXPECT_THAT(absl::StrCat(answer.body.value("message", ""), "|",
                             answer.body.value("detail", "")),
                HasSubstr(expected))
        << answer.text;
  }
  EXPECT_THAT(Names(kV2), IsEmpty());
  EXPECT_EQ(PostJson(kV2, "[]").status, 400);
  EXPECT_EQ(Ask("POST", kV2, "Content-Type: text/plain\r\n", "a").status, 415);
  EXPECT_EQ(Get(absl::StrCat(kV2, "?page=1")).status, 400);
}

TEST_F(DeepLGlossariesTest, TooManyGlossariesExceedAQuota) {
  Start([&](ServerOptions& options) {
    options.http_glossaries = Dir();
    options.http_glossary_limits.max_glossaries_of_owner = 2;
  });
  const std::string first = Create(Small("1"));
  Create(Small("2"));
  const HttpAnswer answer = PostJson(kV2, Small());
  EXPECT_EQ(answer.status, 456) << answer.text;
  EXPECT_THAT(answer.body["message"].get<std::string>(),
              HasSubstr("you have 2 glossaries"));
  EXPECT_EQ(Delete(absl::StrCat(kV2, "/", first)).status, 204);
  Create(Small());
}

TEST_F(DeepLGlossariesTest, EntriesAreTsvOnly) {
  StartHere();
  const std::string path = absl::StrCat(kV2, "/", Create(Small()), "/entries");
  for (const char* accept :
       {"text/tab-separated-values", "application/json, text/plain, */*",
        "Text/*;q=0.5"}) {
    EXPECT_EQ(
        Ask("GET", path, absl::StrCat("Accept: ", accept, "\r\n"), "").status,
        200)
        << accept;
  }
  EXPECT_EQ(Ask("GET", path, "Accept: text/csv\r\n", "").status, 415);
}

TEST_F(DeepLGlossariesTest, LanguagePairsAreThoseOfTheModel) {
  StartHere();
  EXPECT_EQ(
      Get("/v2/glossary-language-pairs").text,
      R"({"supported_languages":[{"source_lang":"en","target_lang":"de"}]})");
}

TEST_F(DeepLGlossariesTest, NoCallerSeesAnothersGlossaries) {
  // The digests of "ann" and "bob".
  const std::string tokens = dir_.Write(
      "tokens",
      "a 49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1\n"
      "b 81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9\n");
  Start([&](ServerOptions& options) {
    options.http_glossaries = Dir();
    options.auth_tokens_file = tokens;
  });
  const std::string ann = "Authorization: DeepL-Auth-Key ann\r\n";
  const std::string bob = "Authorization: DeepL-Auth-Key bob\r\n";
  EXPECT_EQ(PostJson(kV2, Small()).status, 403);
  const std::string id =
      PostJson(kV2, Small(), ann).body.value("glossary_id", "");
  ASSERT_FALSE(id.empty());
  const auto translate = [&](const std::string& caller) {
    return PostJson("/v2/translate",
                    {{"text", "WORLD"},
                     {"source_lang", "EN"},
                     {"target_lang", "DE"},
                     {"glossary_id", id}},
                    caller)
        .status;
  };
  EXPECT_EQ(translate(ann), 200);
  EXPECT_EQ(translate(bob), 404);
  const std::string two = absl::StrCat(kV2, "/", id);
  const std::string three = absl::StrCat(kV3, "/", id);
  const std::string pair = "?source_lang=en&target_lang=de";
  EXPECT_EQ(Ask("GET", kV2, bob, "").body["glossaries"], json::array());
  EXPECT_EQ(Ask("GET", kV3, bob, "").body["glossaries"], json::array());
  for (const std::string& path :
       {two, two + "/entries", three, three + "/entries" + pair}) {
    EXPECT_EQ(Ask("GET", path, bob, "").status, 404) << path;
    EXPECT_EQ(Ask("GET", path, ann, "").status, 200) << path;
    EXPECT_EQ(Ask("GET", path, "", "").status, 403) << path;
  }
  for (const std::string& path : {two, three, three + "/dictionaries" + pair}) {
    EXPECT_EQ(Delete(path, bob).status, 404) << path;
    EXPECT_EQ(Delete(path).status, 403) << path;
  }
  EXPECT_EQ(Send("PATCH", three, {{"name", "b"}}, bob).status, 404);
  EXPECT_EQ(
      Send("PUT", three + "/dictionaries", Dictionary("A\tB"), bob).status,
      404);
  EXPECT_EQ(Ask("GET", two, ann, "").body["name"], "mine");
  EXPECT_EQ(Delete(two, ann).status, 204);
}

TEST_F(DeepLGlossariesTest, DictionariesAreChangedByV3) {
  StartHere();
  const HttpAnswer created = PostJson(
      kV3, {{"name", "n"},
            {"dictionaries", json::array({Dictionary("A\t1\nB\t2")})}});
  ASSERT_EQ(created.status, 201) << created.text;
  const std::string path =
      absl::StrCat(kV3, "/", created.body["glossary_id"].get<std::string>());
  const json info = {
      {"source_lang", "en"}, {"target_lang", "de"}, {"entry_count", 2}};
  EXPECT_EQ(created.body["dictionaries"], json::array({info}));
  EXPECT_EQ(Get(path).body, created.body);
  EXPECT_EQ(Get(kV3).body["glossaries"], json::array({created.body}));
  EXPECT_THAT(Names(kV2), ElementsAre("n"));

  const HttpAnswer patched =
      Send("PATCH", path,
           {{"name", "m"},
            {"dictionaries", json::array({Dictionary("B\t3\nC\t4")})}});
  ASSERT_EQ(patched.status, 200) << patched.text;
  EXPECT_EQ(patched.body["name"], "m");
  EXPECT_EQ(patched.body["dictionaries"][0]["entry_count"], 3);
  const std::string entries = path + "/entries?source_lang=EN&target_lang=DE";
  EXPECT_EQ(Get(entries).body["dictionaries"][0]["entries"],
            "A\t1\nB\t3\nC\t4");
  EXPECT_EQ(Get(entries).body["dictionaries"][0]["entries_format"], "tsv");

  const HttpAnswer put =
      Send("PUT", path + "/dictionaries", Dictionary("D\t5"));
  ASSERT_EQ(put.status, 200) << put.text;
  EXPECT_EQ(put.body["entry_count"], 1);
  EXPECT_EQ(Get(entries).body["dictionaries"][0]["entries"], "D\t5");

  const std::string dictionary =
      path + "/dictionaries?source_lang=en&target_lang=de";
  EXPECT_EQ(Delete(dictionary).status, 204);
  EXPECT_EQ(Delete(dictionary).status, 404);
  EXPECT_EQ(Get(entries).status, 404);
  EXPECT_EQ(Get(path).body["dictionaries"], json::array());
  // A glossary without a single pair is none of v2.
  EXPECT_THAT(Names(kV2), IsEmpty());
  const std::string id = created.body["glossary_id"];
  EXPECT_EQ(Get(absl::StrCat(kV2, "/", id)).status, 404);
  EXPECT_EQ(Delete(absl::StrCat(kV2, "/", id)).status, 404);
  EXPECT_EQ(Delete(path).status, 204);
}

TEST_F(DeepLGlossariesTest, V3TakesAForm) {
  StartHere();
  const HttpAnswer created = Ask(
      "POST", kV3, kFormType,
      "name=n&dictionaries%5B0%5D.source_lang=en&dictionaries%5B0%5D.target_"
      "lang=de&dictionaries%5B0%5D.entries=A%2CB&dictionaries%5B0%5D.entries_"
      "format=csv");
  ASSERT_EQ(created.status, 201) << created.text;
  EXPECT_EQ(created.body["dictionaries"][0]["entry_count"], 1);
  for (const char* name :
       {"dictionaries[x].entries", "dictionaries[100].entries",
        "dictionaries[0]", "dictionaries[-1].entries"}) {
    const HttpAnswer answer =
        Ask("POST", kV3, kFormType, absl::StrCat("name=n&", name, "=a"));
    EXPECT_EQ(answer.status, 400) << name << answer.text;
  }
}

TEST_F(DeepLGlossariesTest, V3RefusesWhatIsNotRight) {
  StartHere();
  const json right = Dictionary("A\t1");
  const std::vector<std::pair<json, std::string>> cases = {
      {{{"name", "n"}}, "'dictionaries' not specified"},
      {{{"dictionaries", {right}}}, "name is \"\""},
      {{{"name", "n"}, {"dictionaries", 1}}, "no array"},
      {{{"name", "n"}, {"dictionaries", {1}}}, "no array of objects"},
      {{{"name", "n"}, {"dictionaries", {right, right}}}, "two for en-de"},
      {{{"name", "n"}, {"dictionaries", {Dictionary("")}}},
       "Invalid glossary entries provided"},
      {{{"name", "n"}, {"dictionaries", {{{"x", 1}}}}}, "Parameter 'x'"},
      {{{"name", "n"}, {"dictionaries", {right}}, {"x", 1}}, "Parameter 'x'"},
      {{{"name", "n"}, {"dictionaries", std::vector<json>(101, right)}},
       "up to 100 objects"},
  };
  for (const auto& [body, expected] : cases) {
    const HttpAnswer answer = PostJson(kV3, body);
    EXPECT_EQ(answer.status, 400) << answer.text;
    EXPECT_THAT(answer.body.value("message", ""), HasSubstr(expected));
  }
  const std::string path = absl::StrCat(kV3, "/", Create(Small()));
  EXPECT_EQ(Send("PATCH", path, json::object()).status, 400);
  EXPECT_EQ(Send("PATCH", path, {{"name", ""}}).status, 400);
  EXPECT_EQ(Send("PATCH", path, {{"dictionaries", {Dictionary("")}}}).status,
            400);
  EXPECT_EQ(Send("PUT", path + "/dictionaries", Dictionary("")).status, 400);
  EXPECT_EQ(Get(path + "/entries").status, 400);
  EXPECT_EQ(Get(path + "/entries?source_lang=en&target_lang=fr").status, 400);
  EXPECT_EQ(Send("PUT", absl::StrCat(kV3, "/x/dictionaries"), right).status,
            404);
  EXPECT_EQ(Get(path).body["dictionaries"][0]["entry_count"], 1);
}

}  // namespace
}  // namespace sheaf
