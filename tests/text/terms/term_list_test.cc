// SPDX-License-Identifier: Apache-2.0

#include "text/terms/term_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

bool AnyLanguages(absl::string_view, absl::string_view) { return true; }

// "a=b|c=d", or the message of an error.
std::string Shown(const absl::StatusOr<std::vector<TermPair>>& pairs) {
  if (!pairs.ok()) {
    EXPECT_TRUE(absl::IsInvalidArgument(pairs.status()));
    return std::string(pairs.status().message());
  }
  return absl::StrJoin(*pairs, "|", [](std::string* out, const TermPair& pair) {
    absl::StrAppend(out, pair.source, "=", pair.target);
  });
}
std::string Tsv(absl::string_view text) { return Shown(ParseTermsTsv(text)); }
std::string Csv(absl::string_view text) {
  return Shown(ParseTermsCsv(text, AnyLanguages));
}
std::string Refusal(const std::vector<TermPair>& pairs) {
  return std::string(
      GlossaryOfTerms(pairs, [] { return true; }).status().message());
}

TEST(TermListTest, TsvHasATermATabAndATranslation) {
  EXPECT_EQ(Tsv("\xEF\xBB\xBFserver\tRechner\r\n\n  \n# a \t b\n"),
            "server=Rechner|# a=b");
  EXPECT_EQ(Tsv(""), "");
  EXPECT_THAT(Tsv("a\tb\nc"), StartsWith("line 2: is \"c\""));
  EXPECT_THAT(Tsv("a\tb\tc"), StartsWith("line 1: is"));
}

TEST(TermListTest, CsvMayHaveQuotedFieldsAndLanguages) {
  EXPECT_EQ(Csv("a,b\r\n\"c, \"\"d\"\"\",\"e\"\n\n f , g ,en,de\n"
                "h,i,en,de,0.5"),
            "a=b|c, \"d\"=e|f=g|h=i");
  EXPECT_EQ(Shown(ParseTermsCsv(
                "a,b,en,de\nc,d,de,en\ne,f\n",
                [](absl::string_view source, absl::string_view target) {
                  return source == "en" && target == "de";
                })),
            "a=b|e=f");
  EXPECT_THAT(Csv("a,b\nc"), StartsWith("line 2: has 1 fields"));
  EXPECT_THAT(Csv("a,b,en"), StartsWith("line 1: has 3 fields"));
  EXPECT_THAT(Csv("a,\"b"), HasSubstr("without a second one"));
  EXPECT_THAT(Csv("a,\"b\"c"), HasSubstr("after a second quotation mark"));
  EXPECT_THAT(Csv("a,b\"c"), HasSubstr("not quoted as a whole"));
}

TEST(TermListTest, TextAndListAreTheSame) {
  const std::string text = "server\tRechner\nweb page\tNetzseite";
  EXPECT_EQ(TermsToTsv(*ParseTermsTsv(text)), text);
}

TEST(TermListTest, MergingReplacesTranslationsOfTheSameTerm) {
  EXPECT_EQ(
      Shown(MergeTerms({{"a", "1"}, {"b", "2"}}, {{"c", "3"}, {"a", "4"}})),
      "a=4|b=2|c=3");
}

TEST(TermListTest, AGlossaryHasEachTermOnce) {
  EXPECT_EQ(Refusal({{"server", "Rechner"}, {"Server", "Rechner"}}), "");
  EXPECT_THAT(Refusal({{"a", "1"}, {"b", "2"}, {"a", "1"}}),
              StartsWith("entry 3: \"a\" is also entry 1"));
  EXPECT_THAT(Refusal({{"a", "1"}, {"A", "2"}}),
              StartsWith("entry 2: \"A\" has other targets than in entry 1"));
}

TEST(TermListTest, TermsAreShortLinesOfText) {
  EXPECT_THAT(Refusal({{"", "b"}}), StartsWith("entry 1: the source is"));
  EXPECT_THAT(Refusal({{"a", ""}}), StartsWith("entry 1: the target is"));
  EXPECT_THAT(Refusal({{"a", std::string(513, 'b')}}),
              HasSubstr("allowed is 1..512 bytes"));
  for (const char* term : {"a\nb", "a\x7f", "a\xc2\x85", "a\xe2\x80\xa8 b"}) {
    EXPECT_THAT(Refusal({{term, "b"}}), HasSubstr("control character"));
    EXPECT_THAT(Refusal({{"b", term}}), HasSubstr("control character"));
  }
  EXPECT_THAT(Refusal({{"a\xff", "b"}}), HasSubstr("UTF-8"));
}

TEST(TermListTest, ALongListEndsOnceItIsNotWanted) {
  int num_calls = 0;
  std::vector<TermPair> pairs;
  for (int i = 0; i < 3000; ++i) pairs.push_back({absl::StrCat("a", i), "b"});
  EXPECT_TRUE(absl::IsCancelled(
      GlossaryOfTerms(pairs, [&] { return ++num_calls < 3; }).status()));
  EXPECT_EQ(num_calls, 3);
}

}  // namespace
}  // namespace sheaf
