// SPDX-License-Identifier: Apache-2.0

// Expected scores are those of sacreBLEU 2.6.0 (BLEU() and CHRF() by default)
// and rouge-score 0.1.2 (use_stemmer=False, score_multi) on the same texts.

#include "train/evaluate/scores.h"

#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

struct Item {
  std::string hypothesis;
  std::vector<std::string> references;
  std::string tokens;  // of the hypothesis, by 13a
};

const std::vector<Item>& Items() {
  static const auto& items = *new std::vector<Item>{
      {"Das ist ein kleiner Test, oder?",
       {"Das ist ein kurzer Test, nicht wahr?", "Dies ist ein kleiner Test."},
       "Das ist ein kleiner Test , oder ?"},
      {"Er zahlte 3.50 EUR - mehr als 1-2 Leute; \"viel\" & mehr.",
       {"Er bezahlte 3.50 EUR - mehr als 1-2 Leute; \"viel\" & mehr."},
       "Er zahlte 3.50 EUR - mehr als 1 - 2 Leute ; \" viel \" & mehr ."},
      {"Der Hund läuft schnell über die Straße.",
       {"Der Hund rennt schnell über die Straße.",
        "Ein Hund läuft über die Straße."},
       "Der Hund läuft schnell über die Straße ."},
      {"Ja.", {"Ja!", "Jawohl.", "Doch."}, "Ja ."},
      {" Preis: 1,000.5 (ca. 10%) ... nicht-wahr?? x/y [a_b]",
       {"Preis: 1,000.5 (etwa 10%) ... nicht wahr? x/y [a_b]"},
       "Preis : 1,000.5 ( ca . 10 % ) . . . nicht-wahr ? ? x / y [ a _ b ]"},
  };
  return items;
}

TEST(ScoresTest, TokensAreThoseOf13a) {
  for (const Item& item : Items()) {
    EXPECT_EQ(absl::StrJoin(Tokenize13a(item.hypothesis), " "), item.tokens);
  }
  EXPECT_EQ(absl::StrJoin(Tokenize13a("&lt;b&gt; &amp; &quot;c&quot;"), " "),
            "< b > & \" c \"");
}

TEST(ScoresTest, BleuIsSacrebleus) {
  Bleu bleu;
  for (const Item& item : Items()) bleu.Add(item.hypothesis, item.references);
  EXPECT_NEAR(bleu.Score(), 72.20869905961565, 1e-9);
  EXPECT_EQ(bleu.Signature(), "nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp");
  EXPECT_EQ(bleu.counts().hypothesis_length, 59);
  EXPECT_EQ(bleu.counts().reference_length, 59);
  EXPECT_THAT(bleu.counts().num_matches, testing::ElementsAre(53, 42, 33, 26));
}

TEST(ScoresTest, BleuOfOrdersWithoutMatchesIsSmoothed) {
  Bleu bleu;
  bleu.Add("the cat sat on a mat today", {"the cat sat on the mat"});
  bleu.Add("no match at all", {"something else entirely here"});
  EXPECT_NEAR(bleu.Score(), 30.503839273089397, 1e-9);
}

TEST(ScoresTest, BleuOfACorpusWithoutFourWordsIsZero) {
  Bleu bleu;
  bleu.Add("a b c", {"x b y d e"});
  EXPECT_EQ(bleu.Score(), 0);
}

TEST(ScoresTest, ShortOutputsAreFinedByTheBrevityPenalty) {
  Bleu bleu;
  bleu.Add("a b c d", {"a b c d e f g h"});
  EXPECT_NEAR(bleu.Score(), 100 * std::exp(-1), 1e-9);
}

TEST(ScoresTest, ChrfIsSacrebleus) {
  Chrf chrf;
  for (const Item& item : Items()) chrf.Add(item.hypothesis, item.references);
  EXPECT_NEAR(chrf.Score(), 80.9804448580255, 1e-9);
}

TEST(ScoresTest, RougeIsRougeScores) {
  const auto expect = [](const std::string& summary,
                         const std::vector<std::string>& references,
                         double rouge1, double rouge2, double rougeL) {
    const Rouge rouge = ScoreSummary(summary, references);
    EXPECT_NEAR(rouge.rouge1, rouge1, 1e-12) << summary;
    EXPECT_NEAR(rouge.rouge2, rouge2, 1e-12) << summary;
    EXPECT_NEAR(rouge.rougeL, rougeL, 1e-12) << summary;
  };
  expect("The quick brown fox jumped.",
         {"A quick brown fox jumps over the lazy dog."}, 0.5714285714285714,
         0.3333333333333333, 0.42857142857142855);
  expect("Efficient k-means at scale: 10x faster",
         {"Faster k-means", "Scaling k-means to 10x larger data, efficiently"},
         0.6, 0.25, 0.4);
  expect("", {"x"}, 0, 0, 0);
  expect("Über naïve Bayes", {"naive Bayes über alles"}, 0.5, 0, 0.25);
}

}  // namespace
}  // namespace sheaf
