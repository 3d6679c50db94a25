// SPDX-License-Identifier: Apache-2.0

// Checkpoints as transformers saves them: each fixture, loaded and saved by
// versions 4.57 and 5.24, whole and in shards
// (saved_by_transformers/README.md). The files are made again here from the
// fixture's own weights.

#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "engine/model/checkpoint.h"
#include "engine/model/description.h"
#include "engine/model/position_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/engine/model/expected_runs.h"
#include "tests/support/model_files.h"
#include "tests/support/test_model.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr char kWhole[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";

json ReadJson(const std::string& path) { return json::parse(FileBytes(path)); }

struct StoredTensor {
  std::string dtype;
  std::vector<int64_t> shape;
  std::string bytes;
};

// Whether it is a weight or bias of the decoder's key or value products.
bool IsDecoderKeyOrValue(absl::string_view name) {
  if (!absl::StrContains(name, "decoder.")) return false;
  for (const absl::string_view part :
       {".k.weight", ".v.weight", ".k_proj.", ".v_proj."}) {
    if (absl::StrContains(name, part)) return true;
  }
  return false;
}

bool IsGroupedInTheReference(const Architecture& architecture) {
  return absl::StartsWith(architecture.family, "t5gemma");
}

// A tensor of the fixture in its own dtype, or widened to F32: the reference
// keeps some tensors of a model in F16 so. A decoder's keys and values are
// repeated so that each query head has its own, where the reference knows no
// others. Computed positions are what the fixture need not have.
StoredTensor Load(const Checkpoint& checkpoint,
                  const Architecture& architecture, const std::string& name,
                  const std::string& dtype) {
  for (const TensorFile& file : checkpoint.files()) {
    const TensorInfo* info = file.Find(name);
    if (info == nullptr) continue;
    StoredTensor tensor = {dtype, info->shape, ""};
    if (dtype == DtypeName(info->dtype)) {
      const absl::Status read =
          file.ReadBytes(*info, [&](absl::Span<const uint8_t> bytes) {
            tensor.bytes.append(bytes.begin(), bytes.end());
          });
      EXPECT_TRUE(read.ok()) << read;
    } else {
      EXPECT_EQ(dtype, "F32") << name;
      std::vector<float> values(info->num_elements);
      EXPECT_TRUE(file.ReadAsFloat(*info, 0, absl::MakeSpan(values)).ok());
      tensor.bytes = BytesOf(values);
    }
    if (IsDecoderKeyOrValue(name) && !IsGroupedInTheReference(architecture)) {
      const int32_t kv_heads = absl::StrContains(name, "EncDecAttention") ||
                                       absl::StrContains(name, "encoder_attn")
                                   ? architecture.num_cross_kv_heads
                                   : architecture.decoder.num_kv_heads;
      const size_t head_bytes = tensor.bytes.size() / kv_heads;
      std::string repeated;
      for (int32_t head = 0; head < architecture.decoder.num_heads; ++head) {
        const int32_t kv_head =
            head / (architecture.decoder.num_heads / kv_heads);
        repeated += tensor.bytes.substr(kv_head * head_bytes, head_bytes);
      }
      tensor.bytes = repeated;
      tensor.shape.front() = architecture.decoder.q_columns();
    }
    return tensor;
  }
  EXPECT_TRUE(architecture.positions.is_computed() &&
              absl::EndsWith(name, ".embed_positions.weight"))
      << "no tensor " << name;
  const int32_t num_positions = *architecture.trained_source_tokens;
  const int32_t d_model = architecture.encoder.d_model;
  return {"F32",
          {num_positions, d_model},
          BytesOf(ComputePositions(architecture.positions, num_positions,
                                   d_model))};
}

std::string FileOf(const std::map<std::string, StoredTensor>& tensors) {
  json header = {{"__metadata__", {{"format", "pt"}}}};
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const size_t begin = data.size();
    data += tensor.bytes;
    header[name] = {{"dtype", tensor.dtype},
                    {"shape", tensor.shape},
                    {"data_offsets", {begin, data.size()}}};
  }
  return SafetensorsBytes(header.dump(), data);
}

using Tensors = std::map<std::string, StoredTensor>;

class Saved {
 public:
  Saved(const std::string& version, const std::string& fixture)
      : fixture_(fixture) {
    saved_ = ReadJson(
        absl::StrCat(SHEAF_SAVED_DIR, "/", version, "/", fixture, ".json"));
    const auto checkpoint = Checkpoint::Open(TestdataDir(fixture));
    const auto description = ReadDescription(TestdataDir(fixture));
    EXPECT_TRUE(checkpoint.ok() && description.ok());
    for (const auto& [name, shard] : saved_["index"]["weight_map"].items()) {
      tensors_[name] = Load(*checkpoint, description->architecture, name,
                            saved_["dtypes"].value(name, saved_["dtype"]));
    }
  }

  json& config() { return saved_["config"]; }
  json& weight_map() { return saved_["index"]["weight_map"]; }
  Tensors& tensors() { return tensors_; }

  void ExpectTheFixturesRuns(bool is_sharded) {
    TempDir dir;
    dir.Write("config.json", config().dump());
    dir.Write("generation_config.json", saved_["generation_config"].dump());
    std::map<std::string, Tensors> files;
    for (const auto& [name, tensor] : tensors_) {
      files[is_sharded ? weight_map()[name].get<std::string>() : kWhole][name] =
          tensor;
    }
    for (const auto& [name, tensors] : files) dir.Write(name, FileOf(tensors));
    if (is_sharded) {
      EXPECT_GT(files.size(), 1u);
      dir.Write(kIndex, saved_["index"].dump());
    }
    const auto description = ReadDescription(dir.path());
    ASSERT_TRUE(description.ok()) << description.status();
    EXPECT_THAT(description->warnings, ::testing::IsEmpty());
    const auto model = TestModel::Load(dir.path(), {});
    EXPECT_THAT(model->description.warnings, ::testing::IsEmpty());
    ExpectRuns(ReadJson(TestdataDir(fixture_) + "/expected.json"), *model);
  }

 private:
  const std::string fixture_;
  json saved_;
  Tensors tensors_;
};

using VersionAndFixture = std::tuple<std::string, std::string>;

// Each version with each fixture. T5Gemma 2 is younger than version 4, which
// does not load tables of different sizes either.
std::vector<VersionAndFixture> AllSaved() {
  std::vector<VersionAndFixture> all;
  for (const std::string version : {"4.57.6", "5.24.0"}) {
    for (const std::string& fixture : TestdataModels()) {
      if (version == "4.57.6" && (absl::StartsWith(fixture, "t5gemma2") ||
                                  fixture == "marian-own-head")) {
        continue;
      }
      all.emplace_back(version, fixture);
    }
  }
  return all;
}

class SavedTest : public ::testing::TestWithParam<VersionAndFixture> {};

INSTANTIATE_TEST_SUITE_P(All, SavedTest, ::testing::ValuesIn(AllSaved()),
                         [](const auto& info) {
                           std::string name =
                               absl::StrCat("v", std::get<0>(info.param), "_",
                                            std::get<1>(info.param));
                           for (char& c : name) {
                             if (c == '-' || c == '.') c = '_';
                           }
                           return name;
                         });

TEST_P(SavedTest, AWholeCheckpointGivesTheFixturesTokensAndScores) {
  Saved(std::get<0>(GetParam()), std::get<1>(GetParam()))
      .ExpectTheFixturesRuns(/*is_sharded=*/false);
}

TEST_P(SavedTest, AShardedCheckpointGivesTheFixturesTokensAndScores) {
  Saved(std::get<0>(GetParam()), std::get<1>(GetParam()))
      .ExpectTheFixturesRuns(/*is_sharded=*/true);
}

TEST(SavedVariantTest, AnIndexMayListCopiesThatWereDropped) {
  for (const std::string version : {"4.57.6", "5.24.0"}) {
    Saved saved(version, "gqa-tied-bf16-asym");
    const json shard = saved.weight_map()["shared.weight"];
    for (const char* copy : {"encoder.embed_tokens.weight",
                             "decoder.embed_tokens.weight", "lm_head.weight"}) {
      saved.weight_map()[copy] = shard;
    }
    saved.ExpectTheFixturesRuns(/*is_sharded=*/true);
  }
}

// As MADLAD-400 is published.
TEST(SavedVariantTest, TheTableMayHaveTheNameOfACopy) {
  for (const std::string fixture : {"t5v11-gated-untied", "t5v10-relu-tied"}) {
    for (const char* copy :
         {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}) {
      Saved saved("5.24.0", fixture);
      saved.tensors()[copy] = saved.tensors()["shared.weight"];
      saved.tensors().erase("shared.weight");
      saved.ExpectTheFixturesRuns(/*is_sharded=*/false);
    }
  }
}

TEST(SavedVariantTest, ACopyAsHeadIsTheTable) {
  Saved saved("5.24.0", "t5v10-relu-tied");
  saved.tensors()["lm_head.weight"] = saved.tensors()["shared.weight"];
  saved.ExpectTheFixturesRuns(/*is_sharded=*/false);
}

// As facebook/bart-base is published: the model without its head, whose tensors
// then have no prefix. The logits get no biases.
TEST(SavedVariantTest, TheModelMayBeSavedWithoutItsHead) {
  for (const std::string fixture : {"m2m100", "nllb", "t5gemma", "t5gemma2"}) {
    SCOPED_TRACE(fixture);
    Saved saved("5.24.0", fixture);
    Tensors renamed;
    for (const auto& [name, tensor] : saved.tensors()) {
      if (absl::StartsWith(name, "lm_head.")) continue;
      ASSERT_TRUE(absl::StartsWith(name, "model."));
      renamed[name.substr(std::string("model.").size())] = tensor;
    }
    saved.tensors() = std::move(renamed);
    saved.ExpectTheFixturesRuns(/*is_sharded=*/false);
  }
}

// As transformers 5.24.0 saves a T5Gemma 2 that was made from its config.
TEST(SavedVariantTest, TheEncoderOfT5Gemma2MayHaveNoModuleForText) {
  for (const std::string fixture : {"t5gemma2", "t5gemma2-gqa-bf16"}) {
    SCOPED_TRACE(fixture);
    Saved saved("5.24.0", fixture);
    Tensors renamed;
    for (const auto& [name, tensor] : saved.tensors()) {
      renamed[absl::StrReplaceAll(name, {{"text_model.", ""}})] = tensor;
    }
    ASSERT_EQ(renamed.count("model.encoder.embed_tokens.weight"), 1);
    saved.tensors() = std::move(renamed);
    saved.ExpectTheFixturesRuns(/*is_sharded=*/false);
  }
}

}  // namespace
}  // namespace sheaf
