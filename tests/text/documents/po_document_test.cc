// SPDX-License-Identifier: Apache-2.0

#include <cstdlib>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"
#include "tests/text/documents/fake_translation.h"
#include "text/documents/plural_forms.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Po(std::string bytes, const DocumentOptions& options = {},
               const FakeTranslation& translate = Capitals) {
  absl::StatusOr<std::string> out = TranslateDocument(
      DocumentFormat::kPo, std::move(bytes), translate, options);
  if (!out.ok()) return std::string(out.status().message());
  // The header that is added is in a test of its own.
  if (absl::StartsWith(*out, "msgid \"\"\nmsgstr \"\"\n\"MIME")) {
    return out->substr(out->find("\n\n") + 2);
  }
  if (absl::StartsWith(*out, "msgid \"\"\r\nmsgstr \"\"\r\n\"MIME")) {
    return out->substr(out->find("\r\n\r\n") + 4);
  }
  return *out;
}

constexpr char kTemplate[] = R"(# A comment.
#, fuzzy
msgid ""
msgstr ""
"Project-Id-Version: hello 1.0\n"
"Language: \n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=CHARSET\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: nplurals=INTEGER; plural=EXPRESSION;\n"

#: main.c:1
#, c-format
msgid "Hello %s\n"
msgstr ""

#. for translators
msgctxt "menu"
msgid ""
"Two lines\n"
"of \"text\"\n"
msgstr ""

#, c-format
msgid "%d file"
msgid_plural "%d files"
msgstr[0] ""
msgstr[1] ""

#~ msgid "old"
#~ msgstr "alt"
)";

TEST(PoDocumentTest, MessagesAreTranslatedAndMarkedForReview) {
  const auto translate = [](const DocumentUnit& unit) -> std::string {
    if (unit.text == "Hello %s") return "Hallo %s";
    if (unit.text == "%d file") return "%d Datei";
    if (unit.text == "%d files") return "%d Dateien";
    return "Zwei Zeilen\nvon \"Text\"";
  };
  EXPECT_EQ(Po(kTemplate, {.target_language = "de"}, translate),
            R"(# A comment.
msgid ""
msgstr ""
"Project-Id-Version: hello 1.0\n"
"Language: de\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

#: main.c:1
#, fuzzy, c-format
msgid "Hello %s\n"
msgstr "Hallo %s\n"

#. for translators
#, fuzzy
msgctxt "menu"
msgid ""
"Two lines\n"
"of \"text\"\n"
msgstr ""
"Zwei Zeilen\n"
"von \"Text\"\n"

#, fuzzy, c-format
msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"

#~ msgid "old"
#~ msgstr "alt"
)");
}

// msgfmt is gettext's own check of formats, line breaks and plural forms.
TEST(PoDocumentTest, MsgfmtAcceptsTheResult) {
  if (std::system("msgfmt --version > /dev/null 2>&1") != 0) {
    GTEST_SKIP() << "gettext is not installed";
  }
  const TempDir dir;
  for (const char* const language : {"de", "fr", "ja", "pl", "ar", "pt-BR"}) {
    const auto dress = [](const DocumentUnit& unit) {
      return "\u00dc " + unit.text + " \u00e4";
    };
    const std::string path = dir.Write(
        "a.po",
        Po(kTemplate, {.target_language = language, .mark_for_review = false},
           dress));
    EXPECT_EQ(std::system(("msgfmt --check --output-file=/dev/null " + path +
                           " > /dev/null 2>&1")
                              .c_str()),
              0)
        << language;
  }
}

TEST(PoDocumentTest, TheHeaderTellsTheNumberOfPluralForms) {
  const std::string header =
      "msgid \"\"\nmsgstr \"\"\n\"Plural-Forms: nplurals=3; plural=(n==1 ? 2 : "
      "n==2 ? 0 : 1);\\n\"\n\n";
  EXPECT_EQ(Po(header + "msgid \"one\"\nmsgid_plural \"many\"\nmsgstr[0] \"\"\n"
                        "msgstr[1] \"\"\n",
               {.mark_for_review = false}),
            header +
                "msgid \"one\"\nmsgid_plural \"many\"\nmsgstr[0] \"MANY\"\n"
                "msgstr[1] \"MANY\"\nmsgstr[2] \"ONE\"\n");
}

TEST(PoDocumentTest, WithoutAHeaderTheLanguageTellsThePluralForms) {
  EXPECT_EQ(Po("msgid \"one\"\nmsgid_plural \"many\"\nmsgstr[0] \"\"\n",
               {.target_language = "ja", .mark_for_review = false}),
            "msgid \"one\"\nmsgid_plural \"many\"\nmsgstr[0] \"MANY\"\n");
}

TEST(PoDocumentTest, AFileWithoutAHeaderGetsOne) {
  EXPECT_EQ(
      *TranslateDocument(
          DocumentFormat::kPo, "# c\nmsgid \"a\"\nmsgstr \"\"\n", Capitals,
          {.target_language = "pt-BR", .mark_for_review = false}),
      "msgid \"\"\nmsgstr \"\"\n\"MIME-Version: 1.0\\n\"\n"
      "\"Content-Type: text/plain; charset=UTF-8\\n\"\n"
      "\"Content-Transfer-Encoding: 8bit\\n\"\n"
      "\"Language: pt_BR\\n\"\n"
      "\"Plural-Forms: nplurals=2; plural=(n > 1);\\n\"\n\n"
      "# c\nmsgid \"a\"\nmsgstr \"A\"\n");
}

TEST(PoDocumentTest, TranslationsAreKeptUnlessAsked) {
  const std::string in =
      "msgid \"a\"\nmsgstr \"b\"\n\n#, fuzzy\nmsgid \"c\"\nmsgstr \"d\"\n\n"
      "msgid \"e\"\nmsgid_plural \"f\"\nmsgstr[0] \"g\"\nmsgstr[1] \"\"\n";
  EXPECT_EQ(Po(in, {.mark_for_review = false}),
            "msgid \"a\"\nmsgstr \"b\"\n\n#, fuzzy\nmsgid \"c\"\nmsgstr "
            "\"d\"\n\nmsgid \"e\"\nmsgid_plural \"f\"\nmsgstr[0] \"g\"\n"
            "msgstr[1] \"F\"\n");
  EXPECT_EQ(Po(in, {.retranslate = true}),
            "#, fuzzy\nmsgid \"a\"\nmsgstr \"A\"\n\n#, fuzzy\nmsgid \"c\"\n"
            "msgstr \"C\"\n\n#, fuzzy\nmsgid \"e\"\nmsgid_plural \"f\"\n"
            "msgstr[0] \"E\"\nmsgstr[1] \"F\"\n");
}

TEST(PoDocumentTest, AMessageWithoutLettersIsCopied) {
  EXPECT_EQ(Po("msgid \"1:2\\n\"\nmsgstr \"\"\n", {.mark_for_review = false}),
            "msgid \"1:2\\n\"\nmsgstr \"1:2\\n\"\n");
}

TEST(PoDocumentTest, LineEndsAreThoseOfTheFile) {
  EXPECT_EQ(
      Po("msgid \"a\\nb\"\r\nmsgstr \"\"\r\n"),
      "#, fuzzy\r\nmsgid \"a\\nb\"\r\nmsgstr \"\"\r\n\"A\\n\"\r\n\"B\"\r\n");
}

TEST(PoDocumentTest, ErrorsNameThePlace) {
  EXPECT_EQ(Po("msgid \"a\"\nmsgstr \"b\n"),
            "line 2, column 8: the string has no closing quote");
  EXPECT_EQ(Po("msgid \"a\"\n\nmsgstr\n"),
            "line 3, column 1: a string must follow msgstr");
  EXPECT_EQ(Po("msgid \"a\"\n"), "line 1, column 1: a message without msgstr");
  EXPECT_EQ(Po("msgstr \"a\"\n"), "line 1, column 1: a message without msgid");
  EXPECT_EQ(Po("hello\n"), "line 1, column 1: not a line of a PO file");
  EXPECT_EQ(Po("\n \"a\"\n"), "line 2, column 2: a string without a keyword");
  EXPECT_EQ(Po("msgid \"a\"\nmsgid \"b\"\n"),
            "line 2, column 1: msgid twice in one message");
  EXPECT_EQ(Po("msgid \"a\\q\"\nmsgstr \"\"\n"),
            "line 1, column 9: no such escape");
  EXPECT_THAT(Po("msgid \"a\"\nmsgid_plural \"b\"\nmsgstr[1] \"\"\n"),
              HasSubstr("line 3, column 1: the next translation of this "
                        "message must be msgstr[N] with N = 0"));
  EXPECT_THAT(Po("msgid \"a\"\nmsgstr[0] \"\"\n"), HasSubstr("msgid_plural"));
  EXPECT_THAT(Po("msgid \"\"\nmsgstr \"Content-Type: text/plain; "
                 "charset=ISO-8859-1\\n\"\n"),
              HasSubstr("line 2, column 1: charset is ISO-8859-1; only UTF-8"));
  EXPECT_THAT(
      Po("msgid \"\"\nmsgstr \"Plural-Forms: nplurals=2; plural=m;\\n\"\n"),
      HasSubstr("line 2, column 1: Plural-Forms is"));
  // Only the whole of what a template has is open.
  EXPECT_THAT(Po("msgid \"\"\nmsgstr \"Plural-Forms: nplurals=3; plural=("
                 "nplurals=INTEGER; plural=EXPRESSION; n > 1);\\n\"\n"),
              HasSubstr("line 2, column 1: Plural-Forms is"));
}

TEST(PluralFormsTest, TheExpressionIsEvaluatedForOne) {
  const auto form = [](const std::string& expression) {
    absl::StatusOr<PluralForms> forms =
        ParsePluralForms("nplurals=6; plural=" + expression + ";");
    return forms.ok() ? forms->form_of_one : -1;
  };
  EXPECT_EQ(form("n != 1"), 0);
  EXPECT_EQ(form("n>1"), 0);
  EXPECT_EQ(form("n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : 5"), 1);
  EXPECT_EQ(form("(n%10==1 && n%100!=11 ? 3 : 1)"), 3);
  EXPECT_EQ(form("1 + 2 * 2 - 6 / 3"), 3);
  EXPECT_EQ(form("!n || n && 0"), 0);
  for (const char* const wrong :
       {"", "n +", "(n", "n)", "n / 0", "n ? 1", "x", "7", "n = 1"}) {
    EXPECT_EQ(form(wrong), -1) << wrong;
  }
  EXPECT_EQ(form(std::string(1000, '(')), -1);
  EXPECT_EQ(form(std::string(1000, '!') + "n"), -1);
}

TEST(PluralFormsTest, EveryLanguageHasFormsThatCanBeRead) {
  for (const char* const language :
       {"de", "fr", "ja", "ru", "pl", "cs", "lt",      "lv",    "ro", "sl",
        "ga", "gd", "cy", "mt", "ar", "is", "zh-Hant", "pt-PT", "xx", ""}) {
    EXPECT_TRUE(ParsePluralForms(PluralFormsOf(language)).ok()) << language;
  }
  EXPECT_EQ(PluralFormsOf("zh-Hant"), "nplurals=1; plural=0;");
  EXPECT_EQ(ParsePluralForms(PluralFormsOf("ar"))->form_of_one, 1);
}

}  // namespace
}  // namespace sheaf
