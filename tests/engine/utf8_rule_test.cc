// SPDX-License-Identifier: Apache-2.0

#include "engine/utf8_rule.h"

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/decoding.h"
#include "engine/engine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_model_runner.h"
#include "tests/support/recording_sink.h"

namespace sheaf {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Not;

constexpr int32_t kStart = 0, kEos = 1, kWord = 2;
constexpr int32_t kFirstByte = 3;  // token 3 + b is byte b

// The encoding of a code point, by the table of RFC 3629.
std::string Encode(uint32_t c) {
  const auto byte = [](uint32_t value) { return static_cast<char>(value); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F))};
  if (c < 0x10000) {
    return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)),
            byte(0x80 | (c & 0x3F))};
  }
  return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)),
          byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
}

// Every prefix of the encoding of every character, including the empty one.
std::set<std::string> Beginnings(bool is_whole_included) {
  std::set<std::string> beginnings;
  for (uint32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;  // surrogates are not characters
    const std::string bytes = Encode(c);
    const size_t longest = bytes.size() - (is_whole_included ? 0 : 1);
    for (size_t size = 0; size <= longest; ++size) {
      beginnings.insert(bytes.substr(0, size));
    }
  }
  return beginnings;
}

bool IsUtf8(const std::string& text) {
  static const std::set<std::string> valid = Beginnings(true);
  static const std::set<std::string> partial = Beginnings(false);
  std::string pending;
  for (char c : text) {
    pending += c;
    if (!valid.contains(pending)) return false;
    if (!partial.contains(pending)) pending.clear();
  }
  return pending.empty();
}

std::vector<Utf8Rule::ByteToken> AllBytes() {
  std::vector<Utf8Rule::ByteToken> tokens;
  for (int32_t byte = 0; byte < 256; ++byte) {
    tokens.emplace_back(kFirstByte + byte,
                        std::string(1, static_cast<char>(byte)));
  }
  return tokens;
}

std::vector<int32_t> TokensOf(const std::string& bytes) {
  std::vector<int32_t> tokens = {kStart};
  for (char c : bytes) {
    tokens.push_back(kFirstByte + static_cast<uint8_t>(c));
  }
  return tokens;
}

std::string TextOf(absl::Span<const int32_t> tokens) {
  std::string text;
  for (int32_t id : tokens) {
    if (id >= kFirstByte) text += static_cast<char>(id - kFirstByte);
    if (id == kWord) text += "word ";
  }
  return text;
}

class Utf8RuleTest : public ::testing::Test {
 protected:
  Utf8RuleTest() {
    sampling_.max_new_tokens = 100;
    sampling_.output_text = OutputText::kText;
  }

  // The bytes that may follow `bytes`, by Allows().
  std::set<int> Allowed(const std::string& bytes,
                        const std::string& source = "") {
    const std::vector<int32_t> tokens = TokensOf(bytes);
    const Utf8Rule::Controls controls = rule_.ControlsOf(TokensOf(source));
    std::set<int> allowed;
    for (int byte = 0; byte < 256; ++byte) {
      if (rule_.Allows({sampling_, controls, tokens}, kFirstByte + byte)) {
        allowed.insert(byte);
      }
    }
    return allowed;
  }

  bool AllowsToken(const std::string& bytes, int32_t id) {
    const std::vector<int32_t> tokens = TokensOf(bytes);
    return rule_.Allows({sampling_, {}, tokens}, id);
  }

  const Utf8Rule rule_{AllBytes()};
  SamplingParams sampling_;
};

TEST_F(Utf8RuleTest, WhatMayFollowIsWhatBeginsACharacter) {
  std::string every_control;
  for (uint32_t c = 0; c < 0xA0; ++c) every_control += Encode(c);
  const std::set<std::string> valid = Beginnings(/*is_whole_included=*/true);
  for (const std::string& begun : Beginnings(/*is_whole_included=*/false)) {
    std::set<int> expected;
    for (int byte = 0; byte < 256; ++byte) {
      if (valid.contains(begun + static_cast<char>(byte))) {
        expected.insert(byte);
      }
    }
    EXPECT_EQ(Allowed(begun, every_control), expected)
        << testing::PrintToString(begun);
    EXPECT_EQ(Allowed("\xC3\xA4" + begun, every_control), expected);
  }
}

TEST_F(Utf8RuleTest, AWordAndTheEndComeBetweenCharactersOnly) {
  for (int32_t id : {kWord, kEos}) {
    EXPECT_TRUE(AllowsToken("", id));
    EXPECT_TRUE(AllowsToken("\xE2\x82\xAC", id));
    EXPECT_FALSE(AllowsToken("\xE2\x82", id));
  }
}

TEST_F(Utf8RuleTest, ACharacterBeginsOnlyIfItCanEnd) {
  sampling_.max_new_tokens = 3;
  EXPECT_THAT(Allowed(""), Contains(0xE2));
  EXPECT_THAT(Allowed(""), Not(Contains(0xF1)));
  EXPECT_THAT(Allowed("a"), Contains(0xC3));
  EXPECT_THAT(Allowed("a"), Not(Contains(0xE2)));
  EXPECT_THAT(Allowed("ab"), Not(Contains(0xC3)));
  EXPECT_THAT(Allowed("ab"), Contains('c'));
}

TEST_F(Utf8RuleTest, AForcedLastTokenTakesAPlace) {
  sampling_.max_new_tokens = 3;
  sampling_.forced_last_token = kEos;
  EXPECT_THAT(Allowed(""), Not(Contains(0xE2)));
  EXPECT_THAT(Allowed(""), Contains(0xC3));
}

TEST_F(Utf8RuleTest, ControlCharactersComeFromTheSourceAlone) {
  EXPECT_THAT(Allowed(""), Not(Contains(0x07)));
  EXPECT_THAT(Allowed(""), Not(Contains(0x7F)));
  EXPECT_THAT(Allowed("\xC2"), Not(Contains(0x85)));
  EXPECT_THAT(Allowed("\xC2"), Contains(0xA3));
  const std::string source = "a\x07 b\x7F c\xC2\x85";
  EXPECT_THAT(Allowed("", source), Contains(0x07));
  EXPECT_THAT(Allowed("", source), Not(Contains(0x08)));
  EXPECT_THAT(Allowed("", source), Contains(0x7F));
  EXPECT_THAT(Allowed("\xC2", source), Contains(0x85));
  EXPECT_THAT(Allowed("\xC2", source), Not(Contains(0x86)));
}

TEST_F(Utf8RuleTest, TextMayHaveTabsAndLineBreaksALineOnlyTheSources) {
  for (int control : {'\t', '\n', '\r'}) {
    sampling_.output_text = OutputText::kText;
    EXPECT_THAT(Allowed(""), Contains(control));
    sampling_.output_text = OutputText::kLine;
    EXPECT_THAT(Allowed(""), Not(Contains(control)));
    EXPECT_THAT(Allowed("", std::string(1, static_cast<char>(control))),
                Contains(control));
  }
}

TEST_F(Utf8RuleTest, APieceWithAControlCharacterIsHeldToTheSameRule) {
  const Utf8Rule rule({{kWord, "a\x07"}});
  const std::vector<int32_t> tokens = {kStart}, source = {kWord};
  EXPECT_FALSE(rule.Allows({sampling_, {}, tokens}, kWord));
  EXPECT_TRUE(rule.Allows({sampling_, rule.ControlsOf(source), tokens}, kWord));
}

TEST_F(Utf8RuleTest, ForcedBytesThatAreInvalidAreReadAgainFromThere) {
  EXPECT_THAT(Allowed("\xE2\xC3"), Contains(0xA4));  // U+FFFD, begun U+00E4
  EXPECT_THAT(Allowed("\xE2\xC3"), Not(Contains('a')));
  EXPECT_THAT(Allowed("\x82\x82"), Contains('a'));
  EXPECT_THAT(Allowed("\xE2"
                      "a"),
              Contains('b'));
}

// Byte-level vocabularies have such tokens.
TEST_F(Utf8RuleTest, ATokenMayEndOneCharacterAndBeginAnother) {
  constexpr int32_t kHead = 2, kMiddle = 3, kTail = 4, kBoth = 5;
  const Utf8Rule rule({{kHead, "\xE2\x82"},
                       {kMiddle, "\xAC\xE2"},
                       {kTail, "\x82\xAC"},
                       {kBoth, "\xAC\xE2\x82"}});
  const auto allowed = [&](const std::vector<int32_t>& tokens) {
    std::set<int32_t> ids;
    for (int32_t id : {kEos, kHead, kMiddle, kTail, kBoth}) {
      if (rule.Allows({sampling_, {}, tokens}, id)) ids.insert(id);
    }
    return ids;
  };
  EXPECT_THAT(allowed({kStart}), ElementsAre(kEos, kHead));
  EXPECT_THAT(allowed({kStart, kHead}), ElementsAre(kMiddle, kBoth));
  EXPECT_THAT(allowed({kStart, kHead, kMiddle}), ElementsAre(kTail));
  EXPECT_THAT(allowed({kStart, kHead, kMiddle, kTail}),
              ElementsAre(kEos, kHead));
  EXPECT_THAT(allowed({kStart, kHead, kBoth}), ElementsAre(kMiddle, kBoth));
  EXPECT_THAT(allowed({kStart, kHead, kBoth, kBoth, kMiddle}),
              ElementsAre(kTail));
}

TEST_F(Utf8RuleTest, TheListsAgreeWithAllows) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::string bytes;
    while (random() % 4 != 0) bytes += static_cast<char>(random() % 256);
    sampling_.max_new_tokens =
        static_cast<int32_t>(bytes.size() + 1 + random() % 4);
    const std::vector<int32_t> tokens = TokensOf(bytes);
    const Utf8Rule::Context context = {sampling_, {}, tokens};
    std::set<int32_t> expected, found;
    for (int32_t id = 0; id < kFirstByte + 256; ++id) {
      if (rule_.Allows(context, id)) expected.insert(id);
    }
    std::vector<int32_t> allowed;
    if (rule_.AllowedWithin(context, allowed)) {
      found.insert(allowed.begin(), allowed.end());
    } else {
      for (int32_t id = 0; id < kFirstByte + 256; ++id) found.insert(id);
      rule_.ForEachForbidden(context, [&](int32_t id) { found.erase(id); });
    }
    EXPECT_EQ(found, expected) << testing::PrintToString(bytes);
  }
}

class Utf8ChoiceTest : public Utf8RuleTest {
 protected:
  static constexpr int32_t kVocabSize = kFirstByte + 256;

  TokenContext ContextOf(const std::vector<int32_t>& tokens) {
    return {sampling_, eos_, tokens, /*segment_index=*/0, &rule_};
  }
  ChosenToken Choose(const std::string& bytes, std::vector<float> logits) {
    const std::vector<int32_t> tokens = TokensOf(bytes);
    return ChooseToken(ContextOf(tokens), kernels_, absl::MakeSpan(logits),
                       scratch_);
  }

  const std::vector<int32_t> eos_ = {kEos};
  const kernels::Kernels& kernels_ = kernels::KernelsFor(kernels::DetectIsa());
  DecodingScratch scratch_;
};

TEST_F(Utf8ChoiceTest, TheBestThatIsAllowedIsChosenWithTheModelsProbability) {
  std::vector<float> logits(kVocabSize, 0.0f);
  logits[kFirstByte + 0x82] = 9;  // continues no character
  logits[kEos] = 8;
  logits[kFirstByte + 0xA4] = 7;
  EXPECT_EQ(Choose("", logits).id, kEos);
  const ChosenToken within = Choose("\xE2", logits);
  EXPECT_EQ(within.id, kFirstByte + 0x82);
  const ChosenToken after_e0 = Choose("\xE0", logits);  // 82 is too low there
  EXPECT_EQ(after_e0.id, kFirstByte + 0xA4);
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit);
  EXPECT_NEAR(after_e0.logprob, 7 - std::log(sum), 1e-5);
}

TEST_F(Utf8ChoiceTest, RawOutputMayBeAnything) {
  sampling_.output_text = OutputText::kRaw;
  std::vector<float> logits(kVocabSize, 0.0f);
  logits[kFirstByte + 0x82] = 9;
  EXPECT_EQ(Choose("", logits).id, kFirstByte + 0x82);
}

TEST_F(Utf8ChoiceTest, BeamsAreOfferedOnlyWhatIsAllowed) {
  sampling_.beam_size = 4;
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (const std::string bytes : {"", "\xC3", "\xE2\x82", "\xF4", "abc"}) {
    std::vector<float> logits(kVocabSize);
    for (float& logit : logits) logit = normal(random);
    const std::vector<float> before = logits;
    const std::vector<int32_t> tokens = TokensOf(bytes);
    std::vector<ChosenToken> ranked(8);
    const int32_t num =
        RankTokens(ContextOf(tokens), kernels_, absl::MakeSpan(logits),
                   scratch_, absl::MakeSpan(ranked));
    std::multimap<float, int32_t, std::greater<float>> expected;
    double sum = 0;
    for (int32_t id = 0; id < kVocabSize; ++id) {
      sum += std::exp(before[id]);
      if (AllowsToken(bytes, id)) expected.emplace(before[id], id);
    }
    ASSERT_EQ(num, 8);
    auto it = expected.begin();
    for (const ChosenToken& token : ranked) {
      EXPECT_EQ(token.id, it->second);
      EXPECT_NEAR(token.logprob, it->first - std::log(sum), 1e-5);
      ++it;
    }
  }
}

// If an output can have some tokens only, they are chosen as if the others had
// no probability.
TEST_F(Utf8ChoiceTest, TokensThatAreNotListedDoNotExist) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 300; ++i) {
    const std::string kBytes[] = {"", "\xC3", "\xE2\x82", "abc"};
    const std::vector<int32_t> tokens = TokensOf(kBytes[i % 4]);
    sampling_.temperature = i % 3 == 0 ? 0.9f : 0.0f;
    sampling_.seed = i;
    sampling_.repetition_penalty = i % 5 == 0 ? 1.5f : 1.0f;
    sampling_.no_repeat_ngram_size = i % 7 == 0 ? 1 : 0;
    std::vector<float> whole(kVocabSize, kForbidden), listed;
    std::vector<int32_t> ids;
    for (int32_t id = 0; id < kVocabSize; ++id) {
      if (id != kEos && random() % 3 != 0) continue;
      ids.push_back(id);
      listed.push_back(normal(random));
      whole[id] = listed.back();
    }
    TokenContext context = ContextOf(tokens);
    std::vector<float> logits = whole;
    const ChosenToken expected =
        ChooseToken(context, kernels_, absl::MakeSpan(logits), scratch_);
    std::vector<ChosenToken> expected_best(4), best(4);
    const int32_t expected_num =
        RankTokens(context, kernels_, absl::MakeSpan(whole), scratch_,
                   absl::MakeSpan(expected_best));
    context.ids = ids;
    logits = listed;
    const ChosenToken chosen =
        ChooseToken(context, kernels_, absl::MakeSpan(logits), scratch_);
    EXPECT_EQ(chosen.id, expected.id);
    EXPECT_NEAR(chosen.logprob, expected.logprob, 1e-5);
    ASSERT_EQ(RankTokens(context, kernels_, absl::MakeSpan(listed), scratch_,
                         absl::MakeSpan(best)),
              expected_num);
    for (int32_t j = 0; j < expected_num; ++j) {
      EXPECT_EQ(best[j].id, expected_best[j].id);
      EXPECT_NEAR(best[j].logprob, expected_best[j].logprob, 1e-5);
    }
  }
}

TEST_F(Utf8ChoiceTest, WithinACharacterThatNothingMayContinueTheTextEnds) {
  for (int32_t byte = 0x80; byte < 0xC0; ++byte) {
    sampling_.suppressed_tokens.push_back(kFirstByte + byte);
  }
  std::vector<float> logits(kVocabSize, 0.0f);
  logits[kEos] = -2;
  const ChosenToken chosen = Choose("\xC3", logits);
  EXPECT_EQ(chosen.id, kEos);
  EXPECT_NEAR(chosen.logprob, -2 - std::log(kVocabSize - 1 + std::exp(-2.0)),
              1e-4);
}

// A model with random logits that prefer bytes.
class RandomBytesRunner : public FakeModelRunner {
 public:
  using FakeModelRunner::FakeModelRunner;
  int32_t vocab_size() const override { return kFirstByte + 256; }

  void Decode(absl::Span<const DecodeEntry> entries,
              absl::Span<float> logits) override {
    for (size_t i = 0; i < entries.size(); ++i) {
      for (int32_t id = 0; id < vocab_size(); ++id) {
        logits[i * vocab_size() + id] = normal_(random_);
      }
      logits[i * vocab_size() + kEos] += 1.0f;
    }
  }

 private:
  std::mt19937 random_{3};
  std::normal_distribution<float> normal_{0.0f, 3.0f};
};

TEST(Utf8EngineTest, WhateverTheModelAnswersAreWholeCharacters) {
  RandomBytesRunner runner(/*num_blocks=*/256);
  ThreadTeam team(2);
  LaneOptions lane;
  lane.runner = &runner;
  lane.kv_shape = {/*num_blocks=*/256, /*block_bytes=*/64,
                   FakeModelRunner::kBlockTokens,
                   FakeModelRunner::kBlockTokens};
  lane.utf8_rule = std::make_shared<const Utf8Rule>(AllBytes());
  Engine engine({}, team, kernels::KernelsFor(kernels::DetectIsa()), {lane});
  std::mt19937 random(4);
  int num_cut = 0;
  for (int round = 0; round < 300; ++round) {
    RecordingSink sink;
    Request request;
    request.start_tokens = {FakeModelRunner::kStart};
    request.segments = {TokensOf("\x05 source")};
    request.sink = &sink;
    SamplingParams& sampling = request.sampling;
    sampling.output_text = OutputText::kLine;
    sampling.max_new_tokens = 1 + static_cast<int32_t>(random() % 12);
    sampling.beam_size = 1 + static_cast<int32_t>(random() % 4);
    sampling.num_hypotheses = sampling.beam_size;
    if (sampling.beam_size == 1) {
      sampling.temperature = static_cast<float>(random() % 2);
    }
    sampling.has_loop_guard = true;
    sampling.seed = random();
    ASSERT_TRUE(engine.Submit(/*lane=*/0, std::move(request)).ok());
    ASSERT_TRUE(sink.Wait().ok());
    for (const Hypothesis& hypothesis : sink.hypotheses()) {
      num_cut += hypothesis.finish_reason == FinishReason::kLength;
      const std::string text = TextOf(hypothesis.tokens);
      EXPECT_TRUE(IsUtf8(text)) << testing::PrintToString(text);
      for (char c : text) {
        EXPECT_FALSE(static_cast<uint8_t>(c) < 0x20 && c != 0x05);
      }
    }
  }
  EXPECT_GT(num_cut, 100);  // many outputs reach the limit
}

}  // namespace
}  // namespace sheaf
