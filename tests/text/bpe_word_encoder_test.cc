// SPDX-License-Identifier: Apache-2.0

#include "text/bpe_word_encoder.h"

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "text/bpe_model.h"
#include "text/byte_alphabet.h"
#include "text/sentencepiece_model.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using Piece = SentencePieceModel::Piece;
using ::testing::ElementsAre;

// A vocabulary with merges, which are pairs of its tokens.
struct Vocabulary {
  std::vector<Piece> pieces;
  std::map<std::string, int32_t> ids;
  BpeModel model;

  int32_t Add(const std::string& text, PieceType type = PieceType::kNormal) {
    const auto id = static_cast<int32_t>(pieces.size());
    if (!ids.try_emplace(text, id).second) return ids[text];
    pieces.push_back({text, 0, type});
    return id;
  }

  void Join(const std::string& left, const std::string& right) {
    model.merges.push_back({ids.at(left), ids.at(right), Add(left + right)});
  }

  std::vector<int32_t> Encode(const std::string& word) const {
    const BpeWordEncoder encoder(pieces, model);
    BpeWordEncoder::Scratch scratch;
    std::vector<int32_t> ids = {-7};  // those of words before stay
    encoder.Append(word, scratch, ids);
    EXPECT_EQ(ids[0], -7);
    ids.erase(ids.begin());
    return ids;
  }
};

Vocabulary Letters(const std::string& letters) {
  Vocabulary vocabulary;
  for (const char letter : letters) vocabulary.Add(std::string(1, letter));
  return vocabulary;
}

// The definition: while two neighbours can be joined, joins the leftmost pair
// with the first merge.
std::vector<int32_t> ByDefinition(const Vocabulary& vocabulary,
                                  std::vector<int32_t> ids) {
  while (true) {
    size_t best_merge = vocabulary.model.merges.size(), best_place = 0;
    for (size_t at = 0; at + 1 < ids.size(); ++at) {
      // The last of equal merges counts.
      for (size_t m = vocabulary.model.merges.size(); m-- > 0;) {
        const BpeModel::Merge& merge = vocabulary.model.merges[m];
        if (merge.left != ids[at] || merge.right != ids[at + 1]) continue;
        if (m < best_merge) best_merge = m, best_place = at;
        break;
      }
    }
    if (best_merge == vocabulary.model.merges.size()) return ids;
    ids[best_place] = vocabulary.model.merges[best_merge].merged;
    ids.erase(ids.begin() + static_cast<int64_t>(best_place) + 1);
  }
}

TEST(BpeWordEncoderTest, RandomWordsAreAsTheDefinitionSays) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    Vocabulary vocabulary = Letters("abc");
    for (int i = 0; i < 20; ++i) {
      const std::string left =
          vocabulary.pieces[random() % vocabulary.pieces.size()].text;
      const std::string right =
          vocabulary.pieces[random() % vocabulary.pieces.size()].text;
      vocabulary.Join(left, right);
    }
    std::string word;
    std::vector<int32_t> letters;
    for (size_t size = random() % 60; size > 0; --size) {
      letters.push_back(static_cast<int32_t>(random() % 3));
      word += static_cast<char>('a' + letters.back());
    }
    EXPECT_EQ(vocabulary.Encode(word), ByDefinition(vocabulary, letters))
        << word;
  }
}

TEST(BpeWordEncoderTest, AWordOfAMegabyteIsEncodedWhole) {
  Vocabulary vocabulary = Letters("ab");
  vocabulary.Join("a", "a");
  vocabulary.Join("aa", "aa");
  vocabulary.Join("aaaa", "aaaa");
  vocabulary.Join("b", "a");
  EXPECT_EQ(vocabulary.Encode(std::string(1 << 20, 'a')),
            std::vector<int32_t>(1 << 17, vocabulary.ids["aaaaaaaa"]));
  std::string mixed;
  while (mixed.size() < (1u << 20)) mixed += "ba";
  EXPECT_EQ(vocabulary.Encode(mixed),
            std::vector<int32_t>(1 << 19, vocabulary.ids["ba"]));
}

TEST(BpeWordEncoderTest, UnknownCharactersAreFusedIfTheModelSaysSo) {
  Vocabulary vocabulary = Letters("ab");
  vocabulary.model.unknown_id = vocabulary.Add("<unk>", PieceType::kUnknown);
  EXPECT_THAT(vocabulary.Encode("a\xC3\xA4xb\xE4\xB8\xAD"),
              ElementsAre(0, 2, 2, 1, 2));
  vocabulary.model.fuses_unknown = true;
  EXPECT_THAT(vocabulary.Encode("a\xC3\xA4xb\xE4\xB8\xAD"),
              ElementsAre(0, 2, 1, 2));
}

TEST(BpeWordEncoderTest, UnknownCharactersFallBackToBytes) {
  Vocabulary vocabulary = Letters("ab");
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary.Add(absl::StrFormat("<0x%02X>", byte), PieceType::kByte);
  }
  vocabulary.model.has_byte_fallback = true;
  EXPECT_THAT(vocabulary.Encode("a\xC3\xA4"),
              ElementsAre(0, 2 + 0xC3, 2 + 0xA4));
}

TEST(BpeWordEncoderTest, BytesAreWrittenInTheirAlphabet) {
  Vocabulary vocabulary;
  for (int byte = 0; byte < 256; ++byte) {
    std::string text;
    AppendCharacter(ByteCharacter(static_cast<uint8_t>(byte)), text);
    vocabulary.Add(text);
    EXPECT_EQ(AlphabetBytes(text), std::string(1, static_cast<char>(byte)));
  }
  vocabulary.Join("\xC4\xA0", "t");  // U+0120, a space
  vocabulary.model.is_byte_level = true;
  EXPECT_THAT(vocabulary.Encode(" t\xC3\xA4"), ElementsAre(256, 0xC3, 0xA4));
  EXPECT_EQ(AlphabetBytes("\xC4\xA0t"), " t");
  EXPECT_EQ(AlphabetBytes("a b"), std::nullopt);
  EXPECT_EQ(AlphabetBytes("\xE4\xB8\xAD"), std::nullopt);
}

TEST(BpeWordEncoderTest, AWordThatIsATokenIsWholeIfMergesAreIgnored) {
  Vocabulary vocabulary = Letters("abc");
  vocabulary.Add("abc");
  vocabulary.Join("a", "b");
  EXPECT_THAT(vocabulary.Encode("abc"), ElementsAre(4, 2));
  vocabulary.model.ignores_merges = true;
  EXPECT_THAT(vocabulary.Encode("abc"), ElementsAre(3));
  EXPECT_THAT(vocabulary.Encode("abca"), ElementsAre(4, 2, 0));
}

TEST(BpeWordEncoderTest, ControlTokensAreNotMadeOfText) {
  Vocabulary vocabulary = Letters("<s>");
  vocabulary.Add("!", PieceType::kControl);
  vocabulary.model.unknown_id = vocabulary.Add("<unk>", PieceType::kUnknown);
  vocabulary.Join("<", "s");
  vocabulary.Join("<s", ">");
  vocabulary.pieces[vocabulary.ids["<s>"]].type = PieceType::kControl;
  EXPECT_THAT(vocabulary.Encode("<s>!"),
              ElementsAre(vocabulary.ids["<s"], 2, vocabulary.ids["<unk>"]));
  vocabulary.model.ignores_merges = true;
  EXPECT_THAT(vocabulary.Encode("<s>"), ElementsAre(vocabulary.ids["<s"], 2));
}

}  // namespace
}  // namespace sheaf
