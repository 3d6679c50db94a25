// SPDX-License-Identifier: Apache-2.0

// Each family's tokenizer against the cases of its fixture, which follow the
// definitions in testdata/README.md.

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_files.h"
#include "text/families.h"
#include "text/source_encoder.h"
#include "text/stream_detokenizer.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using nlohmann::json;
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
  }

  void SetUp() override { ASSERT_NE(tokenizers_.source, nullptr); }

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

INSTANTIATE_TEST_SUITE_P(Fixtures, FamilyTokenizersTest,
                         testing::Values("marian-opus", "marian-multi-tc",
                                         "marian-separate-vocab", "nllb",
                                         "m2m100", "mbart-cc25", "mbart50",
                                         "pegasus", "umt5", "bart-cnn",
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
