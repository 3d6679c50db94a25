// SPDX-License-Identifier: Apache-2.0

#include "engine/model/tensor_match.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/model/description.h"
#include "engine/model/tensor_list.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/flat_weights.h"

namespace sheaf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kEncoderTable[] = "encoder.embed_tokens.weight";
constexpr char kDecoderTable[] = "decoder.embed_tokens.weight";

ModelDescription Parse(const std::string& keys,
                       const std::string& type = "t5") {
  absl::StatusOr<ConfigFiles> files = ParseConfigFiles(
      absl::StrCat(R"({"model_type": ")", type,
                   R"(", "vocab_size": 30, "d_model": 4, "d_kv": 2, "d_ff": 6,
                      "num_layers": 2, "num_heads": 2)",
                   keys, "}"),
      std::nullopt, "dir");
  absl::StatusOr<ModelDescription> description =
      DescribeModel(*std::move(files));
  EXPECT_TRUE(description.ok()) << description.status();
  return description.value_or(ModelDescription());
}

struct NamedTensor {
  std::string name;
  std::vector<int64_t> shape;
};

// All tensors except the table, by their best names.
std::vector<NamedTensor> StackTensors(const ModelDescription& description) {
  std::vector<NamedTensor> tensors;
  const Architecture& architecture = description.architecture;
  for (const TensorSpec& spec : ListTensors(architecture)) {
    if (spec.place.slot == Slot::kEmbedding) continue;
    std::vector<int64_t> shape = {spec.rows};
    if (spec.columns > 0) shape.push_back(spec.columns);
    tensors.push_back(
        {description.family->names(architecture, spec.place).front(), shape});
  }
  return tensors;
}

std::string TableOf(const ModelDescription& description) {
  return description.tensors.at({Slot::kEmbedding});
}

// The name of the head, which may be the table.
std::string HeadOf(const ModelDescription& description) {
  return description.architecture.is_tied
             ? TableOf(description)
             : description.tensors.at({Slot::kHead});
}

// The behaviour of transformers 5.24 for each combination: model_type,
// tie_word_embeddings, scale_decoder_outputs, lm_head.weight, and then the head
// that it takes and whether it scales, found by comparing its logits with the
// products of its decoder's output and each of the two tensors. It refuses null
// as tie_word_embeddings of mT5.
constexpr char kReference[] = R"(
t5 - - absent shared scaled
t5 - null absent shared unscaled
t5 - true absent shared scaled
t5 - false absent shared unscaled
t5 - - equal shared scaled
t5 - null equal shared unscaled
t5 - true equal shared scaled
t5 - false equal shared unscaled
t5 - - different lm_head scaled
t5 - null different lm_head unscaled
t5 - true different lm_head scaled
t5 - false different lm_head unscaled
t5 null - absent shared scaled
t5 null null absent shared unscaled
t5 null true absent shared scaled
t5 null false absent shared unscaled
t5 null - equal shared scaled
t5 null null equal shared unscaled
t5 null true equal shared scaled
t5 null false equal shared unscaled
t5 null - different lm_head scaled
t5 null null different lm_head unscaled
t5 null true different lm_head scaled
t5 null false different lm_head unscaled
t5 true - absent shared scaled
t5 true null absent shared unscaled
t5 true true absent shared scaled
t5 true false absent shared unscaled
t5 true - equal shared scaled
t5 true null equal shared unscaled
t5 true true equal shared scaled
t5 true false equal shared unscaled
t5 true - different lm_head scaled
t5 true null different lm_head unscaled
t5 true true different lm_head scaled
t5 true false different lm_head unscaled
t5 false - absent shared unscaled
t5 false null absent shared unscaled
t5 false true absent shared scaled
t5 false false absent shared unscaled
t5 false - equal shared unscaled
t5 false null equal shared unscaled
t5 false true equal shared scaled
t5 false false equal shared unscaled
t5 false - different lm_head unscaled
t5 false null different lm_head unscaled
t5 false true different lm_head scaled
t5 false false different lm_head unscaled
mt5 - - absent shared unscaled
mt5 - null absent shared unscaled
mt5 - true absent shared unscaled
mt5 - false absent shared unscaled
mt5 - - equal shared unscaled
mt5 - null equal shared unscaled
mt5 - true equal shared unscaled
mt5 - false equal shared unscaled
mt5 - - different lm_head unscaled
mt5 - null different lm_head unscaled
mt5 - true different lm_head unscaled
mt5 - false different lm_head unscaled
mt5 true - absent shared unscaled
mt5 true null absent shared unscaled
mt5 true true absent shared unscaled
mt5 true false absent shared unscaled
mt5 true - equal shared unscaled
mt5 true null equal shared unscaled
mt5 true true equal shared unscaled
mt5 true false equal shared unscaled
mt5 true - different lm_head unscaled
mt5 true null different lm_head unscaled
mt5 true true different lm_head unscaled
mt5 true false different lm_head unscaled
mt5 false - absent shared unscaled
mt5 false null absent shared unscaled
mt5 false true absent shared unscaled
mt5 false false absent shared unscaled
mt5 false - equal shared unscaled
mt5 false null equal shared unscaled
mt5 false true equal shared unscaled
mt5 false false equal shared unscaled
mt5 false - different lm_head unscaled
mt5 false null different lm_head unscaled
mt5 false true different lm_head unscaled
mt5 false false different lm_head unscaled)";

TEST(TensorMatchTest, HeadAndScaleAreTheReferencesForEveryCombination) {
  int num_rows = 0;
  for (absl::string_view row :
       absl::StrSplit(kReference, '\n', absl::SkipEmpty())) {
    ++num_rows;
    const std::vector<std::string> fields = absl::StrSplit(row, ' ');
    ASSERT_EQ(fields.size(), 6u) << row;
    std::string keys;
    if (fields[1] != "-") {
      absl::StrAppend(&keys, R"(, "tie_word_embeddings": )", fields[1]);
    }
    if (fields[2] != "-") {
      absl::StrAppend(&keys, R"(, "scale_decoder_outputs": )", fields[2]);
    }
    ModelDescription description = Parse(keys, fields[0]);
    FlatWeights weights(description);
    if (fields[3] == "equal") weights.AddTable("lm_head.weight", 1);
    if (fields[3] == "different") weights.AddTable("lm_head.weight", 2);
    ASSERT_EQ(MatchTensors(weights, description), absl::OkStatus()) << row;
    EXPECT_EQ(TableOf(description), "shared.weight") << row;
    EXPECT_EQ(HeadOf(description), fields[4] + ".weight") << row;
    EXPECT_EQ(description.architecture.logit_scale != 1, fields[5] == "scaled")
        << row;
  }
  EXPECT_EQ(num_rows, 84);
}

TEST(TensorMatchTest, AHeadThatVersionsOfTheReferenceReadDifferentlyWarns) {
  for (const auto& [keys, warns] :
       {std::pair{"", true},
        std::pair{R"(, "tie_word_embeddings": true)", true},
        std::pair{R"(, "tie_word_embeddings": false)", false},
        std::pair{R"(, "tie_word_embeddings": true,
                        "scale_decoder_outputs": false)",
                  false}}) {
    ModelDescription description = Parse(keys);
    FlatWeights weights(description);
    weights.AddTable("lm_head.weight", 2);
    ASSERT_EQ(MatchTensors(weights, description), absl::OkStatus());
    if (warns) {
      EXPECT_THAT(description.warnings,
                  ElementsAre(HasSubstr("lm_head.weight")));
    } else {
      EXPECT_THAT(description.warnings, IsEmpty()) << keys;
    }
  }
}

TEST(TensorMatchTest, ACopyMustEqualTheTableToTheLastRow) {
  constexpr int64_t kVocab = 300'000;  // read in several pieces
  class LastRowDiffers : public FlatWeights {
   public:
    using FlatWeights::FlatWeights;
    absl::Status ReadRows(absl::string_view name, int64_t first_row,
                          int64_t num_rows,
                          absl::Span<float> out) const override {
      absl::Status status =
          FlatWeights::ReadRows(name, first_row, num_rows, out);
      if (name == "lm_head.weight" && first_row + num_rows == kVocab) {
        out.back() = 2;
      }
      return status;
    }
  };
  ModelDescription description = Parse("");
  description.architecture.vocab_size = kVocab;
  LastRowDiffers weights(description);
  weights.AddTable("lm_head.weight", 1);
  ASSERT_EQ(MatchTensors(weights, description), absl::OkStatus());
  EXPECT_EQ(HeadOf(description), "lm_head.weight");
}

// As MADLAD-400 is published, and what a shard index may leave of three names.
TEST(TensorMatchTest, TheTableMayHaveTheNameOfACopy) {
  for (const std::vector<std::string>& names :
       std::vector<std::vector<std::string>>{
           {"shared.weight"},
           {kEncoderTable},
           {kDecoderTable},
           {kEncoderTable, kDecoderTable},
           {"shared.weight", kEncoderTable, kDecoderTable}}) {
    ModelDescription description = Parse("");
    FlatWeights weights(description);
    weights.Remove("shared.weight");
    for (const std::string& name : names) weights.AddTable(name, 7);
    ASSERT_EQ(MatchTensors(weights, description), absl::OkStatus());
    EXPECT_EQ(TableOf(description), names.front());
    EXPECT_EQ(HeadOf(description), names.front());
    EXPECT_THAT(description.warnings, IsEmpty());
  }
}

// transformers 5 gives the stack a table of its own, 4.57 does not.
TEST(TensorMatchTest, ATableOfOneStackAloneIsRefused) {
  for (const std::string name : {kEncoderTable, kDecoderTable}) {
    ModelDescription description = Parse("");
    FlatWeights weights(description);
    weights.AddTable(name, 2);
    EXPECT_THAT(MatchTensors(weights, description).message(),
                AllOf(HasSubstr(name), HasSubstr("differs from \"shared")));
  }
  ModelDescription description = Parse("");
  FlatWeights weights(description);
  weights.Remove("shared.weight");
  weights.AddTable(kEncoderTable, 1);
  weights.AddTable(kDecoderTable, 2);
  EXPECT_THAT(MatchTensors(weights, description).message(),
              HasSubstr("differs from \"encoder"));
}

TEST(TensorMatchTest, AMissingTensorIsNotFoundByName) {
  for (const NamedTensor& tensor : StackTensors(Parse(""))) {
    ModelDescription description = Parse("");
    FlatWeights weights(description);
    weights.Remove(tensor.name);
    const absl::Status status = MatchTensors(weights, description);
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(status.message(), HasSubstr(tensor.name));
  }
  ModelDescription description = Parse("");
  FlatWeights weights(description);
  weights.Remove("shared.weight");
  weights.AddTable("lm_head.weight", 1);
  EXPECT_THAT(MatchTensors(weights, description).message(),
              HasSubstr("shared.weight"));
}

TEST(TensorMatchTest, AnotherShapeIsRefusedByName) {
  for (NamedTensor& tensor : StackTensors(Parse(""))) {
    ModelDescription description = Parse("");
    FlatWeights weights(description);
    ++tensor.shape.back();
    weights.Add(tensor.name, tensor.shape);
    EXPECT_THAT(MatchTensors(weights, description).message(),
                AllOf(HasSubstr(tensor.name), HasSubstr("config.json asks")));
  }
}

// Each would serve another model than the one that was saved.
TEST(TensorMatchTest, TensorsThatChangeTheModelAreRefusedByName) {
  for (const std::string name :
       {"encoder.block.0.layer.0.SelfAttention.q.bias",
        "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight",
        "encoder.block.2.layer.0.SelfAttention.q.weight",
        "decoder.block.2.layer.0.layer_norm.weight",
        "decoder.block.1.layer.1.EncDecAttention.k.lora_A.weight",
        "decoder.block.0.layer.2.DenseReluDense.wo.SCB",
        "decoder.block.0.layer.2.DenseReluDense.wo.weight_scale",
        "encoder.block.0.layer.1.DenseReluDense.wi_0.weight",
        "encoder.final_layer_norm.bias", "lm_head.bias", "shared.weight_scale",
        "decoder.block.0.layer.3.adapter.down.weight"}) {
    ModelDescription description = Parse("");
    FlatWeights weights(description);
    weights.Add(name, {1});
    const absl::Status status = MatchTensors(weights, description);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("\"", name, "\"")));
  }
}

TEST(TensorMatchTest, WhatOldCheckpointsHoldUnusedIsSilent) {
  ModelDescription description = Parse("");
  FlatWeights weights(description);
  weights.Add(
      "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",
      {32, 2});
  ASSERT_EQ(MatchTensors(weights, description), absl::OkStatus());
  EXPECT_THAT(description.warnings, IsEmpty());
}

TEST(TensorMatchTest, TensorsBesideTheModelWarnByName) {
  ModelDescription description = Parse("");
  FlatWeights weights(description);
  weights.Add("classification_head.dense.weight", {4, 4});
  weights.Add("qa_outputs.bias", {2});
  ASSERT_EQ(MatchTensors(weights, description), absl::OkStatus());
  EXPECT_THAT(description.warnings,
              ElementsAre(AllOf(HasSubstr("2 tensors"),
                                HasSubstr("classification_head"),
                                HasSubstr("qa_outputs"))));
}

TEST(TensorMatchTest, APrefixOfAllNamesIsNamed) {
  ModelDescription description = Parse("");
  class Prefixed : public FlatWeights {
   public:
    using FlatWeights::FlatWeights;
    std::vector<std::string> Names() const override {
      std::vector<std::string> names = FlatWeights::Names();
      for (std::string& name : names) name = "module." + name;
      return names;
    }
    bool Has(absl::string_view name) const override {
      return absl::StartsWith(name, "module.");
    }
  };
  EXPECT_THAT(MatchTensors(Prefixed(description), description).message(),
              HasSubstr("begin with \"module.\""));
}

}  // namespace
}  // namespace sheaf
