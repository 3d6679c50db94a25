// SPDX-License-Identifier: Apache-2.0

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/text/documents/fake_translation.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Json(std::string bytes,
                 const FakeTranslation& translate = Capitals) {
  absl::StatusOr<std::string> out =
      TranslateDocument(DocumentFormat::kJson, std::move(bytes), translate);
  return out.ok() ? *out : std::string(out.status().message());
}

TEST(JsonDocumentTest, StringsAreTranslatedAndTheRestStays) {
  EXPECT_EQ(Json("{\n  \"title\" :\t\"good day\",\n  \"n\": [1.50e+3, true, "
                 "\"one\", [ ], {}],\n  \"title\": \"again\"\n}\n"),
            "{\n  \"title\" :\t\"GOOD DAY\",\n  \"n\": [1.50e+3, true, "
            "\"ONE\", [ ], {}],\n  \"title\": \"AGAIN\"\n}\n");
}

TEST(JsonDocumentTest, StringsWithoutALetterAreNoUnits) {
  EXPECT_THAT(TextsOf(DocumentFormat::kJson, R"(["12:30", "", "a", "\u2013"])"),
              ElementsAre("a"));
}

TEST(JsonDocumentTest, EscapesAreReadAndWritten) {
  EXPECT_THAT(TextsOf(DocumentFormat::kJson,
                      R"(["a\"b\\c\/d\n\te\u00e9\ud83d\ude00"])"),
              ElementsAre("a\"b\\c/d\n\te\u00e9\U0001F600"));
  const auto say = [](const DocumentUnit&) {
    return std::string("\"\\\n\t\x01\u00fc\U0001F600");
  };
  EXPECT_EQ(Json("[\"\u00e9\"]", say),
            "[\"\\\"\\\\\\n\\t\\u0001\u00fc\U0001F600\"]");
  // A file in ASCII with escapes stays one.
  EXPECT_EQ(Json("[\"\\u00e9\"]", say),
            R"(["\"\\\n\t\u0001\u00fc\ud83d\ude00"])");
}

TEST(JsonDocumentTest, DescriptionsOfArbFilesStay) {
  EXPECT_EQ(Json(R"({"@@locale": "en", "hi": "hi", "@hi": {"a": ["text"],)"
                 R"("b": "text"}, "bye": "bye"})"),
            R"({"@@locale": "en", "hi": "HI", "@hi": {"a": ["text"],)"
            R"("b": "text"}, "bye": "BYE"})");
}

TEST(JsonDocumentTest, TagsArePairsOrStandAlone) {
  EXPECT_THAT(
      TextsOf(
          DocumentFormat::kJson,
          R"(["See <1>the <b>big</b> page</1> &amp; <br/>a <FILE> or ok"])"),
      ElementsAre(
          "See <span id=\"1\">the <span id=\"3\">big</span> page</span> "
          "<code id=\"9\">&amp;</code> <br id=\"11\">a <code "
          "id=\"13\">&lt;FILE&gt;</code> or ok"));
  EXPECT_EQ(Json(R"(["See <1>the <b>big</b> page</1> now"])", Reversed),
            R"([" now<1> page<b>big</b> the</1> See"])");
}

TEST(JsonDocumentTest, TheBranchesOfAMessageAreTextsOfTheirOwn) {
  EXPECT_EQ(
      Json(R"(["Now {n, plural, =0 {no file} one{# file} other{# files )"
           R"(of {owner} in {k, select, a {that} other {this}}}} left"])"),
      R"(["NOW {n, plural, =0 {NO FILE} one{# FILE} other{# FILES )"
      R"(OF {OWNER} IN {k, select, a {THAT} other {THIS}}}} LEFT"])");
  // Not a message: one text.
  EXPECT_THAT(TextsOf(DocumentFormat::kJson, R"(["{n, plural, one{a"])"),
              ElementsAre("{n, plural, one{a"));
  EXPECT_THAT(TextsOf(DocumentFormat::kJson,
                      R"(["{# a} {n, plural, other{b}} {a.b} {0} {\u00fc}"])"),
              ElementsAre("{# a} {n, plural, other{b}} {a.b} {0} {\u00fc}"));
  EXPECT_THAT(TextsOf(DocumentFormat::kJson,
                      R"(["{n, plural, other{b}} {a.b} c {0} {\u00fc}"])"),
              ElementsAre("b", "{a.b} c {0} {\u00fc}"));
}

TEST(JsonDocumentTest, ANumberSignOfAMessageIsKept) {
  absl::StatusOr<Document> document =
      Document::Parse(DocumentFormat::kJson,
                      R"(["{n, plural, other{# files}}", "# 1 file"])", {});
  ASSERT_TRUE(document.ok());
  EXPECT_THAT(document->units()[0].do_not_translate, ElementsAre("#"));
  EXPECT_THAT(document->units()[1].do_not_translate, IsEmpty());
}

TEST(JsonDocumentTest, ErrorsNameThePlace) {
  EXPECT_EQ(Json("{\n  \"a\": \"b\",\n}"),
            "line 3, column 1: not JSON: a key in quotes is expected");
  EXPECT_EQ(Json("[\"a\", \"b"),
            "line 1, column 9: the JSON ends within a string");
  EXPECT_EQ(Json("[1"),
            "line 1, column 3: the JSON ends where ',' or ']' is "
            "expected");
  EXPECT_EQ(Json(""),
            "line 1, column 1: the JSON ends where a value is "
            "expected");
  for (const char* const wrong :
       {"[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "[01]", "[1.]", "[1e]", "[-]",
        "[nul]", "1 2", "[\"\\x\"]", "[\"\\u12\"]", "[\"\\ud800\"]",
        "[\"\\ud800\\u0041\"]", "[\"a\nb\"]", "]", "{]", "['a']", "// c\n[]"}) {
    EXPECT_THAT(Json(wrong), HasSubstr("line 1, column ")) << wrong;
  }
}

TEST(JsonDocumentTest, DepthIsNoProblem) {
  const std::string deep =
      std::string(1 << 20, '[') + "\"a\"" + std::string(1 << 20, ']');
  EXPECT_EQ(Json(deep, SameText), deep);
}

}  // namespace
}  // namespace sheaf
