// SPDX-License-Identifier: Apache-2.0

#include "text/markup/place_tags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/text/markup/markup_translation.h"

namespace sheaf {
namespace {

// A translation written as "Drücken=Press Sie= +.=.": each word of the target
// with the word of the source from which it comes, or "". "+" means that there
// is no space before it; "word#2" is the second such word of the source.
TestTranslation Translation(absl::string_view words, absl::string_view source) {
  TestTranslation result;
  for (absl::string_view word : absl::StrSplit(words, ' ')) {
    const bool is_attached = word.size() > 1 && word[0] == '+';
    if (is_attached) word.remove_prefix(1);
    if (!is_attached && !result.text.empty()) result.text += ' ';
    const size_t sign = word.rfind('=');
    absl::string_view origin = word.substr(sign + 1);
    int count = 1;
    if (origin.size() > 2 && origin[origin.size() - 2] == '#') {
      count = origin.back() - '0';
      origin.remove_suffix(2);
    }
    AlignedSpan span;
    span.target.begin = result.text.size();
    absl::StrAppend(&result.text, word.substr(0, sign));
    span.target.end = result.text.size();
    size_t found = 0;
    for (size_t from = 0; count > 0 && !origin.empty(); --count) {
      found = source.find(origin, from);
      EXPECT_NE(found, absl::string_view::npos) << word << " in " << source;
      from = found + 1;
    }
    if (!origin.empty()) span.source = {found, found + origin.size()};
    result.alignment.push_back(span);
  }
  return result;
}

struct Case {
  const char* source;  // HTML
  const char* words;   // a Translation()
  const char* target;  // HTML
};

std::string Translate(const Case& c, bool is_aligned) {
  const absl::StatusOr<std::string> result = TranslateMarkup(
      c.source, TextFormat::kHtml, MarkupOptions(),
      [&](absl::string_view segment) {
        TestTranslation translation = Translation(c.words, segment);
        if (!is_aligned) translation.alignment.clear();
        return translation;
      });
  return result.ok() ? *result : result.status().ToString();
}

constexpr Case kCases[] = {
    {"Press the <b>red</b> button.",
     "Drücken=Press Sie= den=the roten=red Knopf=button +.=.",
     "Drücken Sie den <b>roten</b> Knopf."},
    // The order of words changes.
    {"I have <b>read</b> the <i>book</i>.",
     "Ich=I habe=have das=the Buch=book gelesen=read +.=.",
     "Ich habe das <i>Buch</i> <b>gelesen</b>."},
    {"<b>Yesterday</b> I saw <a href=\"x?a=1&amp;b=2\">the dog</a>.",
     "Ich=I sah=saw gestern=Yesterday den=the Hund=dog +.=.",
     "Ich sah <b>gestern</b> <a href=\"x?a=1&amp;b=2\">den Hund</a>."},
    // Nested elements.
    {"See <a href=u>the <b>new</b> manual</a> for details.",
     "Details=details finden=See Sie= in= der=the neuen=new Anleitung=manual "
     "+.=.",
     "Details finden Sie in <a href=u>der <b>neuen</b> Anleitung</a>."},
    {"A <b><i>very</i></b> old house", "Ein=A sehr=very altes=old Haus=house",
     "Ein <b><i>sehr</i></b> altes Haus"},
    {"It is <b>not <i>only</i></b> big.",
     "Es=It ist=is nicht=not nur=only groß=big +.=.",
     "Es ist <b>nicht <i>nur</i></b> groß."},
    // Adjacent elements.
    {"The <b>big</b><i>house</i> burns.",
     "Das=The große=big Haus=house brennt=burns +.=.",
     "Das <b>große</b> <i>Haus</i> brennt."},
    // Around the whole text, in the middle of it only by a segment.
    {"<p><a href=x>Read more</a></p>", "Mehr=more lesen=Read",
     "<p><a href=x>Mehr lesen</a></p>"},
    // Marks in and out of elements.
    {"<b>Note:</b> save it.",
     "Hinweis=Note +:=: Speichern=save Sie= es=it +.=.",
     "<b>Hinweis:</b> Speichern Sie es."},
    {"<b>Note</b>: save it.",
     "Hinweis=Note +:=: Speichern=save Sie= es=it +.=.",
     "<b>Hinweis</b>: Speichern Sie es."},
    {"He said <q>\"stop!\"</q> loudly.",
     "Er=He sagte=said laut=loudly \"=\" +halt=stop +!=! +\"=\"#2 +.=.",
     "Er sagte laut <q>\"halt!\"</q>."},
    {"He said \"<i>stop</i>\" loudly.",
     "Er=He sagte=said laut=loudly \"=\" +halt=stop +\"=\"#2 +.=.",
     "Er sagte laut \"<i>halt</i>\"."},
    {"The (<em>old</em>) town", "Die=The (=( +alte=old +)=) Stadt=town",
     "Die (<em>alte</em>) Stadt"},
    // Spaces in and out of elements.
    {"Hello<b> world</b>, go", "Hallo=Hello Welt=world +,=, geh=go",
     "Hallo<b> Welt</b>, geh"},
    {"Hello <b>world </b>go", "Hallo=Hello Welt=world geh=go",
     "Hallo <b>Welt </b>geh"},
    // Footnote marks and exponents stay at their words.
    {"The price<sup>1</sup> rose.", "Der=The Preis=price stieg=rose +.=.",
     "Der Preis<sup>1</sup> stieg."},
    {"He saw it.<sup><a href=#n>[2]</a></sup> So it was.", "Ja=it +.=.",
     "Ja.<sup><a href=#n>[2]</a></sup> Ja."},
    {"A room of 20 m<sup>2</sup> is small.",
     "Ein=A Zimmer=room von=of 20=20 m=m#2 ist=is klein=small +.=.",
     "Ein Zimmer von 20 m<sup>2</sup> ist klein."},
    {"Drink H<sub>2</sub>O daily.", "Täglich=daily H2O=H2O trinken=Drink +.=.",
     "Täglich H<sub>2</sub>O trinken."},
    // Icons.
    {"<i class=\"x\"></i> Save file", "Datei=file speichern=Save",
     "<i class=\"x\"></i> Datei speichern"},
    {"Next page <i class=\"x\"></i>", "Nächste=Next Seite=page",
     "Nächste Seite <i class=\"x\"></i>"},
    {"<a><i class=x></i> Save</a> the file",
     "Die=the Datei=file speichern=Save",
     "Die Datei <a><i class=x></i> speichern</a>"},
    {"Click <img src=a> to save.",
     "Klicken=Click Sie= zum=to Sichern=save +.=.",
     "Klicken Sie <img src=a> zum Sichern."},
    {"the <img src=a>old house", "das=the alte=old Haus=house",
     "das <img src=a>alte Haus"},
    // Code is kept where it stands.
    {"Run <code>ls -l</code> now.",
     "Führen=Run Sie= jetzt=now ls=ls -l=-l aus= +.=.",
     "Führen Sie jetzt <code>ls -l</code> aus."},
    {"Open <span translate=no>Big <b>Fish</b></span> now.",
     "Jetzt=now Big=Open Fish=Open öffnen=Open +.=.",
     "Jetzt <span translate=no>Big <b>Fish</b></span> öffnen."},
    // A part of a word.
    {"It is un<b>believ</b>able.", "Es=It ist=is unglaublich=believ +.=.",
     "Es ist <b>unglaublich</b>."},
    // One token is aligned wrongly.
    {"I like <a>the old town hall</a> very much.",
     "Ich=I mag=like das=the alte=old städtische=much Rathaus=town hier=hall "
     "sehr=very +.=.",
     "Ich mag <a>das alte städtische Rathaus hier</a> sehr."},
    // A word of unknown origin.
    {"We <b>never</b> sleep.", "Wir=We nie= schlafen=sleep +.=.",
     "Wir <b>nie</b> schlafen."},
    // Elements that overlap keep their order.
    {"one <b>two <i>three</b> four</i> five",
     "eins=one zwei=two drei=three vier=four fünf=five",
     "eins <b>zwei <i>drei</b> vier</i> fünf"},
    // Text is escaped.
    {"<b>A</b> &amp; B", "A=A &=& B=B +<= +C=", "<b>A</b> &amp; B&lt;C"},
    // Scripts without spaces.
    {"the <b>red</b> book", "这=the +本= +红=red +书=book", "这本<b>红</b>书"},
};

TEST(PlaceTagsTest, TagsFollowTheirWords) {
  for (const Case& c : kCases) {
    EXPECT_EQ(Translate(c, /*is_aligned=*/true), c.target) << c.source;
  }
}

TEST(PlaceTagsTest, WithoutAlignmentPositionsDecide) {
  constexpr Case kUnaligned[] = {
      {"<b>Read</b> it", "Lies= es=", "<b>Lies</b> es"},
      {"<a>Read</a> the <b>manual</b> now.", "Lies= jetzt= die= Anleitung= +.=",
       "<a>Lies</a> jetzt <b>die</b> Anleitung."},
      // Names and numbers are in both texts.
      {"In 2024 <b>Berlin</b> was cold.",
       "Kalt= war= es= in= Berlin= im= Jahr= 2024= +.=",
       "Kalt war es in <b>Berlin</b> im Jahr 2024."},
      {"<a href=x>All of it</a>", "Alles= davon=", "<a href=x>Alles davon</a>"},
      {"Run <code>ls -l</code>!",
       "Bitte= ls= -l= starten= +!=", "Bitte <code>ls -l</code> starten!"},
  };
  for (const Case& c : kUnaligned) {
    EXPECT_EQ(Translate(c, /*is_aligned=*/false), c.target) << c.source;
  }
}

TEST(PlaceTagsTest, AnElementMaySpanSentences) {
  const auto translate = [](absl::string_view segment) {
    return segment == "You go."
               ? Translation("Du=You gehst=go +.=.", segment)
               : Translation("Wir=We bleiben=stay +.=.", segment);
  };
  const auto translated = [&](absl::string_view text) {
    return *TranslateMarkup(text, TextFormat::kHtml, MarkupOptions(),
                            translate);
  };
  EXPECT_EQ(translated("You <b>go. We</b> stay."),
            "Du <b>gehst. Wir</b> bleiben.");
  EXPECT_EQ(translated("You <b>go.</b> We stay."),
            "Du <b>gehst.</b> Wir bleiben.");
  EXPECT_EQ(translated("<i>You go. <b>We</b> stay.</i>"),
            "<i>Du gehst. <b>Wir</b> bleiben.</i>");
  EXPECT_EQ(translated("You <i><b>go</b>. We stay</i>."),
            "Du <i><b>gehst</b>. Wir bleiben</i>.");
  EXPECT_EQ(translated("You go.<br> <img> We stay."),
            "Du gehst.<br> <img> Wir bleiben.");
  EXPECT_EQ(translated("<a>You go. </a><a>We stay.</a>"),
            "<a>Du gehst. </a><a>Wir bleiben.</a>");
}

// A target that is empty, or has no words of the source, loses no tag.
TEST(PlaceTagsTest, TagsWithoutWordsAreWritten) {
  const auto translated = [&](absl::string_view text, const char* target) {
    return *TranslateMarkup(text, TextFormat::kHtml, MarkupOptions(),
                            [&](absl::string_view) {
                              return TestTranslation{target, {}};
                            });
  };
  EXPECT_EQ(translated("a <b>c <i>d</i></b> <img>e", ""),
            "<b><i></i></b><img>");
  EXPECT_EQ(translated("a <b>c <i>d</b> e</i> f", ""), "<b><i></b></i>");
  EXPECT_EQ(translated("a <b></b>c", "!"), "!<b></b>");
}

// No-break spaces belong to no word, but stand on one side of a tag.
TEST(PlaceTagsTest, SpacesStayOnTheirSideOfTags) {
  for (const char* text : {
           // The element has no end tag in the passage.
           "Sie x <i nr=6>&nbsp;<input nr=7>go well-known",
           "Press<i>&nbsp;<img>here</i>",
           "Press<i>here<img>&nbsp;</i>now",
           "Press <i>&nbsp;<img>&nbsp;<wbr>here</i>",
           "Press<b>&nbsp;</b><img>here",
           "Press<b>&nbsp;<img>&nbsp;</b>here",
           "Press<b> </b>here",
       }) {
    const absl::StatusOr<std::string> copy =
        TranslateMarkup(text, TextFormat::kHtml, MarkupOptions(), CopySegment);
    ASSERT_TRUE(copy.ok());
    EXPECT_EQ(*copy, text);
  }
}

}  // namespace
}  // namespace sheaf
