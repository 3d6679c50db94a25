// SPDX-License-Identifier: Apache-2.0

// Token files, the word alignments in them, and the texts they are made from.

#include "train/common/token_file.h"

#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"
#include "train/common/json.h"
#include "train/data/text_pairs.h"
#include "train/tokenize/word_alignment.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TokenFile TwoPairs() {
  TokenFile file(/*vocab_size=*/100);
  file.Add({5, 6, 7, 1}, {8, 1});
  file.Add({9, 1}, {10, 11, 1});
  file.SetAlignment(1, {0, TokenFile::kUnaligned, 1});
  return file;
}

TEST(TokenFileTest, WhatIsWrittenReadsBack) {
  TempDir dir;
  ASSERT_TRUE(TwoPairs().Write(dir.PathOf("x.tok")).ok());
  const Result<TokenFile> read = TokenFile::Read(dir.PathOf("x.tok"));
  ASSERT_TRUE(read.ok()) << read.error().message;
  const TokenFile& file = *read;
  EXPECT_EQ(file.vocab_size(), 100);
  ASSERT_EQ(file.size(), 2);
  EXPECT_THAT(file.at(0).source, ElementsAre(5, 6, 7, 1));
  EXPECT_THAT(file.at(0).target, ElementsAre(8, 1));
  EXPECT_THAT(file.at(0).alignment, ElementsAre(255, 255));
  EXPECT_THAT(file.at(1).source, ElementsAre(9, 1));
  EXPECT_THAT(file.at(1).alignment, ElementsAre(0, 255, 1));
}

// Header of 40 bytes, 2 pairs of lengths, 11 ids, 5 places.
TEST(TokenFileTest, TheLayoutIsTheDocumented) {
  TempDir dir;
  ASSERT_TRUE(TwoPairs().Write(dir.PathOf("x.tok")).ok());
  const std::string bytes = FileBytes(dir.PathOf("x.tok"));
  EXPECT_EQ(bytes.size(), 40 + 8 + 22 + 5);
  EXPECT_EQ(bytes.substr(0, 8), "SHEAFTOK");
  EXPECT_EQ(bytes.substr(40, 8), BytesOf<uint16_t>({4, 2, 2, 3}));
  EXPECT_EQ(bytes.substr(48, 12), BytesOf<uint16_t>({5, 6, 7, 1, 8, 1}));
}

TEST(TokenFileTest, AnyChangedOrMissingByteIsFound) {
  TempDir dir;
  ASSERT_TRUE(TwoPairs().Write(dir.PathOf("x.tok")).ok());
  const std::string bytes = FileBytes(dir.PathOf("x.tok"));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] ^= 0x40;
    // A larger vocabulary is the one change that breaks no rule.
    const bool is_vocab = i >= 12 && i < 14;
    EXPECT_EQ(TokenFile::Read(dir.Write("changed", changed)).ok(), is_vocab)
        << i;
    EXPECT_FALSE(TokenFile::Read(dir.Write("cut", bytes.substr(0, i))).ok());
  }
  EXPECT_THAT(TokenFile::Read(dir.PathOf("absent")).error().message,
              HasSubstr("absent"));
}

TEST(JsonTest, EscapesAreRead) {
  const Result<Json> json =
      Json::Parse(R"(["a\"\\\/\n\t", "\u0041\u00e9\u20AC\ud83d\ude00"])");
  ASSERT_TRUE(json.ok()) << json.error().message;
  EXPECT_EQ(json->array[0].string, "a\"\\/\n\t");
  EXPECT_EQ(json->array[1].string, "A\u00e9\u20ac\U0001f600");
  for (const char* wrong :
       {R"("\u12")", R"("\u12g4")", R"("\ud83d")", R"("\ud83d\u0041")",
        R"("\ude00")", R"("\x")", R"("open)"}) {
    EXPECT_FALSE(Json::Parse(wrong).ok()) << wrong;
  }
}

TEST(JsonTest, AStringThatIsWrittenReadsBack) {
  for (const std::string text :
       {"plain", "\"quoted\\", "two\nlines\t\x01", "\u00e9\U0001f600", ""}) {
    const Result<Json> json = Json::Parse(JsonString(text));
    ASSERT_TRUE(json.ok()) << json.error().message;
    EXPECT_EQ(json->string, text);
  }
  EXPECT_EQ(JsonString("a\"\n"), R"("a\"\u000a")");
}

// 7 always becomes 27, 8 becomes 28 and so on; 50 comes from nowhere. The first
// two ids are a prompt.
TEST(WordAlignmentTest, WordsThatOccurTogetherAreAligned) {
  TokenFile file(/*vocab_size=*/100);
  for (int i = 0; i < 60; ++i) {
    const int a = 7 + i % 5, b = 7 + (i / 5 + 2) % 6, c = 7 + (i * 7) % 9;
    file.Add({3, 4, a, b, c, 1}, {a + 20, b + 20, 50, c + 20, 1});
  }
  AlignWords({}, file);
  int num_right = 0;
  for (int64_t i = 0; i < file.size(); ++i) {
    const auto alignment = file.at(i).alignment;
    num_right += alignment[0] == 2 && alignment[1] == 3 && alignment[3] == 4;
    EXPECT_EQ(alignment[4], 5);
    for (const uint8_t place : alignment) EXPECT_GE(place, 2);
  }
  EXPECT_GE(num_right, 50);
}

// The first two ids are a prompt; 9 is in every source.
TEST(WordAlignmentTest, CopiesAreAlignedWhereTheirNeighboursAgree) {
  TokenFile file(/*vocab_size=*/100);
  file.Add({3, 4, 20, 9, 30, 20, 9, 40, 1}, {20, 9, 40, 9, 50, 1});
  for (int i = 0; i < 3; ++i) file.Add({3, 4, 9, 60 + i, 1}, {61, 1});
  AlignCopies(/*most_common=*/0.3, file);
  EXPECT_THAT(file.at(0).alignment, ElementsAre(5, 6, 7, 255, 255, 255));
  EXPECT_THAT(file.at(1).alignment, ElementsAre(255, 255));
  EXPECT_THAT(file.at(2).alignment, ElementsAre(3, 255));
}

absl::StatusOr<std::vector<TextPair>> Read(const std::string& text) {
  std::istringstream in(text);
  return ReadTextPairs(in, "pairs", /*max_references=*/2);
}

TEST(TextPairsTest, LinesAreColumnsOrObjects) {
  const auto pairs = Read(
      "a b\tc\td\te\n\n{0} is\t{0} ist\n"
      R"({"document": "x", "summaries": ["y", "z"], "kind": "tldr"})"
      "\n");
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  ASSERT_EQ(pairs->size(), 3);
  EXPECT_EQ((*pairs)[0].source, "a b");
  EXPECT_THAT((*pairs)[0].references, ElementsAre("c", "d"));
  EXPECT_THAT((*pairs)[1].references, ElementsAre("{0} ist"));
  EXPECT_EQ((*pairs)[2].source, "x");
  EXPECT_THAT((*pairs)[2].references, ElementsAre("y", "z"));
}

TEST(TextPairsTest, ALineWithoutAReferenceIsNamed) {
  EXPECT_THAT(Read("a\tb\nalone\n").status().message(), HasSubstr("pairs:2"));
  EXPECT_THAT(Read("{\"document\": 3}\n").status().message(),
              HasSubstr("pairs:1"));
  EXPECT_THAT(Read("").status().message(), HasSubstr("no pair"));
}

}  // namespace
}  // namespace sheaf
