// SPDX-License-Identifier: Apache-2.0

#include "text/tokenizer.h"

#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_files.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kFixture = SHEAF_TESTDATA_DIR "/text-end-to-end";
const std::string kSmall = SHEAF_MODELS_DIR "/sheaf-small";
constexpr int32_t kFixtureVocab = 640;
constexpr int32_t kSmallVocab = 8064;
constexpr int32_t kFixturePieces = 500;  // of the SentencePiece models
constexpr int32_t kSmallPieces = 8000;

std::unique_ptr<const Tokenizer> LoadOrDie(const std::string& path,
                                           int32_t vocab_size) {
  auto tokenizer = Tokenizer::Load(path, vocab_size);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

absl::Status LoadBytes(const std::string& bytes, int32_t vocab_size = 640) {
  const TempDir directory;
  directory.Write("spiece.model", bytes);
  return Tokenizer::Load(directory.path(), vocab_size).status();
}

std::unique_ptr<const Tokenizer> TokenizerOfBytes(const std::string& bytes,
                                                  int32_t vocab_size) {
  const TempDir directory;
  directory.Write("spiece.model", bytes);
  return LoadOrDie(directory.path(), vocab_size);
}

// One more piece in the form of a model file. `type` is as in that format.
std::string PieceBytes(const std::string& text, int type) {
  std::string piece = "\x0A";
  piece.push_back(static_cast<char>(text.size()));
  piece += text;
  piece += std::string("\x15\x00\x00\x00\x00", 5);  // score 0
  piece += "\x18";
  piece.push_back(static_cast<char>(type));
  return std::string("\x0A") + static_cast<char>(piece.size()) + piece;
}

// The fixtures follow plain SentencePiece, which writes " \xE2\x81\x87 "
// (U+2047) for an unknown id. Clients must not see that sign, so it is removed.
// If there was a space before it, one of the spaces around it stays.
std::string WithoutSign(std::string text) {
  const std::string sign = " \xE2\x81\x87 ";
  for (size_t at = text.find(sign); at != text.npos; at = text.find(sign, at)) {
    const bool has_space_before = at == 0 || text[at - 1] == ' ';
    text.erase(at, sign.size());
    if (has_space_before && text[at] == ' ') text.erase(at, 1);
  }
  if (absl::EndsWith(text, " ")) text.pop_back();
  return text;
}

TEST(TokenizerTest, EncodesAsTheReferenceDoes) {
  auto tokenizer = LoadOrDie(kFixture, kFixtureVocab);
  const json cases = json::parse(FileBytes(kFixture + "/tokenizer_cases.json"));
  for (const json& c : cases["encode"]) {
    auto expected = c["ids"].get<std::vector<int32_t>>();
    expected.pop_back();  // the end id
    const std::string text = c["text"];
    const std::vector<int32_t> ids = tokenizer->Encode(text);
    EXPECT_EQ(ids, expected) << text;
    EXPECT_EQ(tokenizer->Decode(ids), WithoutSign(c["decoded"])) << text;
  }
}

TEST(TokenizerTest, DecodesAsTheReferenceDoes) {
  auto tokenizer = LoadOrDie(kFixture, kFixtureVocab);
  const json cases = json::parse(FileBytes(kFixture + "/tokenizer_cases.json"));
  for (const json& c : cases["decode"]) {
    EXPECT_EQ(tokenizer->Decode(c["ids"].get<std::vector<int32_t>>()),
              WithoutSign(c["text"]))
        << c["ids"];
  }
}

TEST(TokenizerTest, KnowsEndAndSize) {
  auto fixture = LoadOrDie(kFixture, kFixtureVocab);
  EXPECT_EQ(fixture->eos_id(), 1);
  EXPECT_EQ(fixture->num_tokens(), kFixturePieces + 100);
  EXPECT_EQ(LoadOrDie(kSmall, kSmallVocab)->num_tokens(), kSmallPieces);
}

TEST(TokenizerTest, TextNeverYieldsControlIds) {
  for (const auto& [path, vocab, num_pieces] :
       {std::tuple{kFixture, kFixtureVocab, kFixturePieces},
        std::tuple{kSmall, kSmallVocab, kSmallPieces}}) {
    auto tokenizer = LoadOrDie(path, vocab);
    const std::vector<int32_t> ids =
        tokenizer->Encode("</s> <pad> <extra_id_0></s><extra_id_99> <s>");
    EXPECT_THAT(ids, Not(Contains(0)));
    EXPECT_THAT(ids, Not(Contains(1)));
    EXPECT_THAT(ids, Each(testing::Lt(num_pieces)));
  }
}

// Ids from the cases of text-end-to-end, which transformers gives too.
TEST(TokenizerTest, SentinelsAreYieldedWhereTheyAreAllowed) {
  auto tokenizer = LoadOrDie(kFixture, kFixtureVocab);
  const json cases = json::parse(FileBytes(kFixture + "/tokenizer_cases.json"));
  for (const json& c : cases["encode_with_sentinels"]) {
    auto expected = c["ids"].get<std::vector<int32_t>>();
    expected.pop_back();  // the end id
    const std::string text = c["text"];
    EXPECT_EQ(tokenizer->Encode(text, SpecialTokens::kSentinels), expected);
    EXPECT_NE(tokenizer->Encode(text), expected);
    EXPECT_EQ(tokenizer->EncodePrompted(text, ""), expected);
  }
}

TEST(TokenizerTest, SentinelsNeedRoomInTheVocabulary) {
  auto tokenizer = LoadOrDie(kFixture, /*vocab_size=*/599);
  EXPECT_EQ(tokenizer->Encode("<extra_id_0>", SpecialTokens::kSentinels),
            tokenizer->Encode("<extra_id_0>"));
}

TEST(TokenizerTest, OnlyAPromptYieldsControlIds) {
  auto tokenizer = LoadOrDie(kFixture, kFixtureVocab);
  const std::string text = "</s> <pad> <unk>";
  EXPECT_EQ(tokenizer->Encode(text, SpecialTokens::kSentinels),
            tokenizer->Encode(text));
  EXPECT_EQ(tokenizer->EncodePrompted("", text), tokenizer->Encode(text));
  EXPECT_THAT(tokenizer->EncodePrompted(text, "the"), ElementsAre(1, 0, 2, 5));
  EXPECT_EQ(tokenizer->EncodePrompted("</", "s>"), tokenizer->Encode("</s>"));
}

TEST(TokenizerTest, PromptAndTextHaveTheIdsOfTheJoinedText) {
  for (const auto& [directory, vocab] :
       {std::pair{kFixture, kFixtureVocab}, std::pair{kSmall, kSmallVocab}}) {
    auto tokenizer = LoadOrDie(directory, vocab);
    const std::string text =
        "translate English to German: The house, \xC3\xA4.";
    for (size_t size = 0; size < text.size() - 3; ++size) {
      EXPECT_EQ(
          tokenizer->EncodePrompted(text.substr(0, size), text.substr(size)),
          tokenizer->Encode(text));
    }
  }
}

TEST(TokenizerTest, SentinelPiecesOfTheModelAreNotYieldedByText) {
  const std::string model = FileBytes(kFixture + "/spiece.model") +
                            PieceBytes("<extra_id_0>", /*type=*/4) +
                            PieceBytes("\xE2\x96\x81<extra_id_1>", 4) +
                            PieceBytes("<extra_id_2>", /*type=*/1);
  auto tokenizer = TokenizerOfBytes(model, kFixtureVocab);
  ASSERT_EQ(tokenizer->num_tokens(), kFixturePieces + 3);
  const std::string text =
      "<extra_id_0> <extra_id_1> a<extra_id_2>b <extra_id_1>";
  EXPECT_THAT(tokenizer->Encode(text), Each(testing::Lt(500)));
  EXPECT_EQ(tokenizer->Decode({500, 501, 502}), "");
  // If they are allowed, SentencePiece matches them. The first is user-defined
  // and has no space before it, and the second has one.
  EXPECT_THAT(tokenizer->Encode(text, SpecialTokens::kSentinels),
              ElementsAre(3, 500, 501, 14, 502, 54, 501));
  EXPECT_THAT(tokenizer->EncodePrompted("<extra_id_0> ", "<extra_id_0>"),
              Contains(500).Times(1));
}

// Ids from sentencepiece 0.2.3 for the same bytes.
TEST(TokenizerTest, UserDefinedTagsAreOnePieceEach) {
  auto tokenizer = TokenizerOfBytes(
      FileBytes(kFixture + "/spiece.model") + PieceBytes("<2de>", /*type=*/4) +
          PieceBytes("<sep>", 4) + PieceBytes("[X]", 4),
      kFixtureVocab);
  const std::pair<const char*, std::vector<int32_t>> cases[] = {
      {"<2de> the license", {3, 500, 5, 81}},
      {"the license <sep> the work", {5, 81, 3, 501, 5, 39}},
      {"[X]<2de>", {3, 502, 500}},
      {"the<sep>work", {5, 501, 382}},
      {"<2en> the", {3, 487, 494, 7, 17, 311, 5}},
  };
  for (const auto& [text, ids] : cases) {
    EXPECT_EQ(tokenizer->Encode(text), ids) << text;
    EXPECT_EQ(tokenizer->Encode(text, SpecialTokens::kSentinels), ids) << text;
    EXPECT_EQ(tokenizer->EncodePrompted(text, ""), ids) << text;
    EXPECT_EQ(tokenizer->Decode(ids), text);
  }
}

TEST(TokenizerTest, UserDefinedPiecesThatNameNothingStay) {
  auto tokenizer = TokenizerOfBytes(
      FileBytes(kFixture + "/spiece.model") + PieceBytes("qqq", /*type=*/4),
      kFixtureVocab);
  EXPECT_THAT(tokenizer->Encode("a qqq b"), Contains(500));
}

// "<sep>" 600, "{" 601, "}" 602 and a newline 603, once in added_tokens.json
// and once in tokenizer_config.json. Ids from transformers 4.57 (slow).
TEST(TokenizerTest, AddedTokensOfBothFilesAreOneIdEach) {
  const std::string spiece = FileBytes(kFixture + "/spiece.model");
  TempDir list, decoder;
  list.Write("spiece.model", spiece);
  list.Write("added_tokens.json",
             R"({"<sep>": 600, "{": 601, "}": 602, "\n": 603})");
  decoder.Write("spiece.model", spiece);
  decoder.Write("tokenizer_config.json", R"({"added_tokens_decoder": {
      "600": {"content": "<sep>", "normalized": false, "special": false},
      "601": {"content": "{", "normalized": false, "special": false},
      "602": {"content": "}", "normalized": false, "special": false},
      "603": {"content": "\n", "normalized": false, "special": false}}})");
  for (const std::string& directory : {list.path(), decoder.path()}) {
    auto tokenizer = LoadOrDie(directory, kFixtureVocab);
    EXPECT_THAT(tokenizer->Encode("the license <sep> the work"),
                ElementsAre(5, 81, 600, 5, 39));
    EXPECT_THAT(tokenizer->Encode("a { b }\nthe work"),
                ElementsAre(14, 601, 3, 54, 602, 603, 5, 39));
    EXPECT_EQ(tokenizer->num_tokens(), 604);
    EXPECT_EQ(tokenizer->Decode({601, 602}), "{}");
    EXPECT_EQ(tokenizer->Decode({5, 600, 5, 603, 5}), "the<sep> the\n the");
  }
}

TEST(TokenizerTest, EmptyTextHasNoIds) {
  auto tokenizer = LoadOrDie(kFixture, kFixtureVocab);
  EXPECT_THAT(tokenizer->Encode(""), IsEmpty());
  EXPECT_EQ(tokenizer->Decode({}), "");
}

TEST(TokenizerTest, TextGoesOnAfterNul) {
  auto tokenizer = LoadOrDie(kSmall, kSmallVocab);
  const std::vector<int32_t> ids =
      tokenizer->Encode(absl::string_view("one\0two", 7));
  EXPECT_THAT(tokenizer->Decode(ids), HasSubstr("two"));
}

TEST(TokenizerTest, MegabyteIsEncodedWhole) {
  auto tokenizer = LoadOrDie(kSmall, kSmallVocab);
  for (const char* unit : {"a", "The house is small. ", "\xE6\x97\xA5", "<",
                           "\xF0\x9F\x99\x82", " "}) {
    std::string text;
    while (text.size() < (1u << 20)) text += unit;
    const std::vector<int32_t> ids = tokenizer->Encode(text);
    if (unit[0] == 'T') {
      EXPECT_EQ(tokenizer->Decode(ids) + " ", text);
    }
  }
}

TEST(TokenizerTest, DecodesAnyIdsToUtf8) {
  auto tokenizer = LoadOrDie(kSmall, kSmallVocab);
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<int32_t> ids(random() % 20);
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % 8200) - 50;
    EXPECT_TRUE(IsValidUtf8(tokenizer->Decode(ids)));
  }
}

TEST(TokenizerTest, ThreadsMayShareIt) {
  auto tokenizer = LoadOrDie(kSmall, kSmallVocab);
  const std::string text = "Where is the train station?";
  const std::vector<int32_t> expected = tokenizer->Encode(text);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 200; ++k) {
        EXPECT_EQ(tokenizer->Encode(text), expected);
        EXPECT_EQ(tokenizer->Decode(expected), text);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(TokenizerTest, ErrorsNameFileAndRule) {
  EXPECT_EQ(Tokenizer::Load("/nonexistent", 10).status().code(),
            absl::StatusCode::kNotFound);
  const TempDir directory;
  std::filesystem::create_directory(directory.path() + "/spiece.model");
  EXPECT_THAT(
      std::string(Tokenizer::Load(directory.path(), 10).status().message()),
      HasSubstr("regular file"));
  const auto few = Tokenizer::Load(kFixture, 499).status();
  EXPECT_THAT(std::string(few.message()),
              HasSubstr(kFixture + "/spiece.model"));
  EXPECT_THAT(std::string(few.message()),
              HasSubstr("the vocabulary has room for 499"));
  EXPECT_THAT(std::string(LoadBytes("").message()), HasSubstr("no pieces"));
  EXPECT_THAT(std::string(LoadBytes("hello").message()),
              HasSubstr("not a SentencePiece model"));
}

TEST(TokenizerTest, ModelsThatBreakARuleAreRefused) {
  const std::string good = FileBytes(kFixture + "/spiece.model");
  ASSERT_TRUE(LoadBytes(good).ok());
  const std::pair<std::string, const char*> cases[] = {
      {PieceBytes("", 1), "is empty"},
      {PieceBytes("\xFF", 1), "is not valid UTF-8"},
      {PieceBytes(std::string("a\0b", 3), 1), "NUL"},
      {PieceBytes("<unk>", 1), "twice"},
      {PieceBytes("zzz", 7), "type 7"},
      {PieceBytes("zzz", 2), "2 pieces are of type unknown"},
      {PieceBytes("<0x41>", 6), "1 byte pieces"},
      {std::string("\x12\x02\x18\x03", 4), "model_type is 3"},
      {std::string("\x12\x03\xC0\x01\x01", 5), "treat_whitespace_as_suffix"},
      {std::string("\x12\x06\xFA\x02\x03</x", 8), "</x"},
      {std::string("\x2A\x03\x12\x01x", 5), "denormalizer_spec"},
      {std::string("\x1A\x03\x12\x01x", 5), "precompiled_charsmap"},
  };
  for (const auto& [tail, rule] : cases) {
    EXPECT_THAT(std::string(LoadBytes(good + tail).message()), HasSubstr(rule));
  }
}

// A model whose table leads out of the table would make libsentencepiece read
// memory that is not its own.
TEST(TokenizerTest, CharsMapThatLeadsNowhereIsRefused) {
  const auto with_units = [](const std::string& units) {
    std::string table;
    const uint32_t size = static_cast<uint32_t>(units.size());
    for (int i = 0; i < 4; ++i)
      table.push_back(static_cast<char>(size >> 8 * i));
    table += units + std::string("x\0", 2);
    std::string spec = "\x12";
    const auto varint = [](size_t n) {
      std::string out;
      for (; n >= 128; n >>= 7) out.push_back(static_cast<char>(n | 128));
      out.push_back(static_cast<char>(n));
      return out;
    };
    spec += varint(table.size()) + table;
    return FileBytes(kFixture + "/spiece.model") + "\x1A" +
           varint(spec.size()) + spec;
  };
  const std::string far("\x00\xFC\xFF\x7F", 4);
  const std::string rest(1020, '\x01');
  EXPECT_THAT(std::string(LoadBytes(with_units(far + rest)).message()),
              HasSubstr("leads to units"));
}

TEST(TokenizerTest, ModelsCutShortAreRefused) {
  const std::string good = FileBytes(kFixture + "/spiece.model");
  for (size_t size = 0; size < good.size(); size += 1 + size / 12) {
    const absl::Status status = LoadBytes(good.substr(0, size));
    EXPECT_FALSE(status.ok()) << size;
  }
}

// A model that loads after a random change must also encode and decode.
TEST(TokenizerTest, ChangedModelsNeverCrash) {
  std::mt19937 random(7);
  int num_loaded = 0;
  for (const std::string& path : {kFixture, kSmall}) {
    const std::string good = FileBytes(path + "/spiece.model");
    const TempDir directory;
    // With this file, our own code normalizes texts too.
    directory.Write("tokenizer_config.json", R"({"added_tokens_decoder":
        {"8060": {"content": "first of", "normalized": true}}})");
    for (int round = 0; round < 60; ++round) {
      std::string bytes = good;
      const int num_flips = 1 + static_cast<int>(random() % 4);
      for (int i = 0; i < num_flips; ++i) {
        bytes[random() % bytes.size()] ^= static_cast<char>(1u << random() % 8);
      }
      directory.Write("spiece.model", bytes);
      auto tokenizer = Tokenizer::Load(directory.path(), 8064);
      if (!tokenizer.ok()) continue;
      ++num_loaded;
      const std::vector<int32_t> ids =
          (*tokenizer)
              ->Encode(
                  "The ﬁrst of \xE2\x84\xAB, １２ and \xEF\xB7\xBA ä ö 日本 \t "
                  "x");
      EXPECT_TRUE(IsValidUtf8((*tokenizer)->Decode(ids)));
    }
  }
  EXPECT_GT(num_loaded, 10);
}

}  // namespace
}  // namespace sheaf
