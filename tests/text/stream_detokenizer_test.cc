// SPDX-License-Identifier: Apache-2.0

#include "text/stream_detokenizer.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/model_files.h"
#include "tests/text/sentencepiece_reference.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

const std::string kFixtureDir = SHEAF_TESTDATA_DIR "/text-end-to-end";
const std::string kSmallDir = SHEAF_MODELS_DIR "/sheaf-small";

std::unique_ptr<const Tokenizer> LoadOrDie(const std::string& directory) {
  auto tokenizer = Tokenizer::Load(directory, /*vocab_size=*/8064);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

// The model file of a directory with `tail` at its end. Protobuf merges
// messages that occur twice.
std::string ModelWith(const std::string& directory, const std::string& tail) {
  return FileBytes(directory + "/spiece.model") + tail;
}

// The id of the piece for `byte`.
int32_t ByteId(const Tokenizer& tokenizer, uint8_t byte) {
  for (int32_t id = 0; id < tokenizer.num_tokens(); ++id) {
    if (tokenizer.token(id).kind == Tokenizer::Token::Kind::kBytes &&
        tokenizer.token(id).text == std::string(1, byte)) {
      return id;
    }
  }
  ADD_FAILURE() << "no piece for byte " << int{byte};
  return -1;
}

// Ids of all kinds. Only a few are different, so that runs and repeats are
// frequent.
std::vector<int32_t> RandomIds(const Tokenizer& tokenizer,
                               std::mt19937& random) {
  std::vector<int32_t> special = {
      0, 1, 2, 3, -1, 8063, tokenizer.num_tokens(), 1 << 30};
  for (int32_t id = 0; id < tokenizer.num_tokens(); ++id) {
    const Tokenizer::Token& token = tokenizer.token(id);
    if (token.kind == Tokenizer::Token::Kind::kBytes || token.text == " ") {
      special.push_back(id);
    }
  }
  std::vector<int32_t> ids(random() % 40);
  for (int32_t& id : ids) {
    id = random() % 3 == 0
             ? static_cast<int32_t>(random() % tokenizer.num_tokens())
             : special[random() % special.size()];
  }
  return ids;
}

bool HasUnknown(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  return std::any_of(ids.begin(), ids.end(), [&](int32_t id) {
    return tokenizer.token(id).kind == Tokenizer::Token::Kind::kUnknown;
  });
}

// The definition: streams and decodings equal the results of libsentencepiece,
// except that unknown ids have no text.
void ExpectStreamsAreDecodings(const std::string& model_bytes) {
  const TempDir directory;
  directory.Write("spiece.model", model_bytes);
  const auto loaded = LoadOrDie(directory.path());
  const Tokenizer& tokenizer = *loaded;
  int num_compared = 0;
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
    if (HasUnknown(tokenizer, ids)) continue;
    ASSERT_EQ(text, ReferenceDecode(model_bytes, ids))
        << testing::PrintToString(ids);
    ++num_compared;
  }
  EXPECT_GT(num_compared, 500);
}

TEST(StreamDetokenizerTest, JoinedTextIsTheDecoding) {
  ExpectStreamsAreDecodings(ModelWith(kFixtureDir, ""));
  ExpectStreamsAreDecodings(ModelWith(kSmallDir, ""));
}

TEST(StreamDetokenizerTest, JoinedTextIsTheDecodingWhateverSpacesMean) {
  // normalizer_spec: add_dummy_prefix (3) and remove_extra_whitespaces (4).
  for (const std::string& tail :
       {std::string("\x1A\x02\x20\x00", 4), std::string("\x1A\x02\x18\x00", 4),
        std::string("\x1A\x04\x18\x00\x20\x00", 6)}) {
    ExpectStreamsAreDecodings(ModelWith(kFixtureDir, tail));
    ExpectStreamsAreDecodings(ModelWith(kSmallDir, tail));
  }
}

TEST(StreamDetokenizerTest, HalfACharacterWaits) {
  auto tokenizer = LoadOrDie(kSmallDir);
  StreamDetokenizer detokenizer(*tokenizer);
  EXPECT_EQ(detokenizer.Append(ByteId(*tokenizer, 0xE2)), "");
  EXPECT_EQ(detokenizer.Append(ByteId(*tokenizer, 0x82)), "");
  EXPECT_EQ(detokenizer.Append(ByteId(*tokenizer, 0xAC)), "\xE2\x82\xAC");
  EXPECT_EQ(detokenizer.Finish(), "");
}

TEST(StreamDetokenizerTest, HalfACharacterAtTheEndIsReplaced) {
  auto tokenizer = LoadOrDie(kSmallDir);
  StreamDetokenizer detokenizer(*tokenizer);
  EXPECT_EQ(detokenizer.Append(ByteId(*tokenizer, 0xE2)), "");
  EXPECT_EQ(detokenizer.Append(ByteId(*tokenizer, 0x82)), "");
  EXPECT_EQ(detokenizer.Finish(), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

// Pieces of the fixture's model: 2 is unknown, 3 is a space, 5 is " the", 8 is
// ".", 9 is " of".
TEST(StreamDetokenizerTest, UnknownIdsLeaveNoSignAndNoDoubleSpace) {
  auto tokenizer = LoadOrDie(kFixtureDir);
  const std::pair<std::vector<int32_t>, const char*> cases[] = {
      {{2}, ""},
      {{2, 5}, "the"},
      {{3, 2, 5}, "the"},
      {{5, 2, 2, 9}, "the of"},
      {{5, 3, 2, 9}, "the of"},
      {{5, 3, 2, 3, 2, 9}, "the of"},
      {{5, 3, 2, 8}, "the ."},
      {{5, 2, 8}, "the."},
      {{5, 3, 2}, "the"},
      {{5, 3, 2, 1, 0}, "the"},
      {{5, 3}, "the "},
      {{5, 3, 9}, "the  of"},
  };
  for (const auto& [ids, text] : cases) {
    EXPECT_EQ(tokenizer->Decode(ids), text) << testing::PrintToString(ids);
  }
}

TEST(StreamDetokenizerTest, WordsComeOutAtOnce) {
  auto tokenizer = LoadOrDie(kSmallDir);
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
