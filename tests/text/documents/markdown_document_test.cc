// SPDX-License-Identifier: Apache-2.0

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/text/documents/fake_translation.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Markdown(std::string bytes,
                     const FakeTranslation& translate = Capitals) {
  absl::StatusOr<std::string> out =
      TranslateDocument(DocumentFormat::kMarkdown, std::move(bytes), translate);
  return out.ok() ? *out : std::string(out.status().message());
}
std::vector<std::string> Texts(std::string bytes) {
  return TextsOf(DocumentFormat::kMarkdown, std::move(bytes));
}
FakeTranslation Say(std::string text) {
  return [text](const DocumentUnit&) { return text; };
}

TEST(MarkdownDocumentTest, BlocksAreTranslatedAndTheRestStays) {
  EXPECT_EQ(Markdown(R"(---
title: front matter
---
# Title here ##

Two
  lines.  

Under
=====

* item one
  * item two
    continued

    second paragraph
10. [x] done

> quote of
> two lines
lazy

    indented code

```sh
fenced code
```

***

| a head | b |
|:-------|--:|
| `c` d \| | e
last row

[label]: http://example.org "title"
[^1]: A note.

<div align="center">
html text
</div>

<!-- comment
text -->
<pre>
kept
</pre>
:::note
inside
:::

$$
math
$$
end
)"),
            R"(---
title: front matter
---
# TITLE HERE ##

TWO
  LINES.  

UNDER
=====

* ITEM ONE
  * ITEM TWO
    CONTINUED

    SECOND PARAGRAPH
10. [x] DONE

> QUOTE OF
> TWO LINES
> LAZY

    indented code

```sh
fenced code
```

***

| A HEAD | B |
|:-------|--:|
| `c` D \| | E
LAST ROW

[label]: http://example.org "title"
[^1]: A NOTE.

<div align="center">
HTML TEXT
</div>

<!-- comment
text -->
<pre>
kept
</pre>
:::note
INSIDE
:::

$$
math
$$
END
)");
}

TEST(MarkdownDocumentTest, InlineMarksAreTags) {
  EXPECT_THAT(
      Texts("A *b **c*** ~~d~~ `e <f` [g `h`](i \"j\") ![k](l) <http://m> "
            "<b>n</b> &amp; o\\* p<br>q"),
      ElementsAre("A <span id=\"1\">b <span id=\"3\">c</span></span> <span "
                  "id=\"8\">d</span> <code id=\"12\">e &lt;f</code> <span "
                  "id=\"14\">g <code id=\"16\">h</code></span> <span "
                  "id=\"19\">k</span> <code id=\"23\">http://m</code> <span "
                  "id=\"25\">n</span> <code id=\"29\">&amp;</code> o* p<img "
                  "id=\"31\">q"));
}

TEST(MarkdownDocumentTest, MarksComeBackWhereTheTagsAre) {
  EXPECT_EQ(Markdown("One *two* [three](to) `f` x\n", Reversed),
            " x`f` [three](to) *two* One\n");
  EXPECT_EQ(Markdown("**All of it**\n", Reversed), "**it of All**\n");
}

TEST(MarkdownDocumentTest, EmphasisFollowsCommonMark) {
  EXPECT_THAT(Texts("a_b_c 2 * 3 * 4 **x"), ElementsAre("a_b_c 2 * 3 * 4 **x"));
  EXPECT_THAT(Texts("a *b _c* d_ e"),
              ElementsAre("a <span id=\"1\">b _c</span> d_ e"));
  EXPECT_THAT(
      Texts("a ***b** c* d"),
      ElementsAre("a <span id=\"1\"><span id=\"2\">b</span> c</span> d"));
  EXPECT_THAT(Texts("a *b [c*](d) e"),
              ElementsAre("a *b <span id=\"1\">c*</span> e"));
  EXPECT_THAT(Texts("a [b [c](d) e](f) g"),
              ElementsAre("a [b <span id=\"1\">c</span> e](f) g"));
  EXPECT_THAT(Texts("a <i>*b</i>* c"),
              ElementsAre("a <img id=\"1\"><span id=\"2\">b<img "
                          "id=\"4\"></span> c"));
}

TEST(MarkdownDocumentTest, AReferenceKeepsItsLabel) {
  const std::string definition = "\n[my label]: target\n";
  EXPECT_EQ(Markdown("See [My  label] or [x][my label] or [my label][] or "
                     "[none] [^1].\n" +
                     definition),
            "SEE [MY  LABEL][My  label] OR [X][my label] OR [MY LABEL][my "
            "label] OR [NONE] [^1].\n" +
                definition);
}

TEST(MarkdownDocumentTest, AParagraphOfSeveralLinesIsFilledAgain) {
  EXPECT_EQ(Markdown("> one two\n> three four five.\n",
                     Say("eins zwei drei vier - f\u00fcnf `x y` sechs")),
            "> eins zwei drei\n> vier - f\u00fcnf \\`x\n> y\\` sechs\n");
  // No line may begin another block.
  EXPECT_EQ(Markdown("aa bb cc\ncc dd\n", Say("eee + eee 1. ff # gg - hh")),
            "eee +\neee 1.\nff #\ngg - hh\n");
}

TEST(MarkdownDocumentTest, LinesEndAsInCommonMark) {
  EXPECT_EQ(Markdown("---\ra: b\r---\r# one\rtwo\rthree\r\r\r<td>four</td>\r"),
            "---\ra: b\r---\r# ONE\rTWO\rTHREE\r\r\r<td>FOUR</td>\r");
  EXPECT_EQ(Markdown("# one\r\n\r\n> two\r\n> three\r\n"),
            "# ONE\r\n\r\n> TWO\r\n> THREE\r\n");
}

TEST(MarkdownDocumentTest, HardBreaksStay) {
  EXPECT_EQ(Markdown("> one  \n> two\\\n> three\n"),
            "> ONE  \n> TWO\\\n> THREE\n");
}

TEST(MarkdownDocumentTest, MarksInATranslationAreEscaped) {
  EXPECT_EQ(Markdown("word\n", Say("*a* 2 * 3 a_b _c_ `d` [e](f) [g] <h> i<3 "
                                   "&amp; x&y ~~z~~ \\* \\n")),
            "\\*a\\* 2 * 3 a_b \\_c\\_ \\`d\\` \\[e](f) [g] \\<h> i<3 "
            "\\&amp; x&y \\~\\~z\\~\\~ \\\\\\* \\n\n");
  EXPECT_EQ(Markdown("word\n", Say("# a")), "\\# a\n");
  EXPECT_EQ(Markdown("word\n", Say("- a")), "\\- a\n");
  EXPECT_EQ(Markdown("word\n", Say("1. a")), "1\\. a\n");
  EXPECT_EQ(Markdown("word\n", Say("> a")), "\\> a\n");
  EXPECT_EQ(Markdown("# word\n", Say("a #")), "# a \\#\n");
  EXPECT_EQ(Markdown("|a|\n|-|\n", Say("a|b")), "|a\\|b|\n|-|\n");
  EXPECT_EQ(Markdown("see [x](y)\n",
                     [](const DocumentUnit& unit) {
                       return "wow!" + unit.text.substr(4);
                     }),
            "wow\\![x](y)\n");
}

TEST(MarkdownDocumentTest, CodeAndFrontMatterHaveNoTexts) {
  EXPECT_THAT(Texts("    code\n\n```\ncode\n"), IsEmpty());
  EXPECT_THAT(Texts("- ~~~\n  code\n\n  code\n  ~~~\n\n      code\n"),
              IsEmpty());
  EXPECT_THAT(Texts("+++\ntitle = 1\n+++\n"), IsEmpty());
  EXPECT_THAT(Texts("---\nno front matter\n"), ElementsAre("no front matter"));
}

TEST(MarkdownDocumentTest, NestingHasALimit) {
  EXPECT_EQ(Markdown("a\n\n" + std::string(100, '>') + "a"),
            "line 3, column 65: block quotes and lists are nested more than 64 "
            "deep");
}

}  // namespace
}  // namespace sheaf
