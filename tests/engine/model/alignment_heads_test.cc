// SPDX-License-Identifier: Apache-2.0

#include "engine/model/alignment_heads.h"

#include <optional>
#include <string>

#include "engine/model/description.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Five layers of four heads.
constexpr absl::string_view kConfig =
    R"({"model_type": "t5", "d_model": 8, "d_kv": 2, "d_ff": 8,
        "num_layers": 5, "num_heads": 4, "vocab_size": 20,
        "decoder_start_token_id": 0})";

absl::StatusOr<AlignmentHeads> Read(std::optional<absl::string_view> alignment,
                                    absl::string_view generation = "{}",
                                    absl::string_view config = kConfig) {
  const TempDir directory;
  directory.Write("config.json", config);
  directory.Write("generation_config.json", generation);
  if (alignment.has_value()) {
    directory.Write("sheaf_alignment.json", *alignment);
  }
  absl::StatusOr<ModelDescription> description =
      ReadDescription(directory.path());
  if (!description.ok()) return description.status();
  return description->architecture.alignment;
}

TEST(AlignmentHeadsTest, AreThoseOfTheFileBesideTheModel) {
  const auto heads = Read(R"({"heads": [[2, 1], [0, 3], [2, 0]], "shift": 0})",
                          R"({"alignment_heads": [[1, 1]]})");
  ASSERT_TRUE(heads.ok()) << heads.status();
  EXPECT_THAT(heads->heads,
              ElementsAre(AlignmentHead{0, 3}, AlignmentHead{2, 0},
                          AlignmentHead{2, 1}));
  EXPECT_EQ(heads->shift, 0);
}

TEST(AlignmentHeadsTest, AreElseThoseOfTheGenerationConfig) {
  const auto heads =
      Read(std::nullopt, R"({"alignment_heads": [[2, 1], [1, 3]]})");
  ASSERT_TRUE(heads.ok()) << heads.status();
  EXPECT_THAT(heads->heads,
              ElementsAre(AlignmentHead{1, 3}, AlignmentHead{2, 1}));
  EXPECT_EQ(heads->shift, 0);
}

TEST(AlignmentHeadsTest, AreElseThoseOfTheLastLayerOfTheLowerHalf) {
  const auto heads = Read(std::nullopt);
  ASSERT_TRUE(heads.ok()) << heads.status();
  EXPECT_THAT(heads->heads,
              ElementsAre(AlignmentHead{1, 0}, AlignmentHead{1, 1},
                          AlignmentHead{1, 2}, AlignmentHead{1, 3}));
  EXPECT_EQ(heads->shift, 1);
}

TEST(AlignmentHeadsTest, OfMarianIsTheOneThatItsTrainingGuides) {
  const auto description = ReadDescription(TestdataDir("marian-opus"));
  ASSERT_TRUE(description.ok()) << description.status();
  const Architecture& architecture = description->architecture;
  EXPECT_THAT(
      architecture.alignment.heads,
      ElementsAre(AlignmentHead{architecture.decoder.num_layers - 1, 0}));
  EXPECT_EQ(architecture.alignment.shift, 0);
}

TEST(AlignmentHeadsTest, OtherFilesAreRefused) {
  for (const auto& [file, message] :
       {std::pair<const char*, const char*>{"[]", "must hold an object"},
        {"{", "sheaf_alignment.json"},
        {R"({"shift": 1})", "heads is missing"},
        {R"({"heads": [[0, 1]]})", "shift is missing"},
        {R"({"heads": [], "shift": 1})", "heads is []"},
        {R"({"heads": [[0, 1]], "shift": 2})",
         "shift is 2; allowed is an integer in 0..1"},
        {R"({"heads": [[5, 0]], "shift": 1})",
         "heads is 5; allowed is an integer in 0..4"},
        {R"({"heads": [[0, 4]], "shift": 1})",
         "heads is 4; allowed is an integer in 0..3"},
        {R"({"heads": [[0, -1]], "shift": 1})", "heads is -1"},
        {R"({"heads": [[0, 1], [0, 1]], "shift": 1})", "heads is [0,1]"},
        {R"({"heads": [[0]], "shift": 1})", "heads is [0]"},
        {R"({"heads": [0], "shift": 1})", "heads is 0"},
        {R"({"heads": [[0, 1]], "shift": 1, "layer": 2})",
         "layer is 2; allowed is no key except heads and shift"}}) {
    const auto heads = Read(file);
    EXPECT_EQ(heads.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(heads.status().message()), HasSubstr(message));
  }
  EXPECT_THAT(std::string(Read(std::nullopt, R"({"alignment_heads": [[9, 0]]})")
                              .status()
                              .message()),
              HasSubstr("generation_config.json: alignment_heads is 9"));
}

}  // namespace
}  // namespace sheaf
