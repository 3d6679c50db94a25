// SPDX-License-Identifier: Apache-2.0

#include "text/checks/capitals.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "text/checks/letter_case.h"
#include "text/checks/protected_spans.h"

namespace sheaf {
namespace {

Capitals Of(const std::string& text, const std::string& language = "en") {
  return CapitalsOf(text, language, FindProtectedSpans(text, {}));
}

std::string Sentence(const std::string& text,
                     const std::string& language = "en") {
  return ToSentenceCase(text, language, FindProtectedSpans(text, {})).text();
}

std::string Set(const std::string& text, Capitals capitals,
                const std::string& language) {
  return SetCapitals({text, {}}, capitals, language,
                     FindProtectedSpans(text, {}))
      .text;
}

TEST(CapitalsTest, TextsInCapitals) {
  EXPECT_EQ(Of("THE FILE IS OPEN."), Capitals::kAll);
  EXPECT_EQ(Of("OPEN"), Capitals::kAll);
  EXPECT_EQ(Of("OPEN {name} NOW"), Capitals::kAll);
  EXPECT_EQ(Of("ÖFFNE DIE TÜR", "de"), Capitals::kAll);
  EXPECT_EQ(Of("NEU"), Capitals::kNone);
  EXPECT_EQ(Of("THE FILE IS Open."), Capitals::kNone);
  EXPECT_EQ(Of("A B C 5"), Capitals::kNone);
  EXPECT_EQ(Of("文件"), Capitals::kNone);
  EXPECT_EQ(Of("{NAME} {FILE}"), Capitals::kNone);
  EXPECT_EQ(Of(""), Capitals::kNone);
}

TEST(CapitalsTest, EnglishTitles) {
  EXPECT_EQ(Of("How to Install the Program"), Capitals::kTitle);
  EXPECT_EQ(Of("How To Install The {name} Program"), Capitals::kTitle);
  EXPECT_EQ(Of("How to install the Program"), Capitals::kNone);
  EXPECT_EQ(Of("Open the box"), Capitals::kNone);
  EXPECT_EQ(Of("Die Katze Und Hund", "de"), Capitals::kNone);
}

TEST(CapitalsTest, SentencesHaveOneCapital) {
  EXPECT_EQ(Sentence("THE FILE IS OPEN. I'M HERE."),
            "The file is open. I'm here.");
  EXPECT_EQ(Sentence("How to Install the PDF from GitHub"),
            "How to install the PDF from GitHub");
  EXPECT_EQ(Sentence("OPEN {NAME} IN MP3"), "Open {NAME} in MP3");
  EXPECT_EQ(Sentence("{NAME} IS OPEN"), "{NAME} is open");
  EXPECT_EQ(Sentence("\"ÜBER ALLES\"", "de"), "\"Über alles\"");
  EXPECT_EQ(Sentence("IŞIK VE İNSAN", "tr"), "Işık ve insan");
}

TEST(CapitalsTest, TranslationsAreSetInCapitals) {
  EXPECT_EQ(Set("Die Straße ist in {name}.", Capitals::kAll, "de"),
            "DIE STRASSE IST IN {name}.");
  EXPECT_EQ(Set("istanbul ışık", Capitals::kAll, "tr"), "İSTANBUL IŞIK");
  EXPECT_EQ(Set("how to install the program", Capitals::kTitle, "en"),
            "How to Install the Program");
  EXPECT_EQ(Set("Wie man das programm", Capitals::kTitle, "de"),
            "Wie man das programm");
  EXPECT_EQ(Set("Die Straße", Capitals::kNone, "de"), "Die Straße");
}

TEST(CapitalsTest, TheAlignmentFollows) {
  const EditedText target = {"Die Straße nun",
                             {{{0, 3}, {0, 3}},
                              {{4, 10}, {4, 5}},   // "Straß"
                              {{10, 11}, {5, 6}},  // "e"
                              {{12, 15}, {7, 9}}}};
  ASSERT_EQ(target.text.size(), 15);
  const EditedText set = SetCapitals(target, Capitals::kAll, "de", {});
  ASSERT_EQ(set.text, "DIE STRASSE NUN");
  ASSERT_EQ(set.alignment.size(), 4);
  EXPECT_EQ(Slice(set.text, set.alignment[0].target), "DIE");
  EXPECT_EQ(Slice(set.text, set.alignment[1].target), "STRASS");
  EXPECT_EQ(Slice(set.text, set.alignment[2].target), "E");
  EXPECT_EQ(Slice(set.text, set.alignment[3].target), "NUN");
}

TEST(CapitalsTest, PlacesOfASentenceAreThoseOfItsSource) {
  const std::string source = "DIE STRAẞE IST";
  const ReplacedSource sentence = ToSentenceCase(source, "de", {});
  ASSERT_EQ(sentence.text(), "Die straße ist");
  const size_t at = sentence.text().find("ist");
  const TextRange range = sentence.ToOriginal(TextRange{at, at + 3});
  EXPECT_EQ(Slice(source, range), "IST");
}

}  // namespace
}  // namespace sheaf
