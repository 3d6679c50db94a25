// SPDX-License-Identifier: Apache-2.0

// A whole model that PyTorch saved (torch_files/README.md): the tokens and the
// scores are those of the fixture that its weights come from.

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/engine/model/expected_runs.h"
#include "tests/support/model_files.h"
#include "tests/support/test_model.h"

namespace sheaf {
namespace {

TEST(TorchModelTest, GivesTheFixturesTokensAndScores) {
  const std::string fixture = TestdataDir("f16-weights");
  const TempDir dir;
  dir.Write("config.json", FileBytes(fixture + "/config.json"));
  dir.Write("pytorch_model.bin",
            FileBytes(absl::StrCat(SHEAF_TORCH_FILES_DIR, "/f16-weights.bin")));
  const auto model = TestModel::Load(dir.path(), {});
  EXPECT_TRUE(model->description.warnings.empty());
  ExpectRuns(nlohmann::json::parse(FileBytes(fixture + "/expected.json")),
             *model);
}

// Tensors that share a storage or lie transposed in it have the values of the
// fixture's, which has each in a place of its own.
TEST(TorchModelTest, HasTheFixturesWeights) {
  const TempDir dir;
  dir.Write("pytorch_model.bin",
            FileBytes(absl::StrCat(SHEAF_TORCH_FILES_DIR, "/f16-weights.bin")));
  const auto saved = Checkpoint::Open(dir.path());
  const auto fixture = Checkpoint::Open(TestdataDir("f16-weights"));
  ASSERT_TRUE(saved.ok() && fixture.ok()) << saved.status();
  int num_transposed = 0;
  for (const std::string& name : fixture->Names()) {
    const auto shape = fixture->Shape(name);
    ASSERT_TRUE(saved->Has(name)) << name;
    ASSERT_EQ(*saved->Shape(name), *shape) << name;
    const int64_t rows = shape->size() == 1 ? 1 : shape->front();
    std::vector<float> expected(rows * shape->back());
    std::vector<float> values(expected.size());
    ASSERT_TRUE(
        fixture->ReadRows(name, 0, rows, absl::MakeSpan(expected)).ok());
    ASSERT_TRUE(saved->ReadRows(name, 0, rows, absl::MakeSpan(values)).ok());
    EXPECT_EQ(values, expected) << name;
    num_transposed += !saved->files()[0].Find(name)->strides.empty();
  }
  EXPECT_GT(num_transposed, 0);
  const TensorFile& file = saved->files()[0];
  EXPECT_EQ(file.Find("encoder.embed_tokens.weight")->offset,
            file.Find("shared.weight")->offset);
}

}  // namespace
}  // namespace sheaf
