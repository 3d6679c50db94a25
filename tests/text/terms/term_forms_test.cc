// SPDX-License-Identifier: Apache-2.0

#include "text/terms/term_forms.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "text/terms/glossary_file.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::shared_ptr<const Glossary> Parse(absl::string_view lines) {
  auto glossary = ParseGlossary(lines);
  EXPECT_TRUE(glossary.ok()) << glossary.status();
  return *std::move(glossary);
}

// The forms of the terms of a text, "source: form|form"; a stem has its '*'.
std::vector<std::string> FormsIn(absl::string_view text,
                                 const std::vector<const Glossary*>& glossaries,
                                 absl::string_view language = "de") {
  std::vector<std::string> all;
  for (const SourceTerm& term : FindTerms(text, glossaries, language)) {
    std::string& out = all.emplace_back(
        absl::StrCat(std::string(Slice(text, term.range)), ":"));
    for (const TargetForm& form : term.forms) {
      absl::StrAppend(&out, " ", form.text, form.is_stem ? "*" : "");
    }
  }
  return all;
}

TEST(TermFormsTest, CapitalsFollowTheSource) {
  const auto glossary = Parse("net\tnetz\nroad\tstraße\nAPI\tSchnittstelle");
  EXPECT_THAT(FormsIn("a net, a Net and a NET", {glossary.get()}),
              ElementsAre("net: netz Netz", "Net: Netz", "NET: NETZ"));
  EXPECT_THAT(FormsIn("the ROAD", {glossary.get()}),
              ElementsAre("ROAD: STRASSE"));
  EXPECT_THAT(FormsIn("an API, an api", {glossary.get()}),
              ElementsAre("API: Schnittstelle", "api: Schnittstelle"));
  // At the beginning, the capital may be that of the sentence.
  EXPECT_THAT(FormsIn("\"Net is\"", {glossary.get()}),
              ElementsAre("Net: netz Netz"));
  EXPECT_THAT(
      FormsIn("a NET of ice", {Parse("ice\tiz").get(), glossary.get()}, "tr"),
      ElementsAre("NET: NETZ", "ice: iz İz"));
}

TEST(TermFormsTest, AFormWithItsOwnCapitalsStaysAsItIs) {
  const auto glossary = Parse("shop\teBay\tIBM\tMcDonald");
  EXPECT_THAT(FormsIn("a SHOP", {glossary.get()}),
              ElementsAre("SHOP: eBay IBM McDonald"));
}

TEST(TermFormsTest, AStarMakesAStem) {
  const auto glossary = Parse("contract\tVertrag*\tKontrakt");
  EXPECT_THAT(FormsIn("the contract", {glossary.get()}),
              ElementsAre("contract: Vertrag* Kontrakt"));
}

TEST(TermFormsTest, TermsOfAnEarlierGlossaryWin) {
  const auto first = Parse("server\tA\nx y\tB");
  const auto second = Parse("web server\tC\nserver\tD\nfarm\tE\ny\tF");
  EXPECT_THAT(
      FormsIn("farm web server x y y", {first.get(), nullptr, second.get()}),
      ElementsAre("farm: E", "server: A", "x y: B", "y: F"));
}

std::vector<int32_t> Missing(absl::string_view target, absl::string_view source,
                             absl::string_view lines) {
  const auto glossary = Parse(lines);
  const std::vector<const Glossary*> glossaries = {glossary.get()};
  return MissingTerms(target, FindTerms(source, glossaries, "de"));
}

TEST(MissingTermsTest, ATermIsThereAsWholeWords) {
  EXPECT_THAT(Missing("Der Server läuft.", "the server", "server\tServer"),
              IsEmpty());
  EXPECT_THAT(Missing("Der Serverraum", "the server", "server\tServer"),
              ElementsAre(0));
  EXPECT_THAT(Missing("Der Server-Raum", "the server", "server\tServer"),
              IsEmpty());
  EXPECT_THAT(Missing("Der Webserver", "the server", "server\tserver"),
              ElementsAre(0));
  EXPECT_THAT(Missing("服务器在", "the server", "server\t服务器"), IsEmpty());
}

TEST(MissingTermsTest, AStemMayGoOn) {
  EXPECT_THAT(Missing("des Vertrages", "the contract", "contract\tVertrag*"),
              IsEmpty());
  EXPECT_THAT(Missing("Kaufvertrag", "the contract", "contract\tvertrag*"),
              ElementsAre(0));
}

TEST(MissingTermsTest, EachOccurrenceCountsOnce) {
  EXPECT_THAT(Missing("Ein Server.", "server and server", "server\tServer"),
              ElementsAre(1));
  EXPECT_THAT(Missing("New York und York.", "York, New York",
                      "York\tYork\nNew York\tNew York"),
              IsEmpty());
  EXPECT_THAT(
      Missing("New York.", "York, New York", "York\tYork\nNew York\tNew York"),
      ElementsAre(0));
}

}  // namespace
}  // namespace sheaf
