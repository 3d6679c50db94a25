// SPDX-License-Identifier: Apache-2.0

#include "text/token_spans.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_files.h"
#include "text/families.h"
#include "text/source_encoder.h"
#include "text/text_alignment.h"
#include "text/unicode_form.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using Ids = std::vector<int32_t>;
using Kind = Tokenizer::Token::Kind;

std::unique_ptr<const Tokenizer> LoadOrDie(const std::string& directory) {
  auto tokenizer = Tokenizer::Load(directory, /*vocab_size=*/8064);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

// What a tokenizer may change of a text: form, case, white space.
std::string Plain(absl::string_view text) {
  return std::string(absl::StripAsciiWhitespace(
      absl::AsciiStrToLower(ToUnicodeForm(UnicodeForm::kNfkc, text))));
}

// The ranges ascend, lie within the text and cover trimmed whole characters.
void ExpectRanges(const std::string& text,
                  const std::vector<TextRange>& spans) {
  size_t begin = 0, end = 0;
  for (const TextRange& span : spans) {
    ASSERT_LE(span.begin, span.end);
    ASSERT_LE(span.end, text.size());
    if (span.size() == 0) continue;
    EXPECT_LE(begin, span.begin);
    EXPECT_LE(end, span.end);
    EXPECT_EQ(CharacterBegin(text, span.begin), span.begin);
    EXPECT_EQ(CharacterBegin(text, span.end), span.end);
    EXPECT_EQ(Trim(text, span).size(), span.size());
    begin = span.begin;
    end = span.end;
  }
}

class TokenSpansTest : public testing::TestWithParam<const char*> {
 protected:
  TokenSpansTest() {
    const ConfigFiles files = ReadConfigFiles(directory_).value();
    const TextFamily* family = FindTextFamily(files).value();
    const int32_t vocab_size = files.config["vocab_size"];
    tokenizers_ =
        family
            ->load(files, vocab_size,
                   files.config.value("decoder_vocab_size", vocab_size))
            .value();
    prompt_ = family->make_template(
        tokenizers_,
        tokenizers_.languages.empty()
            ? TextPrompt{}
            : TextPrompt{.source_language = &tokenizers_.languages.front(),
                         .target_language = &tokenizers_.languages.back()});
    cases_ =
        nlohmann::json::parse(FileBytes(directory_ + "/tokenizer_cases.json"));
  }

  std::vector<TextRange> Spans(const std::string& text, const Ids& ids) const {
    return FindSourceSpans(*tokenizers_.source, prompt_, ids, text);
  }

  const std::string directory_ = TestdataDir(GetParam());
  Tokenizers tokenizers_;
  PromptTemplate prompt_;
  nlohmann::json cases_;
};

// Texts of all kinds, with unknown characters.
TEST_P(TokenSpansTest, EveryTextHasRangesInOrder) {
  for (const auto& c : cases_["encode"]) {
    const std::string text = c["text"];
    SCOPED_TRACE(text);
    const Ids ids = EncodeSource(*tokenizers_.source, prompt_, text);
    const std::vector<TextRange> spans = Spans(text, ids);
    ASSERT_EQ(spans.size(), ids.size());
    ExpectRanges(text, spans);
  }
}

// A text of which the vocabulary has all: the range of a token is the token.
TEST_P(TokenSpansTest, ARangeReadsLikeItsToken) {
  const Tokenizer& tokenizer = *tokenizers_.source;
  std::mt19937 random(7);
  int num_compared = 0;
  for (int round = 0; round < 100; ++round) {
    Ids ids(1 + random() % 30);
    for (int32_t& id : ids) {
      do {
        id = static_cast<int32_t>(random() % tokenizer.num_tokens());
      } while (tokenizer.token(id).kind != Kind::kText &&
               tokenizer.token(id).kind != Kind::kBytes);
    }
    std::string text = tokenizer.Decode(ids);
    const Ids encoded = EncodeSource(tokenizer, prompt_, text);
    const std::vector<TextRange> spans = Spans(text, encoded);
    ExpectRanges(text, spans);
    const size_t before = CountLeadingIds(tokenizer, prompt_);
    for (size_t i = before; i + prompt_.after.size() < encoded.size(); ++i) {
      const Tokenizer::Token& token = tokenizer.token(encoded[i]);
      if (token.kind != Kind::kText) continue;
      EXPECT_EQ(Plain(Slice(text, spans[i])), Plain(token.text)) << text;
      ++num_compared;
    }
  }
  EXPECT_GT(num_compared, cases_["kind"] == "byt5" ? -1 : 500);
}

// Snow, an umbrella and a sun are unknown, or bytes stand for them.
TEST_P(TokenSpansTest, UnknownTokensTakeWhatLiesBetweenTheirNeighbours) {
  const std::string text = "a \xE2\x98\x83 house \xE2\x98\x82\xE2\x98\x80.";
  const Ids ids = EncodeSource(*tokenizers_.source, prompt_, text);
  const std::vector<TextRange> spans = Spans(text, ids);
  std::vector<std::string> unknown;
  const size_t end = ids.size() - prompt_.after.size();
  for (size_t i = prompt_.before.size(); i < end; ++i) {
    const Kind kind = tokenizers_.source->token(ids[i]).kind;
    if (kind == Kind::kText || kind == Kind::kBytes) continue;
    unknown.emplace_back(Slice(text, spans[i]));
  }
  if (!unknown.empty()) {
    EXPECT_THAT(unknown,
                ElementsAre("\xE2\x98\x83", "\xE2\x98\x82\xE2\x98\x80"));
  }
}

// The ranges of any ids in any text are in order, also where nothing agrees.
TEST_P(TokenSpansTest, IdsOfAnotherTextHaveRangesInOrder) {
  const Tokenizer& tokenizer = *tokenizers_.source;
  std::mt19937 random(9);
  for (const size_t length : {0, 1, 7, 60, 20000}) {
    Ids ids(length), others(length);
    for (Ids* each : {&ids, &others}) {
      for (int32_t& id : *each) {
        id = static_cast<int32_t>(random() % (tokenizer.num_tokens() + 2)) - 1;
      }
    }
    const std::string text = tokenizer.Decode(others);
    const std::vector<TextRange> spans = FindTokenSpans(tokenizer, ids, text);
    ASSERT_EQ(spans.size(), ids.size());
    ExpectRanges(text, spans);
  }
}

// What a prompt adds is counted and has no range.
TEST_P(TokenSpansTest, IdsOfThePromptHaveNoRange) {
  PromptTemplate prompt = prompt_;
  prompt.text_prefix += "Translate: ";
  const std::string text = "a house a";
  const Tokenizer& tokenizer = *tokenizers_.source;
  const Ids ids = EncodeSource(tokenizer, prompt, text);
  const std::vector<TextRange> spans =
      FindSourceSpans(tokenizer, prompt, ids, text);
  const size_t leading = CountLeadingIds(tokenizer, prompt);
  ASSERT_LT(leading, ids.size());
  for (size_t i = 0; i < leading; ++i) EXPECT_EQ(spans[i].size(), 0) << i;
  for (size_t i = ids.size() - prompt.after.size(); i < ids.size(); ++i) {
    EXPECT_EQ(spans[i].size(), 0) << i;
  }
  EXPECT_EQ(spans[leading].begin, 0);
  EXPECT_EQ(spans[ids.size() - prompt.after.size() - 1].end, text.size());
}

// The ranges of an output cover its text, except for white space.
TEST_P(TokenSpansTest, OutputRangesCoverTheTextOfAnyIds) {
  const Tokenizer& tokenizer = *tokenizers_.target;
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    Ids ids(random() % 40);
    for (int32_t& id : ids) {
      id = static_cast<int32_t>(random() % (tokenizer.num_tokens() + 2)) - 1;
    }
    const std::string text = tokenizer.Decode(ids);
    const std::vector<TextRange> spans = FindOutputSpans(tokenizer, ids);
    ASSERT_EQ(spans.size(), ids.size());
    ExpectRanges(text, spans);
    size_t at = 0;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (spans[i].size() == 0) continue;
      ASSERT_GE(spans[i].begin, at);
      EXPECT_EQ(Trim(text, {at, spans[i].begin}).size(), 0);
      at = spans[i].end;
      const Tokenizer::Token& token = tokenizer.token(ids[i]);
      if (token.kind == Kind::kText &&
          (i == 0 || tokenizer.token(ids[i - 1]).kind == Kind::kText)) {
        EXPECT_EQ(Slice(text, spans[i]),
                  Slice(token.text, Trim(token.text, {0, token.text.size()})));
      }
    }
    EXPECT_EQ(Trim(text, {at, text.size()}).size(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(AllFamilies, TokenSpansTest,
                         testing::Values("marian-opus", "bart-cnn", "mbart50",
                                         "nllb", "m2m100", "pegasus", "byt5",
                                         "t5gemma", "umt5", "text-end-to-end"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

// Characters that change when a text is normalized, and bytes of characters.
TEST(SmallSpansTest, NormalizedCharactersKeepTheirPlaces) {
  const auto tokenizer = LoadOrDie(SHEAF_MODELS_DIR "/sheaf-small");
  const std::string text =
      "  \xEF\xBC\xA1 \xEF\xAC\x81ne  \xE2\x98\x83 cafe\xCC\x81 \xE2\x91\xA0 "
      "end\n";
  const Ids ids = tokenizer->Encode(text);
  const std::vector<TextRange> spans = FindTokenSpans(*tokenizer, ids, text);
  ExpectRanges(text, spans);
  std::vector<std::string> slices;
  slices.reserve(ids.size());
  for (const TextRange& span : spans) slices.emplace_back(Slice(text, span));
  EXPECT_THAT(slices,
              ElementsAre("\xEF\xBC\xA1", "\xEF\xAC\x81ne", "", "\xE2\x98\x83",
                          "\xE2\x98\x83", "\xE2\x98\x83", "ca", "f",
                          "e\xCC\x81", "e\xCC\x81", "\xE2\x91\xA0", "end"));
}

TEST(TextAlignmentTest, OutputTokensWithTextHaveTheirSource) {
  const std::vector<TextRange> source = {
      {0, 0}, {0, 3}, {4, 4}, {4, 9}, {9, 9}};
  const std::vector<TextRange> target = {
      {0, 2}, {2, 5}, {5, 5}, {6, 7}, {7, 8}};
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto show = [](TextRange range) {
    return absl::StrCat(range.begin, "-", range.end);
  };
  // The third token of the source is a space, and the last one is its end.
  for (const AlignedSpan& span :
       MakeTextAlignment({1, 2, 3, -1, 4}, source, target)) {
    pairs.push_back({show(span.target), show(span.source)});
  }
  EXPECT_THAT(pairs, ElementsAre(Pair("0-2", "0-3"), Pair("2-5", "4-9"),
                                 Pair("6-7", "0-0"), Pair("7-8", "0-0")));
}

}  // namespace
}  // namespace sheaf
