// SPDX-License-Identifier: Apache-2.0

#include "text/checks/numbers.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "text/checks/number_words.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Find(const std::string& text) {
  std::vector<std::string> found;
  for (const WrittenNumber& number : FindNumbers(text)) {
    found.emplace_back(Slice(text, number.range));
  }
  return found;
}

std::vector<std::string> Texts(const std::string& text,
                               const std::vector<TextRange>& ranges) {
  std::vector<std::string> texts;
  for (const TextRange& range : ranges) texts.emplace_back(Slice(text, range));
  return texts;
}

std::vector<std::string> Missing(const std::string& en, const std::string& de) {
  return Texts(en, CompareNumbers(en, de, "en", "de").missing);
}

std::vector<std::string> Added(const std::string& en, const std::string& de) {
  return Texts(de, CompareNumbers(en, de, "en", "de").added);
}

// Nothing is missing and nothing is added, in both directions.
bool Same(const std::string& en, const std::string& de) {
  const NumberDifferences to = CompareNumbers(en, de, "en", "de");
  const NumberDifferences from = CompareNumbers(de, en, "de", "en");
  return to.missing.empty() && to.added.empty() && from.missing.empty() &&
         from.added.empty();
}

TEST(NumbersTest, NumbersWithTheirSeparators) {
  EXPECT_THAT(Find("On 5/10/2020 at 19:30, 1,234.5 kg. And 7."),
              ElementsAre("5/10/2020", "19:30", "1,234.5", "7"));
  EXPECT_THAT(Find("1 234 567 of 20 300 and 2020 300 and 1 2"),
              ElementsAre("1 234 567", "20 300", "2020", "300", "1", "2"));
  EXPECT_THAT(Find("x86, 3D, 1939–1945, 19h30"),
              ElementsAre("86", "3", "1939–1945", "19h30"));
  EXPECT_THAT(Find("٣٫٥ १२ ７．５"), ElementsAre("٣٫٥", "१२", "７．５"));
}

TEST(NumbersTest, SeparatorsMayChange) {
  EXPECT_TRUE(Same("It has 1,234.5 units.", "Es hat 1.234,5 Einheiten."));
  EXPECT_TRUE(Same("It has 1,234 units.", "Es hat 1234 Einheiten."));
  EXPECT_TRUE(Same("It has 1,234,567 units.", "Es hat 1 234 567 Einheiten."));
  EXPECT_TRUE(Same("At 19:30.", "Um 19.30 Uhr."));
  EXPECT_TRUE(Same("The 1st of 3.", "Der 1. von 3."));
  EXPECT_TRUE(Same("In 1939-1945.", "In 1939–1945."));
  EXPECT_TRUE(Same("٣٫٥ metres", "3,5 Meter"));
  EXPECT_TRUE(Same("12,34,567 rupees", "1.234.567 Rupien"));
}

TEST(NumbersTest, DigitsMayNotChange) {
  EXPECT_THAT(Missing("At 19:30.", "Um 7:30 Uhr."), ElementsAre("19:30"));
  EXPECT_THAT(Added("At 19:30.", "Um 7:30 Uhr."), ElementsAre("7:30"));
  EXPECT_THAT(Missing("It has 1.5 units.", "Es hat 15 Einheiten."),
              ElementsAre("1.5"));
  EXPECT_THAT(Missing("It has 1.5 units.", "Es hat 5,1 Einheiten."),
              ElementsAre("1.5"));
  EXPECT_THAT(Missing("Agent 007 and 25 men", "Agent 7 und 25 Männer"),
              ElementsAre("007"));
  EXPECT_THAT(Added("None.", "Es sind 42."), ElementsAre("42"));
  EXPECT_THAT(Missing("5 and 5", "5"), ElementsAre("5"));
}

TEST(NumbersTest, DatesAndTimesMayBeWrittenOtherwise) {
  EXPECT_TRUE(Same("On 10/5/2020.", "Am 5.10.2020."));
  EXPECT_TRUE(Same("On October 5, 2020.", "Am 5.10.2020."));
  EXPECT_TRUE(Same("On 5/3/2020.", "Am 5. März 2020."));
  EXPECT_TRUE(Same("At 7:30 pm.", "Um 19:30 Uhr."));
  EXPECT_TRUE(Same("At 7 p.m.", "Um 19 Uhr."));
  EXPECT_TRUE(Same("At 12:15 am.", "Um 0:15 Uhr."));
  EXPECT_THAT(Missing("At 7:30 am.", "Um 19:30 Uhr."), ElementsAre("7:30"));
}

TEST(NumbersTest, SmallNumbersMayBeWords) {
  EXPECT_TRUE(Same("3 files", "drei Dateien"));
  EXPECT_TRUE(Same("three files", "3 Dateien"));
  EXPECT_TRUE(Same("the 2nd file", "die zweite Datei"));
  EXPECT_TRUE(Same("the third file", "die 3. Datei"));
  EXPECT_TRUE(Same("1 file", "eine Datei"));
  EXPECT_TRUE(Same("3 times", "dreimal"));
  EXPECT_THAT(Missing("3 files", "vier Dateien"), ElementsAre("3"));
  EXPECT_EQ(NumberWords::For("fr").Number("trois"), 3);
  EXPECT_EQ(NumberWords::For("zxx").Number("three"), -1);
}

TEST(NumbersTest, CurrencySignsAreKept) {
  EXPECT_TRUE(Same("It costs €12.50.", "Es kostet 12,50 €."));
  EXPECT_TRUE(Same("It costs $5.", "Es kostet 5 Dollar."));
  EXPECT_TRUE(Same("It costs £5.", "Es kostet 5 Pfund."));
  EXPECT_TRUE(Same("It costs €5.", "Es kostet 5 EUR."));
  EXPECT_THAT(Missing("It costs €5.", "Es kostet 5 ✤."), ElementsAre("€"));
  EXPECT_THAT(Missing("Pay £20 now.", "Pay §20."), ElementsAre("£"));
  EXPECT_THAT(Added("It costs 5.", "Es kostet 5 $."), ElementsAre("$"));
}

TEST(NumbersTest, PhoneNumbersKeepTheirDigits) {
  EXPECT_TRUE(Same("Call +49 30 123456.", "Rufen Sie +49 30 123456 an."));
  EXPECT_TRUE(Same("Call 555-1234.", "Rufen Sie 555 1234 an."));
  EXPECT_THAT(Missing("Call 555-1234.", "Rufen Sie 555-1243 an."),
              ElementsAre("555-1234"));
}

}  // namespace
}  // namespace sheaf
