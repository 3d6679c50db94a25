// SPDX-License-Identifier: Apache-2.0

// How HTML is cut into passages.

#include "text/markup/html_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/text/markup/html_tree.h"
#include "text/markup/markup.h"
#include "text/markup/place_tags.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;

MarkupText Parse(absl::string_view html, const MarkupOptions& options = {}) {
  absl::StatusOr<MarkupText> markup =
      ParseMarkup(html, TextFormat::kHtml, options, [] { return true; });
  EXPECT_TRUE(markup.ok()) << markup.status();
  return markup.ok() ? *std::move(markup) : MarkupText();
}

std::vector<std::string> Texts(absl::string_view html,
                               const MarkupOptions& options = {}) {
  std::vector<std::string> texts;
  for (const Passage& passage : Parse(html, options).passages) {
    texts.push_back(passage.text);
  }
  return texts;
}

// The passages with the markup in them, each text in brackets.
std::string Shape(absl::string_view html) {
  const MarkupText markup = Parse(html);
  std::string shape(markup.raw[0]);
  for (size_t i = 0; i < markup.passages.size(); ++i) {
    const Passage& passage = markup.passages[i];
    const absl::string_view text = passage.text;
    shape += '[';
    size_t at = 0;
    for (const InlineTag& tag : passage.tags) {
      absl::StrAppend(&shape, Slice(text, {at, tag.offset}), tag.markup);
      at = tag.offset;
    }
    absl::StrAppend(&shape, text.substr(at), "]", markup.raw[i + 1]);
  }
  return shape;
}

TEST(HtmlReaderTest, BlocksAndLineBreaksBoundPassages) {
  EXPECT_THAT(Texts("<h1>A b</h1><p>C<br>d<ul><li>E<li>f</ul>g<td>h<hr>i"),
              ElementsAre("A b", "C", "d", "E", "f", "g", "h", "i"));
  EXPECT_THAT(Texts("<select><option>A<option>B</select><title>T</title>"),
              ElementsAre("A", "B", "T"));
  EXPECT_THAT(Texts("a <b>b</b> <span>c</span><x-y> d</x-y>"),
              ElementsAre("a b c d"));
}

TEST(HtmlReaderTest, TagsAroundTheTextAreNotInThePassage) {
  EXPECT_EQ(Shape("<p> <a href='>'><i class=x></i> <b>Hi</b> </a> </p>"),
            "<p> <a href='>'><i class=x></i> <b>[Hi]</b> </a> </p>");
  EXPECT_EQ(Shape("<b>A</b> b"), "[<b>A</b> b]");
  EXPECT_EQ(Shape("<i><b>A</b> b</i>"), "<i>[<b>A</b> b]</i>");
  EXPECT_EQ(Shape("<i>a</i> <i>b</i>"), "[<i>a</i> <i>b</i>]");
  EXPECT_EQ(Shape("<b>a<p>b</b>"), "<b>[a]<p>[b]</b>");
  EXPECT_EQ(Shape("a <b>b<p>c</b> d"), "[a <b>b]<p>[c</b> d]");
}

TEST(HtmlReaderTest, WhiteSpaceCollapses) {
  EXPECT_EQ(Shape(" a\r\n\t b <b> c</b> <img>  d &#32; e\f"),
            " [a b <b>c</b> <img>  d e]\f");
  EXPECT_EQ(Shape("a <b><img></b> b <i></i> c <u> d"),
            "[a <b><img></b> b <i></i> c <u>d]");
  EXPECT_THAT(Texts("a&nbsp; b"), ElementsAre("a\u00A0 b"));
}

TEST(HtmlReaderTest, TextWithoutALetterIsCopied) {
  EXPECT_THAT(Texts("<td>12:30<td>&nbsp;<td>-<td>&copy;<td>5 m"),
              ElementsAre("5 m"));
}

TEST(HtmlReaderTest, SomeElementsAreCopied) {
  for (const char* html : {
           "<script>if (a < b) x = '</b>';</script>",
           "<script><!-- <script> </script> a --></script>",
           "<style>a > b {}</style>",
           "<textarea>a <b></textarea>",
           "<pre>a <b>b</b>\n c</pre>",
           "<template><p>a</p></template>",
           "<svg><title>a</title><![CDATA[</svg>]]></svg>",
           "<math><mi>x</mi><mtext>a <b>b</b></mtext></math>",
           // A second <head> is none, and its end ends nothing.
           "<i><head><math>a</head><![CDATA[</b>a]]></math></i>",
           "<xmp><p>a</xmp>",
           "<iframe><p>a</iframe>",
           "<p translate=no>a</p>",
           "<p class='x notranslate'>a <b>b</b></p>",
           "<div translate='no'><p>a<p>b</div>",
           "<!-- a > b -->",
           "<!doctype html>",
           "<?php a ?>",
           "<!a>",
           "</ a>",
           "<a title='b'></a>",
           "<img alt=\"a>b\">",
           "<p><code>a</code></p>",
       }) {
    EXPECT_EQ(Shape(absl::StrCat(html, "<p>T")), absl::StrCat(html, "<p>[T]"));
  }
}

TEST(HtmlReaderTest, UnfinishedMarkupIsCopied) {
  for (const char* html : {"<script>a", "<!-- a", "<b a='", "<b", "<svg>a",
                           "<textarea>a</texta", "<plaintext>a</plaintext>b"}) {
    EXPECT_EQ(Shape(absl::StrCat("T<p>", html)), absl::StrCat("[T]<p>", html));
  }
}

TEST(HtmlReaderTest, WhatIsNoMarkupIsText) {
  EXPECT_THAT(Texts("a < b & c &lt; d &amp;amp; e &x; </"),
              ElementsAre("a < b & c < d &amp; e &x; </"));
}

TEST(HtmlReaderTest, KeptContentStandsInTheSentence) {
  const MarkupText markup = Parse(
      "Run <code>a <b>b</b></code> or <i translate=no>c<u "
      "translate=yes>d</u></i>.");
  ASSERT_EQ(markup.passages.size(), 1);
  const Passage& passage = markup.passages[0];
  EXPECT_EQ(passage.text, "Run a b or cd.");
  std::vector<std::string> kept;
  for (const TextRange& range : passage.kept) {
    kept.emplace_back(Slice(passage.text, range));
  }
  EXPECT_THAT(kept, ElementsAre("a b", "c"));
}

TEST(HtmlReaderTest, OmittedEndTagsEndWhatIsKept) {
  EXPECT_THAT(Texts("<ul><li translate=no>a<li>b</ul>"), ElementsAre("b"));
  EXPECT_THAT(Texts("<p translate=no>a<p>b"), ElementsAre("b"));
  EXPECT_THAT(Texts("<p translate=no>a<div>b</div>"), ElementsAre("b"));
  EXPECT_THAT(Texts("<p translate=no>a<b>c<button><div>b</div>d"),
              ElementsAre());
  EXPECT_THAT(Texts("<table><tr><td translate=no>a<td>b<tr><td>c</table>"),
              ElementsAre("b", "c"));
  EXPECT_THAT(Texts("<tr translate=no><td>a<td>b<tr><td>c"), ElementsAre("c"));
  EXPECT_THAT(Texts("<dl><dt translate=no>a<dd>b</dl>"), ElementsAre("b"));
  EXPECT_THAT(Texts("<ul translate=no><li>a<ul><li>b</ul><li>c</ul>d"),
              ElementsAre("d"));
  // An end tag does not end an element beyond a block or a cell.
  EXPECT_THAT(Texts("<span translate=no><div>a</span>b</div></span>c"),
              ElementsAre("c"));
  EXPECT_THAT(Texts("<div translate=no><table><td>a</div>b</table></div>c"),
              ElementsAre("c"));
}

TEST(HtmlReaderTest, MarksAtWordsAreTags) {
  EXPECT_EQ(Parse("a<sup>1</sup> b").passages[0].text, "a b");
  EXPECT_EQ(Parse("a<sup><a>[1]</a></sup> b").passages[0].tags.size(), 1);
  EXPECT_EQ(Parse("the 1<sup>st</sup> b").passages[0].text, "the 1st b");
}

TEST(HtmlReaderTest, OptionsChangeBordersAndWhatIsKept) {
  MarkupOptions options;
  options.splitting_tags = {"b"};
  options.non_splitting_tags = {"DIV"};
  options.ignored_tags = {"q"};
  EXPECT_THAT(Texts("a <div>b</div> <b>c</b><q>d</q>", options),
              ElementsAre("a b", "c"));
  options = MarkupOptions();
  options.outline_detection = false;
  EXPECT_THAT(Texts("<p>a</p> <p>b</p>", options), ElementsAre("a b"));
  options.translate_attributes = false;
  EXPECT_THAT(Texts("<p translate=no>a</p>", options), ElementsAre("a"));
}

TEST(HtmlReaderTest, ElementsOfAPassageHaveNumbers) {
  const MarkupText markup = Parse("x <i>a <b>b</i> c</b> d </u> e");
  std::vector<int> elements;
  for (const InlineTag& tag : markup.passages[0].tags) {
    elements.push_back(tag.element);
  }
  EXPECT_THAT(elements, ElementsAre(0, 1, 0, 1, 4));
  EXPECT_EQ(markup.passages[0].tags[4].kind, InlineTag::Kind::kEmpty);
}

TEST(HtmlReaderTest, RangesHaveTheirSource) {
  const std::string html = "<p>a&eacute;  b<b> c</b>&#x20AC;&fjlig;";
  const MarkupText markup = Parse(html);
  const Passage& passage = markup.passages[0];
  ASSERT_EQ(passage.text, "aé b c€fj");
  const auto source = [&](size_t begin, size_t end) {
    return Slice(html, SourceRange(passage, {begin, end}));
  };
  EXPECT_EQ(source(0, 1), "a");
  EXPECT_EQ(source(1, 3), "&eacute;");
  EXPECT_EQ(source(3, 5), "  b");
  EXPECT_EQ(source(4, 5), "b");
  EXPECT_EQ(source(6, 7), "c");
  EXPECT_EQ(source(7, 10), "&#x20AC;");
  EXPECT_EQ(source(0, passage.text.size()), html.substr(3));
}

// Each name of the standard, as gumbo knows it.
TEST(HtmlReaderTest, CharacterReferencesAreThoseOfBrowsers) {
  std::vector<std::string> references;
  for (const char* name :
       {"amp",  "AMP",   "eacute", "copy",   "notin",
        "not",  "notit", "fjlig",  "nbsp",   "CounterClockwiseContourIntegral",
        "bne",  "zwnj",  "Tab",    "hellip", "aacut",
        "ngE",  "lt",    "semi",   "frac12", "frac1",
        "sup1", "sup"}) {
    references.push_back(absl::StrCat("&", name, ";"));
    references.push_back(absl::StrCat("&", name));
    references.push_back(absl::StrCat("&", name, "x"));
  }
  for (const char* number :
       {"#65", "#x41", "#X41", "#0", "#128", "#x9F", "#xD800", "#1114112",
        "#99999999999", "#", "#x", "#xg"}) {
    references.push_back(absl::StrCat("&", number, ";"));
    references.push_back(absl::StrCat("&", number, " "));
  }
  for (const std::string& reference : references) {
    const std::string html = absl::StrCat("<p>T", reference, "T");
    EXPECT_EQ(absl::StrJoin(Texts(html), "|"), ParseHtmlTree(html).text)
        << reference;
  }
}

TEST(HtmlReaderTest, DepthHasNoLimit) {
  constexpr int kDepth = 1'000'000;
  for (const char* tag : {"<b>", "<b>x", "<div>x", "<sup>1", "<svg>"}) {
    std::string html;
    for (int i = 0; i < kDepth; ++i) html += tag;
    html += "</b></div></svg>";
    const MarkupText markup = Parse(html);
    std::string copy(markup.raw[0]);
    for (size_t i = 0; i < markup.passages.size(); ++i) {
      const Passage& passage = markup.passages[i];
      copy += WriteCopied(passage.text, passage.tags, TextFormat::kHtml);
      absl::StrAppend(&copy, markup.raw[i + 1]);
    }
    EXPECT_TRUE(copy == html) << tag;
  }
}

TEST(HtmlReaderTest, StopsWhenTheTextIsNotWanted) {
  const std::string html(100'000, 'x');
  int calls = 0;
  EXPECT_EQ(ParseMarkup(html + "<p>" + html, TextFormat::kHtml, MarkupOptions(),
                        [&] { return ++calls < 2; })
                .status()
                .code(),
            absl::StatusCode::kCancelled);
}

TEST(HtmlReaderTest, PlainTextHasAllText) {
  EXPECT_EQ(*PlainTextOf("<h1>A &amp; <b>b</b></h1><p>12:30<br>c<code>d</code>"
                         "<script>e</script><pre>f\n g</pre>",
                         TextFormat::kHtml, [] { return true; }),
            "A & b\n12:30\ncd\nf\n g");
}

TEST(EscapeTextTest, TextIsReadBack) {
  EXPECT_EQ(EscapeText("a < b & \"c\" > d\u00A0é", TextFormat::kHtml),
            "a &lt; b &amp; \"c\" &gt; d&nbsp;é");
  EXPECT_EQ(EscapeText("a\u00A0]]>\r\x03\uFFFF", TextFormat::kXml),
            "a\u00A0]]&gt;&#13;\uFFFD\uFFFD");
  EXPECT_EQ(EscapeText("a < b", TextFormat::kPlain), "a < b");
}

}  // namespace
}  // namespace sheaf
