#include "server/text/tokenizer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "server/text/utf8.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kFixture = SHEAF_TESTDATA_DIR "/text-end-to-end";
const std::string kFixtureModel = kFixture + "/spiece.model";
const std::string kSmallModel = SHEAF_MODELS_DIR "/sheaf-small/spiece.model";
constexpr int32_t kFixtureVocab = 640;
constexpr int32_t kSmallVocab = 8064;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::unique_ptr<const Tokenizer> LoadOrDie(const std::string& path,
                                           int32_t vocab_size) {
  auto tokenizer = Tokenizer::Load(path, vocab_size);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

// A file of its own for each process, gone at the end.
class TemporaryFile {
 public:
  TemporaryFile()
      : path_(absl::StrCat(testing::TempDir(), "tokenizer_test_", getpid())) {}
  ~TemporaryFile() { std::remove(path_.c_str()); }
  void Write(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

absl::Status LoadBytes(const std::string& bytes, int32_t vocab_size = 640) {
  TemporaryFile file;
  file.Write(bytes);
  return Tokenizer::Load(file.path(), vocab_size).status();
}

std::unique_ptr<const Tokenizer> TokenizerOfBytes(const std::string& bytes,
                                                  int32_t vocab_size) {
  TemporaryFile file;
  file.Write(bytes);
  return LoadOrDie(file.path(), vocab_size);
}

// One more piece, as a model file has it; `type` as in the file format.
std::string PieceBytes(const std::string& text, int type) {
  std::string piece = "\x0A";
  piece.push_back(static_cast<char>(text.size()));
  piece += text;
  piece += std::string("\x15\x00\x00\x00\x00", 5);  // score 0
  piece += "\x18";
  piece.push_back(static_cast<char>(type));
  return std::string("\x0A") + static_cast<char>(piece.size()) + piece;
}

TEST(TokenizerTest, EncodesAsTheReferenceDoes) {
  auto tokenizer = LoadOrDie(kFixtureModel, kFixtureVocab);
  const json cases = json::parse(ReadAll(kFixture + "/tokenizer_cases.json"));
  for (const json& c : cases["encode"]) {
    auto expected = c["ids"].get<std::vector<int32_t>>();
    expected.pop_back();  // the end id
    const std::string text = c["text"];
    const std::vector<int32_t> ids = tokenizer->Encode(text);
    EXPECT_EQ(ids, expected) << text;
    EXPECT_EQ(tokenizer->Decode(ids), c["decoded"].get<std::string>()) << text;
  }
}

TEST(TokenizerTest, DecodesAsTheReferenceDoes) {
  auto tokenizer = LoadOrDie(kFixtureModel, kFixtureVocab);
  const json cases = json::parse(ReadAll(kFixture + "/tokenizer_cases.json"));
  for (const json& c : cases["decode"]) {
    EXPECT_EQ(tokenizer->Decode(c["ids"].get<std::vector<int32_t>>()),
              c["text"].get<std::string>())
        << c["ids"];
  }
}

TEST(TokenizerTest, KnowsEndAndSize) {
  auto fixture = LoadOrDie(kFixtureModel, kFixtureVocab);
  EXPECT_EQ(fixture->eos_id(), 1);
  EXPECT_EQ(fixture->num_pieces(), 500);
  EXPECT_EQ(LoadOrDie(kSmallModel, kSmallVocab)->num_pieces(), 8000);
}

TEST(TokenizerTest, TextNeverYieldsControlIds) {
  for (const auto& [path, vocab] : {std::pair{kFixtureModel, kFixtureVocab},
                                    std::pair{kSmallModel, kSmallVocab}}) {
    auto tokenizer = LoadOrDie(path, vocab);
    const std::vector<int32_t> ids =
        tokenizer->Encode("</s> <pad> <extra_id_0></s><extra_id_99> <s>");
    EXPECT_THAT(ids, Not(Contains(0)));
    EXPECT_THAT(ids, Not(Contains(1)));
    EXPECT_THAT(ids, Each(testing::Lt(tokenizer->num_pieces())));
  }
}

TEST(TokenizerTest, SentinelPiecesOfTheModelAreNotYieldedByText) {
  const std::string model =
      ReadAll(kFixtureModel) + PieceBytes("<extra_id_0>", /*type=*/4) +
      PieceBytes("\xE2\x96\x81<extra_id_1>", 4) +
      PieceBytes("<extra_id_2>", /*type=*/1) + PieceBytes("<mask>", /*type=*/4);
  auto tokenizer = TokenizerOfBytes(model, kFixtureVocab);
  ASSERT_EQ(tokenizer->num_pieces(), 504);
  const std::vector<int32_t> ids = tokenizer->Encode(
      "<extra_id_0> <extra_id_1> a<extra_id_2><mask>b <extra_id_1>");
  EXPECT_THAT(ids, Each(testing::Lt(500)));
  EXPECT_EQ(tokenizer->Decode({500, 501, 502, 503}), "");
}

TEST(TokenizerTest, UserDefinedPiecesThatNameNothingStay) {
  auto tokenizer = TokenizerOfBytes(
      ReadAll(kFixtureModel) + PieceBytes("qqq", /*type=*/4), kFixtureVocab);
  EXPECT_THAT(tokenizer->Encode("a qqq b"), Contains(500));
}

TEST(TokenizerTest, EmptyTextHasNoIds) {
  auto tokenizer = LoadOrDie(kFixtureModel, kFixtureVocab);
  EXPECT_THAT(tokenizer->Encode(""), IsEmpty());
  EXPECT_EQ(tokenizer->Decode({}), "");
}

TEST(TokenizerTest, TextGoesOnAfterNul) {
  auto tokenizer = LoadOrDie(kSmallModel, kSmallVocab);
  const std::vector<int32_t> ids =
      tokenizer->Encode(absl::string_view("one\0two", 7));
  EXPECT_THAT(tokenizer->Decode(ids), HasSubstr("two"));
}

TEST(TokenizerTest, MegabyteIsEncodedWhole) {
  auto tokenizer = LoadOrDie(kSmallModel, kSmallVocab);
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
  auto tokenizer = LoadOrDie(kSmallModel, kSmallVocab);
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<int32_t> ids(random() % 20);
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % 8200) - 50;
    EXPECT_TRUE(IsValidUtf8(tokenizer->Decode(ids)));
  }
}

TEST(TokenizerTest, ThreadsMayShareIt) {
  auto tokenizer = LoadOrDie(kSmallModel, kSmallVocab);
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
  EXPECT_EQ(Tokenizer::Load("/nonexistent/spiece.model", 10).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Tokenizer::Load(kFixture, 10).status().message()),
              HasSubstr("regular file"));
  const auto few = Tokenizer::Load(kFixtureModel, 499).status();
  EXPECT_THAT(std::string(few.message()), HasSubstr(kFixtureModel));
  EXPECT_THAT(std::string(few.message()), HasSubstr("vocab_size is 499"));
  EXPECT_THAT(std::string(LoadBytes("").message()), HasSubstr("no pieces"));
  EXPECT_THAT(std::string(LoadBytes("hello").message()),
              HasSubstr("not a SentencePiece model"));
}

TEST(TokenizerTest, ModelsThatBreakARuleAreRefused) {
  const std::string good = ReadAll(kFixtureModel);
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

// A model whose table leads out of the table makes libsentencepiece read what
// is not its own.
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
    return ReadAll(kFixtureModel) + "\x1A" + varint(spec.size()) + spec;
  };
  const std::string far("\x00\xFC\xFF\x7F", 4);
  const std::string rest(1020, '\x01');
  EXPECT_THAT(std::string(LoadBytes(with_units(far + rest)).message()),
              HasSubstr("leads to units"));
}

TEST(TokenizerTest, ModelsCutShortAreRefused) {
  const std::string good = ReadAll(kFixtureModel);
  for (size_t size = 0; size < good.size(); size += 1 + size / 12) {
    const absl::Status status = LoadBytes(good.substr(0, size));
    EXPECT_FALSE(status.ok()) << size;
  }
}

// Whatever loads after a random change must also encode and decode.
TEST(TokenizerTest, ChangedModelsNeverCrash) {
  std::mt19937 random(7);
  int num_loaded = 0;
  for (const auto& [path, vocab] : {std::pair{kFixtureModel, kFixtureVocab},
                                    std::pair{kSmallModel, kSmallVocab}}) {
    const std::string good = ReadAll(path);
    TemporaryFile file;
    for (int round = 0; round < 60; ++round) {
      std::string bytes = good;
      const int num_flips = 1 + static_cast<int>(random() % 4);
      for (int i = 0; i < num_flips; ++i) {
        bytes[random() % bytes.size()] ^= static_cast<char>(1u << random() % 8);
      }
      file.Write(bytes);
      auto tokenizer = Tokenizer::Load(file.path(), vocab);
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
