// SPDX-License-Identifier: Apache-2.0

// How XML is cut into passages.

#include "text/markup/xml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/text/markup/markup_translation.h"
#include "text/markup/markup.h"
#include "text/markup/place_tags.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<MarkupText> Parse(absl::string_view xml,
                                 const MarkupOptions& options = {}) {
  return ParseMarkup(xml, TextFormat::kXml, options, [] { return true; });
}

std::vector<std::string> Texts(absl::string_view xml,
                               const MarkupOptions& options = {}) {
  std::vector<std::string> texts;
  const absl::StatusOr<MarkupText> markup = Parse(xml, options);
  EXPECT_TRUE(markup.ok()) << markup.status();
  if (!markup.ok()) return texts;
  for (const Passage& passage : markup->passages) {
    texts.push_back(passage.text);
  }
  return texts;
}

std::string Error(absl::string_view xml) {
  const absl::Status status = Parse(xml).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << xml;
  return std::string(status.message());
}

std::string Copied(absl::string_view xml) {
  return *TranslateMarkup(xml, TextFormat::kXml, MarkupOptions(), CopySegment);
}

TEST(XmlReaderTest, ElementsWithTextArePassages) {
  EXPECT_THAT(Texts("<doc><title>A</title><par>b <em>c</em> <q>d</q></par> "
                    "<par><em>e</em></par></doc>"),
              ElementsAre("A", "b c d", "e"));
}

TEST(XmlReaderTest, ATextMayHaveManyRootsOrNone) {
  EXPECT_THAT(Texts("<a>b</a> <a>c</a>"), ElementsAre("b", "c"));
  EXPECT_THAT(Texts("a <b>c</b> d"), ElementsAre("a c d"));
  EXPECT_THAT(Texts("a &lt; b"), ElementsAre("a < b"));
  EXPECT_THAT(Texts(""), ElementsAre());
}

TEST(XmlReaderTest, OptionsChangeBordersAndWhatIsKept) {
  MarkupOptions options;
  options.splitting_tags = {"br"};
  EXPECT_THAT(Texts("<p>a <b>b</b><br/>c</p>", options),
              ElementsAre("a b", "c"));
  options = MarkupOptions();
  options.non_splitting_tags = {"par"};
  EXPECT_THAT(Texts("<d><par>a</par> <par>b</par></d>", options),
              ElementsAre("a b"));
  options = MarkupOptions();
  options.outline_detection = false;
  EXPECT_THAT(Texts("<d><p>a</p> <p>b</p></d>", options), ElementsAre("a b"));
  options = MarkupOptions();
  options.ignored_tags = {"x"};
  const absl::StatusOr<MarkupText> markup =
      Parse("<p>a <x>b</x></p><p><x>c</x></p>", options);
  ASSERT_TRUE(markup.ok());
  ASSERT_EQ(markup->passages.size(), 1);
  EXPECT_EQ(markup->passages[0].text, "a b");
  EXPECT_EQ(markup->passages[0].kept.size(), 1);
}

TEST(XmlReaderTest, AttributesSayWhatIsKept) {
  EXPECT_THAT(Texts("<d translate='no'><p>a</p><p translate='yes'>b</p></d>"),
              ElementsAre("b"));
  EXPECT_THAT(Texts("<d><p its:translate='no'>a</p><p>b</p></d>"),
              ElementsAre("b"));
  EXPECT_THAT(
      Texts("<d><p xml:space='preserve'> a\n  b </p><p> a\n  b</p></d>"),
      ElementsAre("a\n  b", "a b"));
}

TEST(XmlReaderTest, EverythingElseIsCopied) {
  for (const char* xml : {
           "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n"
           "<!DOCTYPE a [<!ELEMENT a ANY>]>\n<a b = '>'>\u00E9 <c/></a >\n",
           "<!-- x --><a><!-- <b> -->a<?p q?> b</a><?p?>",
           "a <b  x='1'/> c",
           "<![CDATA[ ]]><p>a</p>",
           "<a>x &amp; y &gt; z</a>",
       }) {
    EXPECT_EQ(Copied(xml), xml);
  }
}

TEST(XmlReaderTest, TextOfCDataSectionsIsWrittenWithEntities) {
  EXPECT_THAT(Texts("<a><![CDATA[b <i> & c]]> d</a>"),
              ElementsAre("b <i> & c d"));
  EXPECT_EQ(Copied("<a>x<![CDATA[ <i> ]]></a>"), "<a>x &lt;i&gt;</a>");
  EXPECT_EQ(Copied("<a><![CDATA[ <i> ]]>x</a>"), "<a>&lt;i&gt; x</a>");
  EXPECT_EQ(Copied("<a><![CDATA[1 < 2]]></a>"), "<a><![CDATA[1 < 2]]></a>");
}

TEST(XmlReaderTest, ErrorsHaveLineAndColumn) {
  EXPECT_THAT(
      Error("<a>\n <b></a>"),
      HasSubstr("not well-formed XML: mismatched tag at line 2, column "));
  EXPECT_THAT(Error("a & b"), HasSubstr("at line 1, column 4"));
  EXPECT_THAT(Error("<?xml version='1.0'?><a>&x;</a>"),
              HasSubstr("undefined entity at line 1, column 25"));
  EXPECT_THAT(Error("<a b='1' b='2'/>"), HasSubstr("duplicate attribute"));
  EXPECT_THAT(Error("<a>"), HasSubstr("mismatched tag at line 1"));
  EXPECT_THAT(Error("a</sheaf><sheaf>"), HasSubstr("mismatched tag"));
  EXPECT_THAT(Error("a\x03"), HasSubstr("not well-formed"));
  EXPECT_THAT(Error("<!DOCTYPE a"), HasSubstr("at line 1"));
}

TEST(XmlReaderTest, EntitiesAreNotDeclared) {
  EXPECT_THAT(
      Error(
          "<!DOCTYPE a [<!ENTITY x \"xx\"><!ENTITY y \"&x;&x;\">]><a>&y;</a>"),
      HasSubstr("declares the entity \"x\" at line 1"));
  EXPECT_THAT(
      Error("<!DOCTYPE a [<!ENTITY x SYSTEM \"/etc/passwd\">]><a>&x;</a>"),
      HasSubstr("declares the entity \"x\""));
  EXPECT_THAT(Error("<!DOCTYPE a [<!ENTITY % x \"y\">%x;]><a/>"),
              HasSubstr("declares the entity \"x\""));
  // With a DTD elsewhere, which is not read, references are copied.
  constexpr char kXhtml[] =
      "<!DOCTYPE html SYSTEM \"x.dtd\"><p>a&nbsp;b <i>&uuml;</i></p>";
  EXPECT_EQ(Copied(kXhtml), kXhtml);
}

TEST(XmlReaderTest, DepthHasNoLimit) {
  constexpr int kDepth = 1'000'000;
  std::string xml;
  for (int i = 0; i < kDepth; ++i) xml += "<a>";
  xml += "x";
  for (int i = 0; i < kDepth; ++i) xml += "</a>";
  EXPECT_THAT(Texts(xml), ElementsAre("x"));
}

TEST(XmlReaderTest, StopsWhenTheTextIsNotWanted) {
  std::string xml;
  for (int i = 0; i < 100'000; ++i) xml += "<a/>";
  int calls = 0;
  EXPECT_EQ(ParseMarkup(xml, TextFormat::kXml, MarkupOptions(),
                        [&] { return ++calls < 2; })
                .status()
                .code(),
            absl::StatusCode::kCancelled);
}

TEST(XmlReaderTest, PlainTextHasAllText) {
  EXPECT_EQ(*PlainTextOf("<d><p>A &amp; <b>b</b></p><p>12:30</p></d>",
                         TextFormat::kXml, [] { return true; }),
            "A & b\n12:30");
}

}  // namespace
}  // namespace sheaf
