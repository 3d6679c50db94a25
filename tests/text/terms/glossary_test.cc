// SPDX-License-Identifier: Apache-2.0

#include "text/terms/glossary.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "text/terms/glossary_file.h"
#include "text/terms/words.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Words(absl::string_view text) {
  std::vector<std::string> words;
  for (const Word& word : SplitIntoWords(text)) {
    words.emplace_back(Slice(text, word.range));
  }
  return words;
}

TEST(WordsTest, AreUnicodesExceptForApostrophesAndUnspacedScripts) {
  EXPECT_THAT(Words("The  server's Node.js is 3.14, not 3,000."),
              ElementsAre("The", "server", "'", "s", "Node.js", "is", "3.14",
                          ",", "not", "3,000", "."));
  EXPECT_THAT(Words("l’eau e-mail C++ snake_case"),
              ElementsAre("l", "’", "eau", "e", "-", "mail", "C", "+", "+",
                          "snake_case"));
  EXPECT_THAT(Words("日本のserver"), ElementsAre("日", "本", "の", "server"));
  EXPECT_THAT(Words("Ü\u0308b a\u0301"), ElementsAre("Ü\u0308b", "a\u0301"));
  EXPECT_THAT(Words(" \n"), IsEmpty());
}

Glossary MakeGlossary(const std::vector<std::string>& sources) {
  Glossary glossary(
      [](int32_t place) { return absl::StrCat("entry ", place); });
  int32_t place = 0;
  for (const std::string& source : sources) {
    EXPECT_TRUE(glossary.Add(source, {"x"}, place++).ok());
  }
  return glossary;
}

std::vector<std::string> Find(const Glossary& glossary,
                              absl::string_view text) {
  std::vector<std::string> found;
  for (const Glossary::Match& match : glossary.Find(text)) {
    found.emplace_back(Slice(text, match.range));
  }
  return found;
}

TEST(GlossaryTest, FindsWholeWordsInAnyCase) {
  const Glossary glossary = MakeGlossary({"server", "Straße", "C++"});
  EXPECT_THAT(Find(glossary, "SERVER, Server and servers"),
              ElementsAre("SERVER", "Server"));
  EXPECT_THAT(Find(glossary, "the server's webserver"), ElementsAre("server"));
  EXPECT_THAT(Find(glossary, "STRAßE"), ElementsAre("STRAßE"));
  EXPECT_THAT(Find(glossary, "C++ and C+"), ElementsAre("C++"));
}

TEST(GlossaryTest, TheLongestTermAtAPlaceWins) {
  const Glossary glossary =
      MakeGlossary({"web", "web server", "server farm", "web server farm x"});
  EXPECT_THAT(Find(glossary, "web server farm"), ElementsAre("web server"));
  EXPECT_THAT(Find(glossary, "web farm server\n farm"),
              ElementsAre("web", "server\n farm"));
  EXPECT_THAT(Find(glossary, "web server farm x"),
              ElementsAre("web server farm x"));
}

TEST(GlossaryTest, SpacesDistinguishTerms) {
  const Glossary glossary = MakeGlossary({"AT&T", "a b"});
  EXPECT_THAT(Find(glossary, "AT & T"), IsEmpty());
  EXPECT_THAT(Find(glossary, "at&t A   b a-b"), ElementsAre("at&t", "A   b"));
}

TEST(GlossaryTest, IsTheDefinitionForRandomTexts) {
  std::mt19937 rng(301);
  const auto random_words = [&](int max_words) {
    std::vector<std::string> words(1 + rng() % max_words);
    for (std::string& word : words) {
      word = std::string(1 + rng() % 2, static_cast<char>('a' + rng() % 2));
    }
    return words;
  };
  for (int run = 0; run < 2000; ++run) {
    std::vector<std::string> sources(1 + rng() % 6);
    for (std::string& source : sources) {
      source = absl::StrJoin(random_words(3), " ");
    }
    const Glossary glossary = MakeGlossary(sources);
    const std::vector<std::string> words = random_words(20);
    std::vector<std::string> expected;
    for (size_t first = 0; first < words.size();) {
      size_t longest = 0;
      for (const std::string& source : sources) {
        const std::vector<std::string> term = absl::StrSplit(source, ' ');
        if (term.size() > longest && first + term.size() <= words.size() &&
            std::equal(term.begin(), term.end(), words.begin() + first)) {
          longest = term.size();
        }
      }
      if (longest > 0) {
        expected.push_back(absl::StrJoin(words.begin() + first,
                                         words.begin() + first + longest, " "));
      }
      first += std::max<size_t>(longest, 1);
    }
    EXPECT_EQ(Find(glossary, absl::AsciiStrToUpper(absl::StrJoin(words, " "))),
              std::vector<std::string>([&] {
                for (std::string& each : expected) absl::AsciiStrToUpper(&each);
                return expected;
              }()));
  }
}

std::string ErrorOf(absl::string_view source,
                    const std::vector<absl::string_view>& targets) {
  Glossary glossary(
      [](int32_t place) { return absl::StrCat("entry ", place); });
  return std::string(glossary.Add(source, targets, 0).message());
}

TEST(GlossaryTest, RefusesWhatIsNoTerm) {
  EXPECT_THAT(ErrorOf(" ", {"x"}),
              AllOf(HasSubstr("source is \"\""), HasSubstr("1..512 bytes")));
  EXPECT_THAT(ErrorOf(std::string(513, 'a'), {"x"}), HasSubstr("1..512 bytes"));
  EXPECT_THAT(ErrorOf("a\nb", {"x"}), HasSubstr("control"));
  EXPECT_THAT(ErrorOf("a", {"x\xff"}), HasSubstr("the target is"));
  EXPECT_THAT(ErrorOf("a", {}), HasSubstr("0 targets; allowed is 1..16"));
  EXPECT_THAT(ErrorOf("a", {"*"}), HasSubstr("allowed is \"*\" after"));
  std::string many = "a";
  for (int i = 0; i < 32; ++i) many += " a";
  EXPECT_THAT(ErrorOf(many, {"x"}), HasSubstr("33 words; allowed is 1..32"));
}

TEST(GlossaryTest, RefusesAnotherTranslationOfTheSameTerm) {
  Glossary glossary(
      [](int32_t place) { return absl::StrCat("entry ", place); });
  ASSERT_TRUE(glossary.Add("web server", {"Webserver", "Netzserver"}, 3).ok());
  EXPECT_TRUE(
      glossary.Add(" Web  Server", {" Webserver ", "Netzserver"}, 4).ok());
  const absl::Status status = glossary.Add("Web server", {"Webserver"}, 5);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("\"Web server\" has other targets"),
                    HasSubstr("entry 3")));
  EXPECT_EQ(glossary.size(), 1);
  EXPECT_THAT(glossary.TargetsOf(0), ElementsAre("Webserver", "Netzserver"));
}

TEST(GlossaryFileTest, ReadsLinesOfTerms) {
  const auto glossary = ParseGlossary(
      "\xEF\xBB\xBF# a comment\r\n\r\nserver\tServer\tRechner\r\n"
      "web page\tSeite");
  ASSERT_TRUE(glossary.ok()) << glossary.status();
  ASSERT_EQ((*glossary)->size(), 2);
  EXPECT_EQ((*glossary)->SourceOf(0), "server");
  EXPECT_THAT((*glossary)->TargetsOf(0), ElementsAre("Server", "Rechner"));
  EXPECT_EQ((*glossary)->SourceOf(1), "web page");
  EXPECT_THAT((*glossary)->TargetsOf(1), ElementsAre("Seite"));
}

TEST(GlossaryFileTest, NamesTheLineOfAnError) {
  const auto error = [](absl::string_view text) {
    return std::string(ParseGlossary(text).status().message());
  };
  EXPECT_THAT(error("a\tb\nc\n"),
              AllOf(HasSubstr("line 2: is \"c\""), HasSubstr("a tab")));
  EXPECT_THAT(error("a\tb\n\n\nc\t\n"), HasSubstr("line 4: the target is"));
  EXPECT_THAT(error("a\tb\nA\tc"),
              AllOf(HasSubstr("line 2: \"A\""), HasSubstr("in line 1")));
}

}  // namespace
}  // namespace sheaf
