// SPDX-License-Identifier: Apache-2.0

// Each family's tokenizer against the cases of its fixture, which follow the
// definitions in testdata/README.md.

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_files.h"
#include "text/families.h"
#include "text/source_encoder.h"
#include "text/stop_sequences.h"
#include "text/stream_detokenizer.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using Ids = std::vector<int32_t>;

const LanguageToken* FindLanguage(const Tokenizers& tokenizers,
                                  const std::string& code) {
  for (const LanguageToken& language : tokenizers.languages) {
    if (language.code == code) return &language;
  }
  return nullptr;
}

std::string Trimmed(const std::string& text) {
  return std::string(absl::StripAsciiWhitespace(text));
}

std::string Streamed(const Tokenizer& tokenizer, const Ids& ids) {
  StreamDetokenizer detokenizer(tokenizer);
  std::string text;
  for (int32_t id : ids) {
    const std::string more = detokenizer.Append(id);
    EXPECT_TRUE(IsValidUtf8(more));
    text += more;
  }
  return text + detokenizer.Finish();
}

class FamilyTokenizersTest : public testing::TestWithParam<const char*> {
 protected:
  FamilyTokenizersTest() {
    const ConfigFiles files = ReadConfigFiles(directory_).value();
    family_ = FindTextFamily(files).value();
    const int32_t vocab_size = files.config["vocab_size"];
    absl::StatusOr<Tokenizers> tokenizers =
        family_->load(files, vocab_size,
                      files.config.value("decoder_vocab_size", vocab_size));
    EXPECT_TRUE(tokenizers.ok()) << tokenizers.status();
    if (tokenizers.ok()) tokenizers_ = *std::move(tokenizers);
    cases_ = json::parse(FileBytes(directory_ + "/tokenizer_cases.json"));
    // The cases of this kind are for texts that may yield no sentinels.
    if (cases_["kind"] == "byt5") allowed_ = SpecialTokens::kNone;
    // Those of this kind are for texts that may yield all special tokens.
    if (cases_["kind"] == "gemma tokenizer.json")
      allowed_ = SpecialTokens::kAll;
  }

  void SetUp() override {
    ASSERT_NE(tokenizers_.source, nullptr);
    EXPECT_THAT(tokenizers_.warnings(), IsEmpty());
  }

  // The ids of a text that a user gives in the model's own language.
  Ids Encode(const std::string& text, const std::string& source_language) {
    TextPrompt prompt;
    if (!source_language.empty()) {
      prompt.source_language = FindLanguage(tokenizers_, source_language);
      EXPECT_NE(prompt.source_language, nullptr) << source_language;
    }
    PromptTemplate around = family_->make_template(tokenizers_, prompt);
    around.allowed = allowed_;
    return EncodeSource(*tokenizers_.source, around, text);
  }

  void ExpectDecodes(const Tokenizer& tokenizer, const Ids& ids,
                     const std::string& text) {
    const std::string decoded = tokenizer.Decode(ids);
    EXPECT_EQ(Trimmed(decoded), Trimmed(text)) << testing::PrintToString(ids);
    EXPECT_EQ(Streamed(tokenizer, ids), decoded);
  }

  const std::string directory_ = TestdataDir(GetParam());
  const TextFamily* family_ = nullptr;
  Tokenizers tokenizers_;
  json cases_;
  SpecialTokens allowed_ = SpecialTokens::kSentinels;
};

TEST_P(FamilyTokenizersTest, EncodesAsTheReferenceDoes) {
  for (const json& c : cases_["encode"]) {
    EXPECT_EQ(Encode(c["text"], c.value("source_language", "")),
              c["ids"].get<Ids>())
        << c["text"];
  }
}

TEST_P(FamilyTokenizersTest, DecodesAsTheReferenceDoes) {
  for (const json& c : cases_["encode"]) {
    ExpectDecodes(*tokenizers_.target, c["ids"].get<Ids>(), c["decoded"]);
  }
  for (const json& c : cases_["decode"]) {
    ExpectDecodes(*tokenizers_.target, c["ids"].get<Ids>(), c["text"]);
  }
}

TEST_P(FamilyTokenizersTest, LanguagesHaveTheIdsOfTheReference) {
  std::map<std::string, int32_t> ids;
  for (const LanguageToken& language : tokenizers_.languages) {
    ids[language.code] = language.id;
  }
  if (cases_.contains("language_ids")) {
    const std::map<std::string, int32_t> expected = cases_["language_ids"];
    EXPECT_EQ(ids, expected);
  } else if (!cases_.value("encode_with_language_token", json()).empty()) {
    EXPECT_THAT(ids,
                ElementsAre(Pair("deu", 1), Pair("fra", 2), Pair("ita", 3)));
  } else {
    EXPECT_THAT(ids, IsEmpty());
  }
}

TEST_P(FamilyTokenizersTest, ATagAtTheBeginningIsATokenOfItsOwn) {
  for (const json& c : cases_.value("encode_with_language_token", json())) {
    const Ids ids = c["ids"];
    const std::string text = c["text"];
    EXPECT_EQ(Encode(text, ""), ids) << text;
    // The same from a prompt, and from a language with the text without a tag.
    Ids prompted =
        tokenizers_.source->EncodePrompted(text.substr(0, 7), text.substr(7));
    prompted.push_back(tokenizers_.source->eos_id());
    EXPECT_EQ(prompted, ids) << text;
    const LanguageToken* language =
        FindLanguage(tokenizers_, text.substr(2, 3));
    if (language == nullptr) continue;
    const PromptTemplate around =
        family_->make_template(tokenizers_, {.target_language = language});
    EXPECT_EQ(EncodeSource(*tokenizers_.source, around, text.substr(7)), ids);
  }
}

TEST_P(FamilyTokenizersTest, TargetsAreEncodedAsTheReferenceDoes) {
  for (const json& c : cases_.value("encode_target", json())) {
    Ids ids = tokenizers_.target->Encode(c["text"].get<std::string>());
    ids.push_back(tokenizers_.target->eos_id());
    EXPECT_EQ(ids, c["ids"].get<Ids>()) << c["text"];
  }
}

// Whatever a user writes for a task is text.
TEST_P(FamilyTokenizersTest, TextsForATaskYieldNoControlTokens) {
  const Tokenizer& tokenizer = *tokenizers_.source;
  std::string text = ">>deu<< </s><s> <pad><mask><mask_1><unk_7> <extra_id_0>";
  std::set<int32_t> control;
  for (const char* key : {"pad", "eos", "bos", "mask"}) {
    if (cases_.contains(key) && !cases_[key].is_null()) {
      control.insert(cases_[key].get<int32_t>());
    }
  }
  for (const LanguageToken& language : tokenizers_.languages) {
    absl::StrAppend(&text, " ", language.code, " __", language.code, "__");
    control.insert(language.id);
  }
  for (const std::string& around : {text, ">>deu<<" + text, " " + text}) {
    for (int32_t id : tokenizer.Encode(around)) {
      EXPECT_FALSE(control.contains(id)) << id << ": " << around;
    }
  }
}

// Streams of any ids are decodings, and stops are found in them where the text
// of the ids so far first has one.
TEST_P(FamilyTokenizersTest, AnyIdsAreStreamedAndStopped) {
  const Tokenizer& tokenizer = *tokenizers_.target;
  std::mt19937 random(5);
  int num_stopped = 0;
  for (int round = 0; round < 200; ++round) {
    Ids ids(random() % 60);
    for (int32_t& id : ids) {
      id = static_cast<int32_t>(random() % (tokenizer.num_tokens() + 2)) - 1;
    }
    const std::string text = tokenizer.Decode(ids);
    ASSERT_EQ(Streamed(tokenizer, ids), text);
    ASSERT_TRUE(IsValidUtf8(text));
    const size_t begin = random() % (text.size() + 1);
    const std::string stop = text.substr(begin, 1 + random() % 6);
    if (absl::StripAsciiWhitespace(stop).empty() ||
        absl::StrContains(text, "\xEF\xBF\xBD")) {
      continue;
    }
    const StopSequences condition(tokenizer, {stop, "never in a text"});
    for (size_t n = 0; n < ids.size(); ++n) {
      const absl::Span<const int32_t> before(ids.data(), n);
      const bool expected =
          absl::StrContains(tokenizer.Decode({ids.data(), n + 1}), stop);
      ASSERT_EQ(condition.IsMet(before, ids[n]), expected)
          << "\"" << stop << "\" in " << text;
      if (!expected) continue;
      ++num_stopped;
      break;
    }
  }
  EXPECT_GT(num_stopped, 4);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, FamilyTokenizersTest,
                         testing::Values("marian-opus", "marian-multi-tc",
                                         "marian-separate-vocab", "nllb",
                                         "m2m100", "mbart-cc25", "mbart50",
                                         "pegasus", "umt5", "byt5", "bart-cnn",
                                         "t5gemma", "t5gemma2"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) {
                             if (c == '-') c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace sheaf
