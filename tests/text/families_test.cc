// SPDX-License-Identifier: Apache-2.0

#include "text/families.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

absl::StatusOr<const TextFamily*> Find(const std::string& config) {
  return FindTextFamily(
      ParseConfigFiles(config, /*generation_json=*/std::nullopt, "dir")
          .value());
}

TEST(FamiliesTest, AnUnknownTypeIsRefusedWithTheSupportedOnes) {
  for (const auto& [config, found] :
       {std::pair{R"({"model_type": "gpt2"})", "is \"gpt2\""},
        {R"({"model_type": 5})", "is 5"},
        {"{}", "is missing"}}) {
    EXPECT_THAT(std::string(Find(config).status().message()),
                StartsWith(absl::StrCat(
                    "dir/config.json: model_type ", found,
                    "; allowed is one of the supported types: t5, mt5, ")));
  }
}

TEST(FamiliesTest, T5TextsArePrefixTextAndEnd) {
  for (const char* type : {"t5", "mt5"}) {
    const auto family = Find(absl::StrCat("{\"model_type\": \"", type, "\"}"));
    ASSERT_TRUE(family.ok()) << family.status();
    const absl::StatusOr<Tokenizers> tokenizers = (*family)->load(
        ReadConfigFiles(SHEAF_MODELS_DIR "/sheaf-small").value(),
        /*source_vocab_size=*/8064, /*target_vocab_size=*/8064);
    ASSERT_TRUE(tokenizers.ok()) << tokenizers.status();
    EXPECT_EQ(tokenizers->source, tokenizers->target);
    EXPECT_THAT(tokenizers->languages, IsEmpty());
    const PromptTemplate prompt =
        (*family)->make_template(*tokenizers, {.prefix = "summarize: "});
    EXPECT_EQ(prompt.text_prefix, "summarize: ");
    EXPECT_THAT(prompt.before, IsEmpty());
    EXPECT_THAT(prompt.after, ElementsAre(tokenizers->source->eos_id()));
    EXPECT_EQ(prompt.allowed, SpecialTokens::kNone);
    EXPECT_EQ(prompt.decoder_start, std::nullopt);
    EXPECT_EQ(prompt.forced_first, std::nullopt);
  }
}

// The template of a fixture for texts from one language to another; empty: not
// given. `legacy` is the value of legacy_behaviour.
struct LanguageCase {
  const char* fixture;
  const char* source;
  const char* target;
  std::vector<int32_t> before, after;
  std::optional<int32_t> decoder_start, forced_first;
  bool legacy = false;
};

const LanguageToken* FindLanguage(const Tokenizers& tokenizers,
                                  absl::string_view code) {
  for (const LanguageToken& language : tokenizers.languages) {
    if (language.code == code) return &language;
  }
  return nullptr;
}

// "One block, five settings" and "Tokenizers" of testdata/README.md. The ids
// are those of tokenizer_cases.json.
TEST(FamiliesTest, LanguagesStandWhereTheFamilyExpectsThem) {
  constexpr auto kNone = std::nullopt;
  const LanguageCase cases[] = {
      {"nllb", "deu_Latn", "fra_Latn", {372}, {2}, kNone, 387},
      {"nllb", "deu_Latn", "fra_Latn", {}, {2, 372}, kNone, 387, true},
      {"nllb", "", "", {377}, {2}, kNone, kNone},
      {"m2m100", "de", "zh", {310}, {2}, kNone, 392},
      {"m2m100", "", "", {312}, {2}, kNone, kNone},
      {"mbart50", "ro_RO", "de_DE", {320}, {2}, kNone, 303},
      {"mbart-cc25", "en_XX", "ro_RO", {}, {2, 284}, 300, kNone},
      {"mbart-cc25", "", "", {}, {2, 284}, kNone, kNone},
      {"marian-multi-tc", "", "deu", {1}, {217}, kNone, kNone},
      {"marian-multi-tc", "", "", {}, {217}, kNone, kNone},
      {"marian-opus", "", "", {}, {0}, kNone, kNone},
      {"pegasus", "", "", {}, {1}, kNone, kNone},
      {"byt5", "", "", {}, {1}, kNone, kNone},
      {"umt5", "", "", {}, {1}, kNone, kNone},
  };
  for (const LanguageCase& c : cases) {
    SCOPED_TRACE(absl::StrCat(c.fixture, ", ", c.source, ", ", c.target));
    ConfigFiles files = ReadConfigFiles(TestdataDir(c.fixture)).value();
    const int32_t vocab_size = files.config["vocab_size"];
    TempDir legacy;
    if (c.legacy) {
      for (const char* name : {"sentencepiece.bpe.model", "config.json"}) {
        legacy.Write(name, FileBytes(files.directory + "/" + name));
      }
      legacy.Write("tokenizer_config.json", R"({"legacy_behaviour": true})");
      files.directory = legacy.path();
    }
    const TextFamily& family = *FindTextFamily(files).value();
    const auto tokenizers = family.load(files, vocab_size, vocab_size);
    ASSERT_TRUE(tokenizers.ok()) << tokenizers.status();
    const PromptTemplate prompt = family.make_template(
        *tokenizers, {.prefix = "p: ",
                      .source_language = FindLanguage(*tokenizers, c.source),
                      .target_language = FindLanguage(*tokenizers, c.target)});
    EXPECT_EQ(prompt.text_prefix, "p: ");
    EXPECT_EQ(prompt.before, c.before);
    EXPECT_EQ(prompt.after, c.after);
    EXPECT_EQ(prompt.decoder_start, c.decoder_start);
    EXPECT_EQ(prompt.forced_first, c.forced_first);
  }
}

}  // namespace
}  // namespace sheaf
