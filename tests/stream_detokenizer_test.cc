#include "server/text/stream_detokenizer.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/text/utf8.h"

namespace sheaf {
namespace {

const std::string kFixtureModel =
    SHEAF_TESTDATA_DIR "/text-end-to-end/spiece.model";
const std::string kSmallModel = SHEAF_MODELS_DIR "/sheaf-small/spiece.model";

std::unique_ptr<const Tokenizer> LoadOrDie(const std::string& path) {
  auto tokenizer = Tokenizer::Load(path, /*vocab_size=*/8064);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

// The model with `tail` at its end: protobuf merges what is there twice.
std::unique_ptr<const Tokenizer> LoadWith(const std::string& path,
                                          const std::string& tail) {
  const std::string copy =
      absl::StrCat(testing::TempDir(), "stream_detokenizer_test_", getpid());
  std::ifstream in(path, std::ios::binary);
  std::ofstream(copy, std::ios::binary)
      << std::string(std::istreambuf_iterator<char>(in), {}) << tail;
  auto tokenizer = LoadOrDie(copy);
  std::remove(copy.c_str());
  return tokenizer;
}

// The id of the piece for `byte`.
int32_t ByteId(const Tokenizer& tokenizer, uint8_t byte) {
  for (int32_t id = 0; id < tokenizer.num_pieces(); ++id) {
    if (tokenizer.token(id).kind == Tokenizer::Token::Kind::kByte &&
        tokenizer.token(id).byte == byte) {
      return id;
    }
  }
  ADD_FAILURE() << "no piece for byte " << int{byte};
  return -1;
}

// Ids of all kinds: few different ones, so that runs and repeats are frequent.
std::vector<int32_t> RandomIds(const Tokenizer& tokenizer,
                               std::mt19937& random) {
  std::vector<int32_t> special = {
      0, 1, 2, 3, -1, 8063, tokenizer.num_pieces(), 1 << 30};
  for (int32_t id = 0; id < tokenizer.num_pieces(); ++id) {
    const Tokenizer::Token& token = tokenizer.token(id);
    if (token.kind == Tokenizer::Token::Kind::kByte || token.text == " ") {
      special.push_back(id);
    }
  }
  std::vector<int32_t> ids(random() % 40);
  for (int32_t& id : ids) {
    id = random() % 3 == 0
             ? static_cast<int32_t>(random() % tokenizer.num_pieces())
             : special[random() % special.size()];
  }
  return ids;
}

void ExpectStreamsAreDecodings(const Tokenizer& tokenizer) {
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    const std::vector<int32_t> ids = RandomIds(tokenizer, random);
    StreamDetokenizer detokenizer(tokenizer);
    std::string text;
    for (size_t at = 0; at < ids.size();) {
      const size_t size = std::min<size_t>(random() % 4, ids.size() - at);
      const std::string more =
          detokenizer.Append(absl::MakeConstSpan(ids).subspan(at, size));
      ASSERT_TRUE(IsValidUtf8(more));
      text += more;
      at += size;
    }
    text += detokenizer.Finish();
    ASSERT_EQ(text, tokenizer.Decode(ids)) << testing::PrintToString(ids);
  }
}

TEST(StreamDetokenizerTest, JoinedTextIsTheDecoding) {
  ExpectStreamsAreDecodings(*LoadOrDie(kFixtureModel));
  ExpectStreamsAreDecodings(*LoadOrDie(kSmallModel));
}

TEST(StreamDetokenizerTest, JoinedTextIsTheDecodingWhateverSpacesMean) {
  // normalizer_spec: add_dummy_prefix (3) and remove_extra_whitespaces (4).
  for (const std::string& tail :
       {std::string("\x1A\x02\x20\x00", 4), std::string("\x1A\x02\x18\x00", 4),
        std::string("\x1A\x04\x18\x00\x20\x00", 6)}) {
    ExpectStreamsAreDecodings(*LoadWith(kFixtureModel, tail));
    ExpectStreamsAreDecodings(*LoadWith(kSmallModel, tail));
  }
}

TEST(StreamDetokenizerTest, HalfACharacterWaits) {
  auto tokenizer = LoadOrDie(kSmallModel);
  StreamDetokenizer detokenizer(*tokenizer);
  EXPECT_EQ(detokenizer.Append(ByteId(*tokenizer, 0xE2)), "");
  EXPECT_EQ(detokenizer.Append(ByteId(*tokenizer, 0x82)), "");
  EXPECT_EQ(detokenizer.Append(ByteId(*tokenizer, 0xAC)), "\xE2\x82\xAC");
  EXPECT_EQ(detokenizer.Finish(), "");
}

TEST(StreamDetokenizerTest, HalfACharacterAtTheEndIsReplaced) {
  auto tokenizer = LoadOrDie(kSmallModel);
  StreamDetokenizer detokenizer(*tokenizer);
  EXPECT_EQ(detokenizer.Append(ByteId(*tokenizer, 0xE2)), "");
  EXPECT_EQ(detokenizer.Append(ByteId(*tokenizer, 0x82)), "");
  EXPECT_EQ(detokenizer.Finish(), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(StreamDetokenizerTest, WordsComeOutAtOnce) {
  auto tokenizer = LoadOrDie(kSmallModel);
  StreamDetokenizer detokenizer(*tokenizer);
  std::string text;
  for (int32_t id : tokenizer->Encode("Where is it?")) {
    const std::string more = detokenizer.Append(id);
    EXPECT_FALSE(more.empty());
    text += more;
  }
  EXPECT_EQ(text, "Where is it?");
}

}  // namespace
}  // namespace sheaf
