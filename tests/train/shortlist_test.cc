// SPDX-License-Identifier: Apache-2.0

// How a vocabulary shortlist is made from parallel text.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"
#include "text/families.h"
#include "text/vocabulary_fingerprint.h"
#include "train/convert/make_shortlist.h"
#include "train/convert/shortlist_tables.h"
#include "train/convert/shortlist_text.h"
#include "train/tokenize/translation_model.h"

namespace sheaf {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

// Word s of 2..9 is translated by word s + 10; texts are all runs of two or
// three of them.
TokenPairs WordForWord() {
  TokenPairs pairs;
  const auto add = [&](std::vector<int32_t> source) {
    pairs.sources.push_back(source);
    for (int32_t& id : source) id += 10;
    pairs.targets.push_back(source);
  };
  for (int32_t a = 2; a < 10; ++a) {
    for (int32_t b = 2; b < 10; ++b) {
      add({a, b});
      for (int32_t c = 2; c < 10; ++c) add({a, b, c});
    }
  }
  return pairs;
}

TEST(TranslationModelTest, WordsThatOccurTogetherTranslateOneAnother) {
  const TokenPairs pairs = WordForWord();
  TranslationModel model({.least_probability = 1e-6});
  model.Train(
      static_cast<int64_t>(pairs.sources.size()), [&](int64_t i) -> TokenPair {
        const auto source = pairs.sources[i], target = pairs.targets[i];
        return {{source.data(), source.size()}, {target.data(), target.size()}};
      });
  std::map<int32_t, float> best, sums;
  model.ForEach([&](int32_t source, int32_t target, float probability) {
    sums[source] += probability;
    if (target == source + 10) best[source] = probability;
  });
  ASSERT_EQ(best.size(), 8u);
  for (const auto& [source, probability] : best) {
    EXPECT_GT(probability, 0.8f) << source;
    EXPECT_NEAR(sums[source], 1, 0.01);
  }
}

TEST(ShortlistTablesTest, ASourceTokenHasItsCopyAndItsTranslations) {
  const ShortlistVocabulary vocabulary = {.source_size = 10, .size = 20};
  KnownTokens known = {.always = {1}, .copies = std::vector<int32_t>(10, -1)};
  known.copies[0] = 5;
  known.copies[3] = 3;
  const ShortlistOptions options = {.num_frequent = 0, .per_token = 1};
  const ShortlistTables tables =
      MakeShortlistTables(vocabulary, WordForWord(), known, options);
  const absl::StatusOr<Shortlist> shortlist =
      Shortlist::Make("made", vocabulary, tables);
  ASSERT_TRUE(shortlist.ok()) << shortlist.status();
  EXPECT_THAT(shortlist->common(), ElementsAre(1));
  EXPECT_THAT(shortlist->TargetsOf(0), ElementsAre(5));  // not in the text
  EXPECT_THAT(shortlist->TargetsOf(1), IsEmpty());
  EXPECT_THAT(shortlist->TargetsOf(2), ElementsAre(12));
  EXPECT_THAT(shortlist->TargetsOf(3), ElementsAre(3, 13));
}

TEST(ShortlistTablesTest, TheMostFrequentTokensAreCommonAndNoTargets) {
  const ShortlistVocabulary vocabulary = {.source_size = 10, .size = 20};
  const KnownTokens known = {.always = {1, 14},
                             .copies = std::vector<int32_t>(10, -1)};
  TokenPairs pairs = WordForWord();
  pairs.sources.push_back({2, 3});
  pairs.targets.push_back({17, 17, 19});
  const ShortlistTables tables = MakeShortlistTables(
      vocabulary, pairs, known, {.num_frequent = 2, .per_token = 1});
  EXPECT_THAT(tables.common, ElementsAre(1, 14, 17, 19));
  for (int32_t id : tables.common) {
    EXPECT_THAT(tables.targets, Not(Contains(id)));
  }
  EXPECT_THAT(MakeShortlistTables(vocabulary, pairs, known,
                                  {.num_frequent = 100, .per_token = 0})
                  .common,
              ElementsAre(1, 12, 13, 14, 15, 16, 17, 18, 19));
}

TEST(ShortlistTablesTest, WhatIsWrittenReadsBackAndIsNotOverwritten) {
  TempDir dir;
  const std::string path = dir.PathOf("s");
  const ShortlistVocabulary vocabulary = {3, 300'000, 0xfedcba9876543210};
  const ShortlistTables tables = {.common = {1, 70'000, 299'999},
                                  .offsets = {0, 0, 2, 3},
                                  .targets = {2, 65'536, 0}};
  ASSERT_TRUE(WriteShortlist(path, vocabulary, tables).ok());
  const absl::StatusOr<Shortlist> read = Shortlist::Read(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->CheckFits(vocabulary, {}).ok());
  EXPECT_THAT(read->common(), ElementsAre(1, 70'000, 299'999));
  EXPECT_THAT(read->TargetsOf(1), ElementsAre(2, 65'536));
  EXPECT_THAT(read->TargetsOf(2), ElementsAre(0));
  EXPECT_EQ(WriteShortlist(path, vocabulary, tables).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(WriteShortlist(dir.PathOf("no/s"), vocabulary, tables).message(),
              HasSubstr("no/s"));
}

Tokenizers TokenizersOf(const std::string& directory) {
  const ModelDescription description = ReadDescription(directory).value();
  const TextFamily& family = **FindTextFamily(description.files);
  return family
      .load(description.files, description.architecture.source_vocab_size,
            description.architecture.vocab_size)
      .value();
}

TEST(ShortlistTextTest, EveryWordCanBeSpelledAndEverySourceCopied) {
  const std::string directory = SHEAF_MODELS_DIR "/sheaf-small";
  const Tokenizers tokenizers = TokenizersOf(directory);
  const ShortlistVocabulary vocabulary = {8064, 8064};
  const std::vector<int32_t> eos = {1};
  const std::vector<TextPair> pairs = {{"cat", {"K\xC3\xA4tzchen"}}};
  const KnownTokens known = KnownTokensOf(tokenizers, vocabulary, eos, pairs);
  std::set<int32_t> expected = {1};
  for (const char* text : {"a", "Z", "7", "?", " ", " x", "\xC3\xA4"}) {
    for (int32_t id = 0; id < vocabulary.size; ++id) {
      if (tokenizers.target->token(id).text == text) expected.insert(id);
    }
  }
  int num_bytes = 0;
  for (int32_t id = 0; id < vocabulary.size; ++id) {
    const Tokenizer::Token& token = tokenizers.target->token(id);
    if (token.kind == Tokenizer::Token::Kind::kBytes) {
      ++num_bytes;
      expected.insert(id);
    }
    const bool has_text = token.kind == Tokenizer::Token::Kind::kText ||
                          token.kind == Tokenizer::Token::Kind::kBytes;
    EXPECT_EQ(known.copies[id], has_text ? id : -1) << id;
  }
  EXPECT_EQ(num_bytes, 256);
  EXPECT_THAT(known.always, IsSupersetOf(expected));
  // A character that no reference has is spelled by its bytes.
  for (int32_t id : known.always) {
    EXPECT_NE(tokenizers.target->token(id).text, "\xC3\x9F");
  }
}

TEST(ShortlistTextTest, CopiesReadAlikeInBothVocabularies) {
  const std::string directory = TestdataDir("marian-separate-vocab");
  const Architecture architecture =
      ReadDescription(directory).value().architecture;
  const Tokenizers tokenizers = TokenizersOf(directory);
  const KnownTokens known = KnownTokensOf(
      tokenizers, {architecture.source_vocab_size, architecture.vocab_size}, {},
      {});
  int num_copies = 0;
  for (int32_t id = 0; id < architecture.source_vocab_size; ++id) {
    const int32_t copy = known.copies[id];
    if (copy < 0) continue;
    ++num_copies;
    EXPECT_EQ(tokenizers.target->token(copy).text,
              tokenizers.source->token(id).text);
  }
  EXPECT_GT(num_copies, 0);
}

TEST(VocabularyFingerprintTest, TellsVocabulariesApart) {
  const std::string small = SHEAF_MODELS_DIR "/sheaf-small";
  const uint64_t fingerprint = VocabularyFingerprint(TokenizersOf(small));
  EXPECT_EQ(VocabularyFingerprint(TokenizersOf(small)), fingerprint);
  Tokenizers tokenizers = TokenizersOf(TestdataDir("marian-separate-vocab"));
  const uint64_t separate = VocabularyFingerprint(tokenizers);
  EXPECT_NE(separate, fingerprint);
  std::swap(tokenizers.source, tokenizers.target);
  EXPECT_NE(VocabularyFingerprint(tokenizers), separate);
}

TEST(MakeShortlistTest, SaysHowMuchOfTheTextsIsPossible) {
  TempDir dir;
  const ModelDescription description =
      ReadDescription(SHEAF_MODELS_DIR "/sheaf-small").value();
  const std::string texts = dir.Write("pairs", "Two cats.\tZwei Katzen.\n");
  const absl::StatusOr<ShortlistSummary> all = MakeShortlist(
      description, texts, dir.PathOf("all"), {.num_frequent = 100});
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->num_pairs, 1);
  EXPECT_EQ(all->covered_share, 1);
  EXPECT_GE(all->mean_tokens, static_cast<double>(all->num_common));
  const absl::StatusOr<ShortlistSummary> none =
      MakeShortlist(description, texts, dir.PathOf("none"),
                    {.num_frequent = 0, .per_token = 0});
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_LT(none->covered_share, 1);
  EXPECT_EQ(MakeShortlist(description, dir.PathOf("no"), dir.PathOf("x"), {})
                .status()
                .code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace sheaf
