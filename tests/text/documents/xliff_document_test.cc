// SPDX-License-Identifier: Apache-2.0

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/text/documents/fake_translation.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Xliff(std::string bytes,
                  const DocumentOptions& options = {.target_language = "de"},
                  const FakeTranslation& translate = Capitals) {
  absl::StatusOr<std::string> out = TranslateDocument(
      DocumentFormat::kXliff, std::move(bytes), translate, options);
  return out.ok() ? *out : std::string(out.status().message());
}

std::string Version1(const std::string& body) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xliff "
         "version=\"1.2\">\n <file original='a'  target-language=\"de\">\n" +
         body + " </file>\n</xliff>\n";
}
std::string Version2(const std::string& body) {
  return "<xliff version=\"2.0\" srcLang=\"en\" trgLang=\"de-DE\"><file "
         "id=\"f\"><unit id=\"u\">\n" +
         body + "</unit></file></xliff>";
}
constexpr char kState[] =
    "state=\"needs-review-translation\" state-qualifier=\"leveraged-mt\"";

TEST(XliffDocumentTest, ASourceGetsATargetBelowIt) {
  EXPECT_EQ(
      Xliff(Version1("  <trans-unit id=\"1\">\n    <source>Tom &amp; "
                     "I</source>\n    <note>a note</note>\n  </trans-unit>\n")),
      Version1("  <trans-unit id=\"1\">\n    <source>Tom &amp; I</source>\n    "
               "<target " +
               std::string(kState) +
               ">TOM &amp; I</target>\n    <note>a note</note>\n  "
               "</trans-unit>\n"));
  EXPECT_EQ(Xliff(Version2("<segment>\n <source>Hi</source>\n</segment>\n")),
            Version2("<segment state=\"translated\">\n <source>Hi</source>\n "
                     "<target>HI</target>\n</segment>\n"));
}

TEST(XliffDocumentTest, AnEmptyTargetIsFilledAndKeepsItsAttributes) {
  for (const char* const empty :
       {"<target xml:lang='de' state='new'/>",
        "<target xml:lang='de' state='new'></target>",
        "<target xml:lang='de' state='new'>Hi</target>"}) {
    EXPECT_EQ(Xliff(Version1("<trans-unit id='1'><source>Hi</source>" +
                             std::string(empty) + "</trans-unit>"),
                    {.mark_for_review = false}),
              Version1("<trans-unit id='1'><source>Hi</source><target "
                       "xml:lang='de' state='translated' "
                       "state-qualifier=\"leveraged-mt\">HI</target>"
                       "</trans-unit>"))
        << empty;
  }
}

TEST(XliffDocumentTest, TranslationsAreKeptUnlessAsked) {
  const std::string unit =
      "<trans-unit id='1'><source>Hi</source><target>Ho</target></trans-unit>";
  const std::string approved =
      "<trans-unit id='2' approved='yes'><source>Hi</source><target>Ho</target>"
      "</trans-unit>";
  EXPECT_EQ(Xliff(Version1(unit + approved)), Version1(unit + approved));
  EXPECT_EQ(
      Xliff(Version1(unit + approved), {.retranslate = true}),
      Version1("<trans-unit id='1'><source>Hi</source><target " +
               std::string(kState) + ">HI</target></trans-unit>" + approved));
  const std::string segment =
      "<segment><source>Hi</source><target>Ho</target></segment>";
  EXPECT_EQ(Xliff(Version2(segment)), Version2(segment));
}

TEST(XliffDocumentTest, WhatIsNotToBeTranslatedStays) {
  const std::string body =
      "<group translate='no'><trans-unit id='1'><source>A</source></trans-unit>"
      "</group><trans-unit id='2' translate='no'><source>B</source>"
      "</trans-unit>";
  EXPECT_EQ(Xliff(Version1(body)), Version1(body));
  EXPECT_THAT(
      TextsOf(DocumentFormat::kXliff,
              Version1("<group translate='no'><trans-unit id='1' "
                       "translate='yes'><source>C</source><alt-trans>"
                       "<source>D</source><target>E</target></alt-trans>"
                       "</trans-unit></group>")),
      ElementsAre("C"));
  EXPECT_THAT(TextsOf(DocumentFormat::kXliff,
                      Version2("<ignorable><source>a b</source></ignorable>"
                               "<notes><note>n</note></notes>")),
              IsEmpty());
}

TEST(XliffDocumentTest, InlineElementsAreCodes) {
  const std::string source =
      "Push <g id='1'>the <x id='2'/> <ph id='3'>&lt;b&gt; text</ph>big</g> "
      "<mrk mtype='protected'>Sheaf &amp; Co</mrk> button<bx id='4'/>!";
  EXPECT_THAT(
      TextsOf(DocumentFormat::kXliff,
              Version1("<trans-unit id='1'><source>" + source +
                       "</source></trans-unit>")),
      ElementsAre(
          "Push <span id=\"1\">the <img id=\"3\"> <img id=\"5\">big</span> "
          "<code id=\"9\">Sheaf &amp; Co</code> button<img id=\"11\">!"));
  EXPECT_THAT(
      Xliff(Version1("<trans-unit id='1'><source>" + source +
                     "</source></trans-unit>"),
            {}, Reversed),
      HasSubstr(">!<bx id='4'/> button<mrk mtype='protected'>Sheaf &amp; "
                "Co</mrk> <g id='1'>big<ph id='3'>&lt;b&gt; text</ph> <x "
                "id='2'/> the</g> Push</target>"));
  EXPECT_THAT(
      TextsOf(DocumentFormat::kXliff,
              Version2("<segment><source>A <pc id='1'>b</pc> <sc id='2'/>c <ec "
                       "startRef='2'/>d</source></segment>")),
      ElementsAre("A <span id=\"1\">b</span> <img id=\"5\">c <img id=\"7\">d"));
}

TEST(XliffDocumentTest, ASegmentedSourceIsTakenBeforeTheSource) {
  EXPECT_THAT(
      Xliff(
          Version1("<trans-unit id='1'><source>A. B.</source><seg-source><mrk "
                   "mid='0' mtype='seg'>A.</mrk> <mrk mid='1' "
                   "mtype='seg'>B.</mrk></seg-source></trans-unit>"),
          {}, SameText),
      HasSubstr("</seg-source><target " + std::string(kState) +
                "><mrk mid='0' mtype='seg'>A.</mrk> <mrk mid='1' "
                "mtype='seg'>B.</mrk></target>"));
}

TEST(XliffDocumentTest, AMissingLanguageIsAddedAndAnotherRefused) {
  EXPECT_THAT(Xliff("<xliff version='1.2'><file original='a'><trans-unit "
                    "id='1'><source>a</source></trans-unit></file></xliff>"),
              HasSubstr("<file original='a' target-language=\"de\">"));
  EXPECT_THAT(Xliff(Version1(""), {.target_language = "fr"}),
              HasSubstr("line 3, column 2: target-language is de, but the "
                        "target language is fr"));
}

TEST(XliffDocumentTest, PrefixesOfNamesAreKept) {
  EXPECT_THAT(Xliff("<x:xliff version='2.0' trgLang='de'><x:segment>"
                    "<x:source>a</x:source></x:segment></x:xliff>"),
              HasSubstr("</x:source><x:target>A</x:target></x:segment>"));
}

TEST(XliffDocumentTest, ErrorsNameThePlace) {
  EXPECT_EQ(Xliff("<xliff>\n <file></xliff>"),
            "line 2, column 10: not well-formed XML: mismatched tag");
  EXPECT_EQ(Xliff("<html/>"),
            "line 1, column 1: the root element is html, not xliff");
  EXPECT_EQ(Xliff(""),
            "line 1, column 1: not well-formed XML: no element "
            "found");
  EXPECT_THAT(Xliff("<?xml version='1.0' encoding='ISO-8859-1'?><xliff/>"),
              HasSubstr("the encoding is ISO-8859-1; only UTF-8 is read"));
}

TEST(XliffDocumentTest, EntitiesOfADtdAreNotExpanded) {
  const std::string in =
      "<!DOCTYPE xliff [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><xliff "
      "version='1.2'><file target-language='de'><trans-unit id='1'><source>x "
      "&b; y</source></trans-unit></file></xliff>";
  EXPECT_THAT(TextsOf(DocumentFormat::kXliff, in),
              ElementsAre("x <img id=\"1\"> y"));
  EXPECT_THAT(Xliff(in), HasSubstr(">X &b; Y</target>"));
}

}  // namespace
}  // namespace sheaf
