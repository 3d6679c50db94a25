// SPDX-License-Identifier: Apache-2.0

#include "text/families.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

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

}  // namespace
}  // namespace sheaf
