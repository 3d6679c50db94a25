// SPDX-License-Identifier: Apache-2.0

#include "text/checks/protected_spans.h"

#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Texts(const std::string& text,
                               const std::vector<TextRange>& spans) {
  std::vector<std::string> texts;
  for (const TextRange& span : spans) {
    texts.emplace_back(Slice(text, span));
  }
  return texts;
}

std::vector<std::string> Find(const std::string& text) {
  return Texts(text, FindProtectedSpans(text, {}));
}

std::vector<std::string> FindListed(const std::string& text,
                                    const std::vector<std::string>& strings) {
  const absl::StatusOr<DoNotTranslate> listed = DoNotTranslate::Create(strings);
  EXPECT_TRUE(listed.ok()) << listed.status();
  return Texts(text, FindProtectedSpans(
                         text, {.has_patterns = false, .strings = &*listed}));
}

TEST(ProtectedSpansTest, UrlsEndBeforeThePunctuationOfTheSentence) {
  EXPECT_THAT(Find("See https://example.org/find?q=tea&page=2."),
              ElementsAre("https://example.org/find?q=tea&page=2"));
  EXPECT_THAT(Find("(see http://a.org/b_(c)) or ftp://x.org, too"),
              ElementsAre("http://a.org/b_(c)", "ftp://x.org"));
  EXPECT_THAT(Find("Is it www.example.org?"), ElementsAre("www.example.org"));
  EXPECT_THAT(Find("“https://example.org”"),
              ElementsAre("https://example.org"));
  EXPECT_THAT(Find("请看https://example.org/a。"),
              ElementsAre("https://example.org/a"));
  EXPECT_THAT(Find("https://example.org/#!/inbox in a browser"),
              ElementsAre("https://example.org/#!/inbox"));
  EXPECT_THAT(Find("example.org/a?b=1, github.com/x/y"),
              ElementsAre("example.org/a?b=1", "github.com/x/y"));
}

TEST(ProtectedSpansTest, HostsOfCommonDomains) {
  EXPECT_THAT(Find("Visit example.org, Amazon.de or my-shop.example.co.uk."),
              ElementsAre("example.org", "Amazon.de", "my-shop.example.co.uk"));
  EXPECT_THAT(Find("(sheaf.dev) and http.example.com:8080/ too"),
              ElementsAre("sheaf.dev", "http.example.com:8080"));
  EXPECT_THAT(Find("Mail info.de@web.de or see example.org/a."),
              ElementsAre("info.de@web.de", "example.org/a"));
  EXPECT_THAT(Find("example.org/ is there"), ElementsAre("example.org"));
  // A space is missing, or it is something else.
  EXPECT_THAT(Find("Das Ende.Der Anfang.es ist so.In is.it at.me e.g.so"),
              IsEmpty());
  EXPECT_THAT(Find("ASP.NET, Node.Net, 5.de, .com, x..com, a.comb, -.org, "
                   "x_y.com, x.com_y, größe.de, z.B. Dr.med. Dipl.-Ing."),
              IsEmpty());
}

// Each '.' reads a limited part of the text.
TEST(ProtectedSpansTest, ManyLabelsAreNoHost) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "a.";
  EXPECT_THAT(Find(text + "com"), IsEmpty());
}

TEST(ProtectedSpansTest, EmojiWithTheirModifiers) {
  EXPECT_THAT(Find("Hello! 😊 How are you?"), ElementsAre("😊"));
  EXPECT_THAT(Find("Well done 👍🏽👨‍👩‍👧 and ❤️, ✔ "),
              ElementsAre("👍🏽", "👨‍👩‍👧", "❤️", "✔"));
  EXPECT_THAT(Find("From 🇩🇪🇫🇷 to 🏴󠁧󠁢󠁳󠁣󠁴󠁿"),
              ElementsAre("🇩🇪", "🇫🇷", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"));
  EXPECT_THAT(Find("Sheaf™ © 2026 → 12 °C — “x” …"), IsEmpty());
}

TEST(ProtectedSpansTest, AddressesAndNames) {
  EXPECT_THAT(Find("Write to a.b+c@mail.example.org."),
              ElementsAre("a.b+c@mail.example.org"));
  EXPECT_THAT(Find("Thanks to @octocat-2 and (@x_y)."),
              ElementsAre("@octocat-2", "@x_y"));
  EXPECT_THAT(Find("Tagged #release and #größe, not #5 or C# or # x."),
              ElementsAre("#release", "#größe"));
  EXPECT_THAT(Find("We meet @ 5 in a@b."), IsEmpty());
}

TEST(ProtectedSpansTest, PlaceholdersInBraces) {
  EXPECT_THAT(Find("Hello {name}, {} {0:.2f} {n, number}!"),
              ElementsAre("{name}", "{}", "{0:.2f}", "{n, number}"));
  EXPECT_THAT(Find("{{ user }} {{{x}}} ${HOME} $(x) #{y} {% if a %}"),
              ElementsAre("{{ user }}", "{{{x}}}", "${HOME}", "$(x)", "#{y}",
                          "{% if a %}"));
  EXPECT_THAT(Find("a set {1, 2}, {two words} and {broken"), IsEmpty());
  EXPECT_THAT(Find("It costs $250 or US$5, not $HOME."), ElementsAre("$HOME"));
}

TEST(ProtectedSpansTest, PlaceholdersOfPrintf) {
  EXPECT_THAT(Find("%d new, %s, %1$s, %-5.2lf, %(count)d, %%, %@, %1."),
              ElementsAre("%d", "%s", "%1$s", "%-5.2lf", "%(count)d", "%%",
                          "%@", "%1"));
  EXPECT_THAT(Find("%s/%s, %{x}, %Y-%m-%d, %APPDATA%"),
              ElementsAre("%s", "%s", "%{x}", "%Y", "%m", "%d", "%APPDATA%"));
  EXPECT_THAT(Find("Page 1 of %d, step 3 %s."), ElementsAre("%d", "%s"));
}

TEST(ProtectedSpansTest, PercentagesAreNone) {
  EXPECT_THAT(Find("I am 100 % sure, 5% down, 20%ig, 5 %ige, % of it."),
              IsEmpty());
  EXPECT_THAT(Find("50%discount"), IsEmpty());
}

TEST(ProtectedSpansTest, NamesInColons) {
  EXPECT_THAT(Find("Press :enter: or :page_up:."),
              ElementsAre(":enter:", ":page_up:"));
  EXPECT_THAT(Find("10:30: at std::vector::size, a:b:c, :5:"), IsEmpty());
}

TEST(ProtectedSpansTest, EscapesAndTags) {
  EXPECT_THAT(Find(R"(One.\nTwo\t"\u00e9" \x41)"),
              ElementsAre(R"(\n)", R"(\t)", R"(\u00e9)", R"(\x41)"));
  EXPECT_THAT(Find(R"(Click <ph id="1"/> or <b>here</b><!-- x -->.)"),
              ElementsAre(R"(<ph id="1"/>)", "<b>", "</b>", "<!-- x -->"));
  EXPECT_THAT(Find("a < b and c > d, x <y and z> w, <your name>"), IsEmpty());
}

TEST(ProtectedSpansTest, SomeSpansDivideSentences) {
  EXPECT_TRUE(IsBreak("\\n"));
  EXPECT_TRUE(IsBreak("<br/>"));
  EXPECT_TRUE(IsBreak("<BR class=\"a\">"));
  EXPECT_FALSE(IsBreak("<break/>"));
  EXPECT_FALSE(IsBreak("\\\""));
  EXPECT_FALSE(IsBreak("{n}"));
}

TEST(ProtectedSpansTest, MarkdownCodeAndLinkTargets) {
  EXPECT_THAT(Find("Use `git push` and ``a`b``."),
              ElementsAre("`git push`", "``a`b``"));
  EXPECT_THAT(Find("See [the guide](https://a.org/b_(c)) or [it](x.md)."),
              ElementsAre("](https://a.org/b_(c))", "](x.md)"));
  EXPECT_THAT(Find("a ` alone, [x] (y)"), IsEmpty());
}

TEST(ProtectedSpansTest, Paths) {
  EXPECT_THAT(Find("Open /etc/hosts, ./a.out, ~/x or src/main.cc."),
              ElementsAre("/etc/hosts", "./a.out", "~/x", "src/main.cc"));
  EXPECT_THAT(Find(R"(Look in C:\Program Files\New\a.txt and \\srv\share.)"),
              ElementsAre(R"(C:\Program Files\New\a.txt)", R"(\\srv\share)"));
  EXPECT_THAT(Find("Save config.json and README.md in 500 B.C. in a.h."),
              ElementsAre("config.json", "README.md", "a.h"));
  EXPECT_THAT(Find("and/or, 24/7, km/h, 1/2, his / her, e.g./i.e., end.Then"),
              IsEmpty());
}

TEST(ProtectedSpansTest, Versions) {
  EXPECT_THAT(Find("From v2 to v1.2.3, 1.2.3-rc1 and 10.0.0.1."),
              ElementsAre("v2", "v1.2.3", "1.2.3-rc1", "10.0.0.1"));
  EXPECT_THAT(Find("1.5, 1.234.567, 3.10.1990, v, 7.30"), IsEmpty());
}

TEST(ProtectedSpansTest, ListedStringsAreFoundAtBordersOfWords) {
  EXPECT_THAT(FindListed("Sheaf and Sheafs, a login log in C++.",
                         {"Sheaf", "log", "C++"}),
              ElementsAre("Sheaf", "log", "C++"));
  // A longer string that is refused does not hide a shorter one.
  EXPECT_THAT(FindListed("log input", {"log in", "log"}), ElementsAre("log"));
  EXPECT_THAT(FindListed("log in", {"log in", "log"}), ElementsAre("log in"));
}

TEST(ProtectedSpansTest, SpansThatOverlapAreOne) {
  const std::string text = "the {name} x";
  const absl::StatusOr<DoNotTranslate> other =
      DoNotTranslate::Create({"name} x"});
  ASSERT_TRUE(other.ok());
  EXPECT_THAT(Texts(text, FindProtectedSpans(text, {.strings = &*other})),
              ElementsAre("{name} x"));
}

TEST(ProtectedSpansTest, ListsOutOfTheirLimitsAreRefused) {
  const auto message = [](const std::vector<std::string>& strings) {
    return std::string(DoNotTranslate::Create(strings).status().message());
  };
  EXPECT_THAT(message(std::vector<std::string>(1001, "a")),
              HasSubstr("do_not_translate has 1001 strings; at most 1000"));
  EXPECT_THAT(message({"a", std::string(257, 'a')}),
              HasSubstr("do_not_translate[1] has 257 bytes; at most 256"));
  EXPECT_THAT(message({" \n"}), HasSubstr("do_not_translate[0]"));
  EXPECT_THAT(message({"\xff"}), HasSubstr("do_not_translate[0]"));
}

// Sorted, disjoint, not empty, at borders of characters.
TEST(ProtectedSpansTest, AnyTextGivesRangesInOrder) {
  const std::vector<std::string> parts = {
      "{", "}", "%",   "s",  "1", "$", ":", "/", "//", "\\", "n",
      "<", ">", "`",   "@",  "#", "]", "(", ")", ".",  "x",  " ",
      "é", "w", "www", "\"", "v", "=", "-", "_", "&",  "中"};
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    const size_t size = random() % 30;
    for (size_t n = 0; n < size; ++n) text += parts[random() % parts.size()];
    size_t end = 0;
    for (const TextRange& span : FindProtectedSpans(text, {})) {
      ASSERT_LE(end, span.begin) << text;
      ASSERT_LT(span.begin, span.end) << text;
      ASSERT_LE(span.end, text.size()) << text;
      ASSERT_TRUE(IsValidUtf8(Slice(text, span))) << text;
      end = span.end;
    }
  }
}

}  // namespace
}  // namespace sheaf
