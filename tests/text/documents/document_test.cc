// SPDX-License-Identifier: Apache-2.0

#include "text/documents/document.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/text/documents/fake_translation.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr DocumentFormat kFormats[] = {
    DocumentFormat::kText, DocumentFormat::kMarkdown, DocumentFormat::kHtml,
    DocumentFormat::kXml,  DocumentFormat::kSrt,      DocumentFormat::kVtt,
    DocumentFormat::kPo,   DocumentFormat::kXliff,    DocumentFormat::kJson,
};

TEST(DocumentTest, FormatsAreFoundByNameAndExtension) {
  EXPECT_EQ(DocumentFormatOfName("markdown"), DocumentFormat::kMarkdown);
  EXPECT_EQ(DocumentFormatOfName("md"), std::nullopt);
  EXPECT_EQ(DocumentFormatOfPath("a.b/c.d.MD"), DocumentFormat::kMarkdown);
  EXPECT_EQ(DocumentFormatOfPath("x.pot"), DocumentFormat::kPo);
  EXPECT_EQ(DocumentFormatOfPath("a.md/c"), std::nullopt);
  for (const DocumentFormat format : kFormats) {
    EXPECT_EQ(DocumentFormatOfName(NameOf(format)), format);
    EXPECT_THAT(DocumentFormatNames(), HasSubstr(std::string(NameOf(format))));
  }
}

TEST(DocumentTest, OtherEncodingsAreRefused) {
  for (const DocumentFormat format : kFormats) {
    const auto error = [&](std::string bytes) {
      return std::string(
          Document::Parse(format, std::move(bytes), {}).status().message());
    };
    EXPECT_THAT(error(std::string("\xFF\xFE"
                                  "a\0",
                                  4)),
                HasSubstr("line 1, column 1: the file is in UTF-16"));
    EXPECT_THAT(error(std::string(9000, ' ') + "\nab\xE9 c"),
                HasSubstr("line 2, column 3: the file is not in UTF-8"));
    EXPECT_THAT(error("a\xC3"), HasSubstr("line 1, column 2: the file is not"));
  }
}

TEST(DocumentTest, AByteOrderMarkStays) {
  EXPECT_EQ(*TranslateDocument(DocumentFormat::kJson, "\xEF\xBB\xBF[\"a\"]",
                               Capitals),
            "\xEF\xBB\xBF[\"A\"]");
  EXPECT_EQ(*TranslateDocument(DocumentFormat::kText,
                               "\xEF\xBB\xBF"
                               "a",
                               Capitals),
            "\xEF\xBB\xBF"
            "A");
  EXPECT_EQ(*TranslateDocument(DocumentFormat::kXliff, "\xEF\xBB\xBF<xliff/>",
                               Capitals),
            "\xEF\xBB\xBF<xliff/>");
}

TEST(DocumentTest, UnitsTellTheirLine) {
  absl::StatusOr<Document> document =
      Document::Parse(DocumentFormat::kJson, "[\"a\",\n\n\"b\", \"c\"]", {});
  ASSERT_TRUE(document.ok());
  std::vector<int64_t> lines;
  for (const DocumentUnit& unit : document->units()) lines.push_back(unit.line);
  EXPECT_THAT(lines, ElementsAre(1, 3, 3));
}

TEST(DocumentTest, ATranslationMustHaveTheTagsOfItsUnit) {
  absl::StatusOr<Document> document = Document::Parse(
      DocumentFormat::kJson, "[\n\"a <b>c</b> <i>d</i> e\"]", {});
  ASSERT_TRUE(document.ok());
  ASSERT_THAT(document->units()[0].text,
              "a <span id=\"1\">c</span> <span id=\"5\">d</span> e");
  const auto write = [&](std::string translation) {
    absl::StatusOr<std::string> out = document->Write({{translation}});
    return out.ok() ? *out : std::string(out.status().message());
  };
  EXPECT_EQ(write("<span id=\"5\">x<span id=\"1\">y</span></span>"),
            "[\n\"<i>x<b>y</b></i>\"]");
  EXPECT_EQ(write("<span id=\"1\">y</span>"),
            "line 2: tag id=\"5\" is missing in the translation");
  for (const char* const wrong :
       {"<span id=\"1\">y<span id=\"5\">x</span>",
        "<span id=\"1\">y</span></span><span id=\"5\">x</span>",
        "<span id=\"1\">y</span><span id=\"1\">x</span><span id=\"5\"></span>",
        "<span id=\"1\"></span><span id=\"5\"></span><span id=\"0\"></span>",
        "<span id=\"1\"></span><span id=\"5\"></span><img id=\"2\">",
        "<span id=\"1\"></span><span id=\"5\"></span><code id=\"99\">x"}) {
    EXPECT_THAT(write(wrong), HasSubstr("line 2: tag ")) << wrong;
  }
}

TEST(TextDocumentTest, UnitsAreWholeParagraphs) {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    absl::StrAppend(&text, "This is paragraph ", i,
                    " of the text\nwith two "
                    "lines.\n\n");
  }
  const std::vector<std::string> texts = TextsOf(DocumentFormat::kText, text);
  ASSERT_GT(texts.size(), 1u);
  for (const std::string& unit : texts) {
    EXPECT_EQ(unit.substr(0, 5), "This ");
    EXPECT_EQ(unit.substr(unit.size() - 6), "lines.");
  }
  EXPECT_EQ(*TranslateDocument(DocumentFormat::kText, text, SameText), text);
}

// Files of random pieces of each format's syntax, most of them malformed.
class RandomFiles {
 public:
  explicit RandomFiles(uint32_t seed) : random_(seed) {}

  std::string Next(DocumentFormat format) {
    std::string file = Begin(format);
    const int size = std::uniform_int_distribution<>(0, 40)(random_);
    const std::vector<std::string>& pieces = PiecesOf(format);
    std::uniform_int_distribution<size_t> pick(0, pieces.size() - 1);
    for (int i = 0; i < size; ++i) file += pieces[pick(random_)];
    return file;
  }

 private:
  static std::string Begin(DocumentFormat format) {
    return format == DocumentFormat::kVtt ? "WEBVTT\n\n" : "";
  }

  static const std::vector<std::string>& PiecesOf(DocumentFormat format) {
    static const auto& markdown =
        *new std::vector<std::string>{"a",        "b ",
                                      "word",     " ",
                                      " ",        "\n",
                                      "\n",       "\n\n",
                                      "*",        "**",
                                      "_",        "`",
                                      "``",       "[",
                                      "]",        "](x)",
                                      "[a]: b\n", "![",
                                      "<b>",      "</b>",
                                      "<br>",     "<",
                                      ">",        "> ",
                                      "- ",       "1. ",
                                      "# ",       "    ",
                                      "\t",       "```\n",
                                      "~~",       "|",
                                      "|-|\n",    "| a | b |\n|---|---|\n",
                                      "\\",       "&amp;",
                                      "---\n",    "===\n",
                                      "<!--",     "-->",
                                      "<div>\n",  "$$\n",
                                      "[^1]",     "\r\n",
                                      "\u00e9",   "\u6c49",
                                      "!",        "{#i}",
                                      "(",        ")",
                                      "\"",       "http://x.y",
                                      "<a@b.c>",  ":::",
                                      "  \n",     "[ ] "};
    static const auto& cues =
        *new std::vector<std::string>{"1\n",
                                      "00:00:01,000 --> 00:00:02,000\n",
                                      "00:01.000 --> 00:02.000\n",
                                      "Hello",
                                      " there",
                                      ",\n",
                                      ".\n",
                                      "\n",
                                      "\n\n",
                                      "<i>",
                                      "</i>",
                                      "<v A B>",
                                      "{\\an8}",
                                      "- ",
                                      "NOTE\n",
                                      "&amp;",
                                      "<00:01.000>",
                                      "\r\n",
                                      "\u6c49",
                                      "and so on\n",
                                      "word"};
    static const auto& po =
        *new std::vector<std::string>{"msgid \"a <b>c</b>\"\nmsgstr \"\"\n",
                                      "msgid \"\"\n",
                                      "msgstr \"\"\n",
                                      "\"word\\n\"\n",
                                      "# c\n",
                                      "#, fuzzy\n",
                                      "#, c-format\n",
                                      "msgctxt \"x\"\n",
                                      "msgid_plural \"y\"\n",
                                      "msgstr[0] \"\"\n",
                                      "msgstr[1] \"z\"\n",
                                      "\n",
                                      "#~ msgid \"q\"\n",
                                      "\"",
                                      "\\",
                                      "domain "};
    static const auto& json = *new std::vector<std::string>{
        "[",      "]",  "{",       "}",
        ",",      ":",  "\"a\"",   "\"b <i>c</i>\"",
        "\"@d\"", "1",  "true",    " ",
        "\n",     "\"", "\\u00e9", "\"{n, plural, one{x} other{y}}\""};
    static const auto& xml =
        *new std::vector<std::string>{"<xliff version='1.2'>",
                                      "<file>",
                                      "<trans-unit>",
                                      "<source>",
                                      "a",
                                      "</source>",
                                      "</trans-unit>",
                                      "</file>",
                                      "</xliff>",
                                      "<g>",
                                      "</g>",
                                      "<x/>",
                                      "<target/>",
                                      "<target>",
                                      "</target>",
                                      "<!-- c -->",
                                      "&amp;",
                                      "<"};
    switch (format) {
      case DocumentFormat::kSrt:
      case DocumentFormat::kVtt:
        return cues;
      case DocumentFormat::kPo:
        return po;
      case DocumentFormat::kJson:
        return json;
      case DocumentFormat::kXliff:
        return xml;
      default:
        return markdown;
    }
  }

  std::mt19937 random_;
};

TEST(DocumentTest, EqualTranslationsGiveTheSameFile) {
  RandomFiles files(/*seed=*/1);
  for (const DocumentFormat format : kFormats) {
    if (format == DocumentFormat::kPo || format == DocumentFormat::kXliff) {
      continue;  // Their translations stand in another place.
    }
    int num_read = 0;
    for (int i = 0; i < 2000; ++i) {
      const std::string file = files.Next(format);
      const absl::StatusOr<std::string> out =
          TranslateDocument(format, file, SameText);
      if (!out.ok()) continue;
      ++num_read;
      ASSERT_EQ(*out, file) << NameOf(format);
    }
    EXPECT_GT(num_read, 50) << NameOf(format);
  }
}

// Whatever the translation, the result is a file of the format with as many
// texts, in which marks of the translation are text.
TEST(DocumentTest, OtherTranslationsGiveAFileWithAsManyTexts) {
  RandomFiles files(/*seed=*/2);
  for (const DocumentFormat format : kFormats) {
    if (format == DocumentFormat::kHtml || format == DocumentFormat::kXml ||
        format == DocumentFormat::kText) {
      continue;  // Only the server knows their texts.
    }
    for (int i = 0; i < 2000; ++i) {
      const std::string file = files.Next(format);
      const DocumentOptions options = {.target_language = "de",
                                       .retranslate = true};
      if (!Document::Parse(format, file, options).ok()) continue;
      for (const FakeTranslation& translate :
           {FakeTranslation(Capitals), FakeTranslation(Reversed)}) {
        const absl::StatusOr<std::string> out =
            TranslateDocument(format, file, translate, options);
        ASSERT_TRUE(out.ok()) << out.status() << "\n" << file;
        ASSERT_TRUE(IsValidUtf8(*out));
        const absl::StatusOr<Document> again =
            Document::Parse(format, *out, options);
        ASSERT_TRUE(again.ok()) << again.status() << "\n" << file << *out;
        if (format == DocumentFormat::kMarkdown) continue;
        EXPECT_EQ(again->units().size(),
                  Document::Parse(format, file, options)->units().size())
            << file << "\n->\n"
            << *out;
      }
    }
  }
}

// 4 MiB of what could take quadratic time would run for minutes.
TEST(DocumentTest, TimeIsLinear) {
  const auto repeat = [](absl::string_view part) {
    std::string text;
    while (text.size() < (4 << 20)) absl::StrAppend(&text, part);
    return text;
  };
  for (const char* const part :
       {"[",          "[a](b) [", "![",    "*a ",     "*a **b ", "_a_ ",
        "`",          "` ``",     "<",     "<!--",    "<a b=\"", "](",
        "](<",        "](a \"",   "> a\n", "- a\n\n", "|",       "|a\n|-\n",
        "[a]: b\n\n", "\\",       "&a",    "a\n",     "a  \n",   "{#",
        "[[a]",       "~~a",      "</b>",  "<b>",     "$$\n",    "<?",
        "<![CDATA["}) {
    const std::string text = repeat(part);
    const absl::StatusOr<std::string> out =
        TranslateDocument(DocumentFormat::kMarkdown, text, SameText);
    ASSERT_TRUE(out.ok()) << part << out.status();
    EXPECT_TRUE(*out == text) << part;
  }
  for (const char* const part : {"<a>", "</a>", "<a></b>", "<", "&a", "{\\\\",
                                 "{", "'", "{a, plural, b{", "<a "}) {
    const std::string text = absl::StrCat("[\"", repeat(part), "x\"]");
    const absl::StatusOr<std::string> out =
        TranslateDocument(DocumentFormat::kJson, text, SameText);
    ASSERT_TRUE(out.ok()) << part << out.status();
    EXPECT_TRUE(*out == text) << part;
  }
  for (const char* const part :
       {"a\n", "and\n\n00:01.000 --> 00:02.000\n", "- a\n", "<i>", "a, "}) {
    const std::string text =
        absl::StrCat("WEBVTT\n\n00:01.000 --> 00:02.000\n", repeat(part));
    for (const FakeTranslation& translate :
         {FakeTranslation(SameText), FakeTranslation(Capitals)}) {
      ASSERT_TRUE(TranslateDocument(DocumentFormat::kVtt, text, translate).ok())
          << part;
    }
  }
}

}  // namespace
}  // namespace sheaf
