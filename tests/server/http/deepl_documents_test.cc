// SPDX-License-Identifier: Apache-2.0

// The documents of DeepL's API through a server in this process.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/http/http_fixture.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr char kPath[] = "/v2/document";

class DeepLDocumentsTest : public HttpServerTest {
 protected:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  // Uploads a file; without a name there is none.
  HttpAnswer Upload(const std::string& file_name, const std::string& bytes,
                    const Fields& fields = {{"target_lang", "DE"}},
                    const std::string& header = "") {
    std::string body;
    for (const auto& [name, value] : fields) {
      absl::StrAppend(&body, "--b\r\nContent-Disposition: form-data; name=\"",
                      name, "\"\r\n\r\n", value, "\r\n");
    }
    if (!file_name.empty()) {
      absl::StrAppend(&body,
                      "--b\r\nContent-Disposition: form-data; name=\"file\"; "
                      "filename=\"",
                      file_name, "\"\r\n\r\n", bytes, "\r\n");
    }
    return Ask("POST", kPath,
               "Content-Type: multipart/form-data; boundary=b\r\n" + header,
               body + "--b--\r\n");
  }
  static std::string PathOf(const json& handle) {
    return absl::StrCat(kPath, "/", handle["document_id"].get<std::string>());
  }
  HttpAnswer Status(const json& handle, const std::string& header = "") {
    return PostJson(PathOf(handle), {{"document_key", handle["document_key"]}},
                    header);
  }
  HttpAnswer Result(const json& handle, const std::string& header = "") {
    return PostJson(PathOf(handle) + "/result",
                    {{"document_key", handle["document_key"]}}, header);
  }
  // The state once the translation has ended.
  json Await(const json& handle) {
    while (true) {
      const HttpAnswer answer = Status(handle);
      if (answer.status == 429) continue;  // the document is one too many
      if (answer.body.value("status", "") != "translating") return answer.body;
    }
  }
  // The translated file.
  std::string Translate(const std::string& file_name, const std::string& bytes,
                        const Fields& fields = {{"target_lang", "DE"}}) {
    const HttpAnswer uploaded = Upload(file_name, bytes, fields);
    EXPECT_EQ(uploaded.status, 200) << uploaded.text;
    if (uploaded.status != 200) return "";
    EXPECT_EQ(Await(uploaded.body)["status"], "done");
    return Result(uploaded.body).text;
  }
};

TEST_F(DeepLDocumentsTest, ADocumentIsTranslatedAndFetchedOnce) {
  Start();
  const HttpAnswer uploaded = Upload("a.txt", "HELLO\n\nWORLD\n");
  ASSERT_EQ(uploaded.status, 200) << uploaded.text;
  EXPECT_THAT(uploaded.body["document_id"].get<std::string>(),
              MatchesRegex("[0-9a-f]{32}"));
  EXPECT_THAT(uploaded.body["document_key"].get<std::string>(),
              MatchesRegex("[0-9a-f]{64}"));
  const json state = Await(uploaded.body);
  EXPECT_EQ(state, (json{{"document_id", uploaded.body["document_id"]},
                         {"status", "done"},
                         {"billed_characters", 12}}));
  const HttpAnswer result = Result(uploaded.body);
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.text, absl::StrCat(Translated("HELLO"), "\n\n",
                                      Translated("WORLD"), "\n"));
  EXPECT_THAT(result.header, HasSubstr("application/octet-stream"));
  EXPECT_THAT(result.header, HasSubstr(".txt\""));
  EXPECT_EQ(Get("/v2/usage").body["character_count"], 12);
  for (const HttpAnswer& again :
       {Status(uploaded.body), Result(uploaded.body)}) {
    EXPECT_EQ(again.status, 404);
    EXPECT_EQ(again.body["message"], "Document not found");
  }
}

TEST_F(DeepLDocumentsTest, EachFormatIsKept) {
  Start();
  const std::string hello = Translated("HELLO");
  // The parts of a file before and after its text.
  const std::vector<std::array<std::string, 3>> cases = {
      {"a.html", "<p>", "</p>"},
      {"a.HTM", "<p>", "</p>"},
      {"a.md", "# ", "\n"},
      {"a.json", "{\"a\": \"", "\"}"},
      {"a.srt", "1\n00:00:01,000 --> 00:00:02,000\n", "\n"},
      {"a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n", "\n"}};
  for (const auto& [name, before, after] : cases) {
    EXPECT_EQ(Translate(name, absl::StrCat(before, "HELLO", after)),
              absl::StrCat(before, hello, after));
  }
  EXPECT_THAT(
      Translate("a.xliff",
                "<xliff version=\"1.2\"><file source-language=\"en\" "
                "target-language=\"de\" datatype=\"plaintext\" "
                "original=\"a\"><body><trans-unit id=\"1\"><source>HELLO"
                "</source></trans-unit></body></file></xliff>"),
      HasSubstr(absl::StrCat(">", hello, "</target>")));
  EXPECT_THAT(Translate("a.po", "msgid \"HELLO\"\nmsgstr \"\"\n"),
              HasSubstr(absl::StrCat("msgstr \"", hello, "\"")));
}

TEST_F(DeepLDocumentsTest, TheNameAndTheFormatMayBeParameters) {
  Start();
  EXPECT_EQ(Translate("upload", "HELLO",
                      {{"target_lang", "DE"},
                       {"source_lang", "EN"},
                       {"filename", "a.txt"},
                       {"output_format", "txt"},
                       {"formality", "prefer_less"}}),
            Translated("HELLO"));
  EXPECT_EQ(Translate("a.htm", "<p>A</p>",
                      {{"target_lang", "DE"}, {"output_format", "html"}}),
            absl::StrCat("<p>", Translated("A"), "</p>"));
}

TEST_F(DeepLDocumentsTest, AFileWithoutTextIsReturnedAsItIs) {
  Start();
  EXPECT_EQ(Translate("a.txt", "\n"), "\n");
}

TEST_F(DeepLDocumentsTest, TheUploadIsAnsweredBeforeTheTranslation) {
  Start();
  harness_->gate.Close();
  const HttpAnswer uploaded = Upload("a.txt", "HELLO");
  ASSERT_EQ(uploaded.status, 200) << uploaded.text;
  EXPECT_EQ(Status(uploaded.body).body["status"], "translating");
  EXPECT_EQ(Result(uploaded.body).status, 503);
  harness_->gate.Open();
  EXPECT_EQ(Await(uploaded.body)["status"], "done");
  EXPECT_EQ(Result(uploaded.body).text, Translated("HELLO"));
  EXPECT_EQ(harness_->WhatIsLeft(), "");
}

TEST_F(DeepLDocumentsTest, WhatIsNotRightIsRefusedAtOnce) {
  Start();
  const auto refusal = [&](const HttpAnswer& answer) {
    EXPECT_EQ(answer.status, 400) << answer.text;
    return absl::StrCat(answer.body.value("message", ""), "|",
                        answer.body.value("detail", ""));
  };
  EXPECT_THAT(refusal(Upload("", "")), HasSubstr("Invalid file data.|"));
  for (const char* name : {"a.docx", "a.pdf", "a", "a.x/y"}) {
    EXPECT_THAT(refusal(Upload(name, "A")),
                HasSubstr(absl::StrCat("Invalid file data.|the name of the "
                                       "file is \"",
                                       name, "\"")));
  }
  EXPECT_THAT(refusal(Upload("a.txt", "\xff")), HasSubstr("not in UTF-8"));
  EXPECT_THAT(refusal(Upload("a.json", "{")),
              HasSubstr("Invalid file data.|line 1"));
  EXPECT_THAT(refusal(Upload("a.txt", "A", {})),
              HasSubstr("'target_lang' not specified"));
  EXPECT_THAT(refusal(Upload("a.txt", "A", {{"target_lang", "FR"}})),
              HasSubstr("Value for 'target_lang' not supported."));
  const auto with = [&](const std::string& name, const std::string& value) {
    return refusal(
        Upload("a.txt", "A", {{"target_lang", "DE"}, {name, value}}));
  };
  EXPECT_THAT(with("source_lang", "?"),
              HasSubstr("Value for 'source_lang' not supported."));
  EXPECT_THAT(with("output_format", "pdf"), HasSubstr("output_format is"));
  EXPECT_THAT(with("formality", "more"), HasSubstr("'formality'"));
  EXPECT_THAT(with("glossary_id", "x"), HasSubstr("'source_lang'"));
  EXPECT_THAT(with("style_id", "x"), HasSubstr("Parameter 'style_id'"));
  EXPECT_EQ(
      Upload(
          "a.txt", "A",
          {{"target_lang", "DE"}, {"source_lang", "EN"}, {"glossary_id", "x"}})
          .status,
      404);
  std::string many = "[\"A\"";
  for (int i = 0; i < 10'000; ++i) many += ",\"A\"";
  EXPECT_THAT(refusal(Upload("a.json", many + "]")),
              HasSubstr("10001 texts; this server allows 10000"));
  EXPECT_EQ(PostJson(kPath, {{"target_lang", "DE"}}).status, 400);
  EXPECT_EQ(Get(kPath).status, 405);
}

TEST_F(DeepLDocumentsTest, AHandleMustBeRight) {
  Start();
  const json handle = Upload("a.txt", "HELLO").body;
  Await(handle);
  json other_key = handle, other_id = handle;
  other_key["document_key"] = std::string(64, '0');
  other_id["document_id"] = std::string(32, '0');
  for (const json& wrong : {other_key, other_id}) {
    EXPECT_EQ(Status(wrong).status, 404);
    EXPECT_EQ(Result(wrong).status, 404);
  }
  EXPECT_EQ(PostJson(PathOf(handle), json::object()).status, 400);
  EXPECT_EQ(PostJson(PathOf(handle), {{"document_key", 1}}).status, 400);
  EXPECT_EQ(PostJson(PathOf(handle), {{"document_key", "a"}, {"x", 1}}).status,
            400);
  EXPECT_EQ(Result(handle).status, 200);
}

TEST_F(DeepLDocumentsTest, NoCallerReadsAnothersDocuments) {
  const TempDir dir;
  // The digests of "ann" and "bob".
  const std::string tokens = dir.Write(
      "tokens",
      "a 49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1\n"
      "b 81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9\n");
  Start([&](ServerOptions& options) { options.auth_tokens_file = tokens; });
  const std::string ann = "Authorization: DeepL-Auth-Key ann\r\n";
  const std::string bob = "Authorization: DeepL-Auth-Key bob\r\n";
  EXPECT_EQ(Upload("a.txt", "HELLO").status, 403);
  const json handle =
      Upload("a.txt", "HELLO", {{"target_lang", "DE"}}, ann).body;
  while (Status(handle, ann).body["status"] == "translating") {
  }
  for (const std::string& caller : {bob, std::string()}) {
    const int expected = caller.empty() ? 403 : 404;
    EXPECT_EQ(Status(handle, caller).status, expected);
    EXPECT_EQ(Result(handle, caller).status, expected);
  }
  EXPECT_EQ(Result(handle, ann).status, 200);
}

// The model of this test cannot write the terms, so the text has none.
TEST_F(DeepLDocumentsTest, AGlossaryOfTheCallerIsFound) {
  const TempDir dir;
  Start([&](ServerOptions& options) { options.http_glossaries = dir.path(); });
  const std::string id =
      PostJson("/v2/glossaries", {{"name", "n"},
                                  {"source_lang", "en"},
                                  {"target_lang", "de"},
                                  {"entries", "HELLO\tHALLO"}})
          .body.value("glossary_id", "");
  EXPECT_EQ(
      Translate(
          "a.txt", "WORLD",
          {{"target_lang", "DE"}, {"source_lang", "EN"}, {"glossary_id", id}}),
      Translated("WORLD"));
}

TEST_F(DeepLDocumentsTest, AServerEndsWhileDocumentsAreTranslated) {
  Start();
  harness_->gate.Close();
  std::string many = "[\"HELLO\"";
  for (int i = 0; i < 100; ++i) many += ",\"HELLO\"";
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Upload("a.json", many + "]").status, 200);
  }
  harness_->gate.Open();
  harness_.reset();
}

}  // namespace
}  // namespace sheaf
