// SPDX-License-Identifier: Apache-2.0

// Conversion to fewer KV heads: against the fixtures' golden tensors
// (testdata/README.md), and svd against the dense definition.

#include "train/convert/convert.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include "Eigen/SVD"
#include "engine/model/checkpoint.h"
#include "engine/model/safetensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_files.h"
#include "tests/support/test_model.h"
#include "train/common/safetensors_writer.h"
#include "train/convert/calibration.h"
#include "train/convert/grouping.h"
#include "train/convert/stored_tensor.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;

// The methods that are possible for a fixture.
std::vector<GroupingMethod> MethodsFor(const std::string& model) {
  std::vector<GroupingMethod> methods = {
      GroupingMethod::kMean, GroupingMethod::kFirst, GroupingMethod::kRandom};
  const ModelDescription description =
      ReadDescription(TestdataDir(model)).value();
  if (description.architecture.positions.kind != PositionKind::kRotary) {
    methods.push_back(GroupingMethod::kSvd);
  }
  return methods;
}

absl::StatusOr<std::vector<ConvertedAttention>> Convert(
    const std::string& input, const std::string& output, int32_t kv_heads,
    GroupingMethod method) {
  ConvertOptions options;
  options.input = input;
  options.output = output;
  options.num_kv_heads = options.num_cross_kv_heads = kv_heads;
  options.method = method;
  const absl::StatusOr<ModelDescription> description = ReadDescription(input);
  if (!description.ok()) return description.status();
  absl::Status status = CheckConvertible(*description, options);
  if (!status.ok()) return status;
  std::vector<ConvertedAttention> attentions;
  status = ConvertModel(
      *description, options,
      [&](const ConvertedAttention& each) { attentions.push_back(each); });
  if (!status.ok()) return status;
  return attentions;
}

std::vector<float> Read(const Checkpoint& checkpoint, const std::string& name) {
  const std::vector<int64_t> shape = checkpoint.Shape(name).value();
  int64_t size = 1;
  for (const int64_t n : shape) size *= n;
  std::vector<float> values(size);
  EXPECT_TRUE(checkpoint
                  .ReadRows(name, 0, shape.size() == 1 ? 1 : shape[0],
                            absl::MakeSpan(values))
                  .ok());
  return values;
}

using Golden = std::tuple<std::string, std::string>;  // model, method
class GoldenTest : public ::testing::TestWithParam<Golden> {};
INSTANTIATE_TEST_SUITE_P(
    All, GoldenTest,
    ::testing::Combine(::testing::Values("t5v11-gated-untied", "marian-opus",
                                         "bart-cnn"),
                       ::testing::Values("mean", "first")));

TEST_P(GoldenTest, GroupedTensorsAreTheReferences) {
  const auto& [model, method] = GetParam();
  const std::string input = TestdataDir(model);
  const absl::StatusOr<TensorFile> golden =
      OpenSafetensors(input + "/gqa_conversion.safetensors");
  ASSERT_TRUE(golden.ok()) << golden.status();
  int num_compared = 0;
  for (const int32_t kv_heads : {1, 2, 4}) {
    const std::string prefix = method + ".G" + std::to_string(kv_heads) + ".";
    TempDir dir;
    const std::string output = dir.PathOf("out");
    if (ReadDescription(input)->architecture.decoder.num_heads % kv_heads) {
      continue;
    }
    ASSERT_TRUE(
        Convert(input, output, kv_heads, *kGroupingMethods.Parse(method)).ok());
    const absl::StatusOr<Checkpoint> converted = Checkpoint::Open(output);
    ASSERT_TRUE(converted.ok()) << converted.status();
    for (const TensorInfo& info : golden->tensors()) {
      const std::string name =
          info.name.substr(std::min(info.name.size(), prefix.size()));
      if (info.name.rfind(prefix, 0) != 0 || name.rfind("input", 0) == 0) {
        continue;
      }
      SCOPED_TRACE(info.name);
      std::vector<float> expected(info.num_elements);
      ASSERT_TRUE(golden->ReadAsFloat(info, 0, absl::MakeSpan(expected)).ok());
      EXPECT_THAT(Read(*converted, name),
                  ::testing::Pointwise(::testing::FloatEq(), expected));
      ++num_compared;
    }
  }
  EXPECT_GE(num_compared, 16);
}

// As transformers 5 saves T5 1.1: the head is not the table although
// tie_word_embeddings is true.
TEST(ConvertTest, AConvertedCheckpointHasTheHeadAndScaleThatItHadBefore) {
  TempDir dir;
  const std::string input = dir.PathOf("in"), output = dir.PathOf("out");
  std::filesystem::copy(TestdataDir("t5v11-gated-untied"), input);
  nlohmann::json keys =
      nlohmann::json::parse(FileBytes(input + "/config.json"));
  keys["tie_word_embeddings"] = true;
  keys["scale_decoder_outputs"] = false;
  dir.Write("in/config.json", keys.dump());
  ASSERT_TRUE(Convert(input, output, 2, GroupingMethod::kMean).ok());
  ModelDescription description = ReadDescription(output).value();
  EXPECT_EQ(description.architecture.decoder.num_kv_heads, 2);
  EXPECT_EQ(description.architecture.logit_scale, 1);
  const Checkpoint checkpoint = Checkpoint::Open(output).value();
  ASSERT_EQ(MatchTensors(checkpoint, description), absl::OkStatus());
  EXPECT_FALSE(description.architecture.is_tied);
  EXPECT_EQ(Read(checkpoint, "lm_head.weight"),
            Read(Checkpoint::Open(input).value(), "lm_head.weight"));
}

// The result has no further names of the table, but all else that the file has.
TEST(ConvertTest, PyTorchsFilesAreConvertedLikeSafetensors) {
  const std::string fixture = TestdataDir("f16-weights");
  for (const int32_t kv_heads : {4, 2}) {
    TempDir dir;
    std::filesystem::create_directory(dir.PathOf("in"));
    dir.Write("in/config.json", FileBytes(fixture + "/config.json"));
    dir.Write(
        "in/pytorch_model.bin",
        FileBytes(absl::StrCat(SHEAF_TORCH_FILES_DIR, "/f16-weights.bin")));
    ASSERT_TRUE(
        Convert(fixture, dir.PathOf("expected"), kv_heads, GroupingMethod::kSvd)
            .ok());
    const auto attentions = Convert(dir.PathOf("in"), dir.PathOf("out"),
                                    kv_heads, GroupingMethod::kSvd);
    ASSERT_TRUE(attentions.ok()) << attentions.status();
    const Checkpoint expected =
        Checkpoint::Open(dir.PathOf("expected")).value();
    const Checkpoint converted = Checkpoint::Open(dir.PathOf("out")).value();
    std::vector<std::string> names = expected.Names();
    for (const std::string& name : names) {
      EXPECT_EQ(Read(converted, name), Read(expected, name)) << name;
      EXPECT_EQ(converted.files()[0].Find(name)->dtype,
                expected.files()[0].Find(name)->dtype);
    }
    names.push_back(
        "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias."
        "weight");
    EXPECT_THAT(converted.Names(), ::testing::UnorderedElementsAreArray(names));
    EXPECT_FALSE(std::filesystem::exists(dir.PathOf("out/pytorch_model.bin")));
  }
}

TEST(ConvertTest, ACheckpointOfAnotherModelIsRefused) {
  TempDir dir;
  const std::string input = dir.PathOf("in"), output = dir.PathOf("out");
  std::filesystem::copy(TestdataDir("t5v11-gated-untied"), input);
  nlohmann::json keys =
      nlohmann::json::parse(FileBytes(input + "/config.json"));
  keys["num_layers"] = 1;
  keys["num_decoder_layers"] = 2;
  dir.Write("in/config.json", keys.dump());
  EXPECT_THAT(
      Convert(input, output, 2, GroupingMethod::kMean).status().message(),
      HasSubstr("encoder.block.1"));
  EXPECT_FALSE(std::filesystem::exists(output));
}

TEST(ConvertTest, AtAsManyHeadsAsThereAreEveryMethodKeepsEveryBit) {
  for (const std::string& model : TestdataModels()) {
    const std::string input = TestdataDir(model);
    const Architecture architecture = ReadDescription(input)->architecture;
    const int32_t kv_heads = architecture.decoder.num_kv_heads;
    if (architecture.num_cross_kv_heads != kv_heads) continue;
    for (const GroupingMethod method : MethodsFor(model)) {
      TempDir dir;
      const std::string output = dir.PathOf("out");
      const auto attentions = Convert(input, output, kv_heads, method);
      ASSERT_TRUE(attentions.ok()) << attentions.status();
      const Checkpoint before = Checkpoint::Open(input).value();
      const Checkpoint after = Checkpoint::Open(output).value();
      for (const TensorFile& file : before.files()) {
        for (const TensorInfo& info : file.tensors()) {
          EXPECT_EQ(Read(before, info.name), Read(after, info.name))
              << model << ' ' << info.name;
          EXPECT_EQ(after.files()[0].Find(info.name)->dtype, info.dtype);
        }
      }
    }
  }
}

TEST(ConvertTest, WithFewerHeadsSvdIsBetterThanMean) {
  for (const std::string& model : TestdataModels()) {
    if (MethodsFor(model).back() != GroupingMethod::kSvd) continue;
    const std::string input = TestdataDir(model);
    const int32_t now =
        ReadDescription(input)->architecture.decoder.num_kv_heads;
    for (int32_t kv_heads = 1; kv_heads < now; ++kv_heads) {
      if (now % kv_heads != 0) continue;
      TempDir dir;
      const auto mean =
          Convert(input, dir.PathOf("mean"), kv_heads, GroupingMethod::kMean);
      const auto svd =
          Convert(input, dir.PathOf("svd"), kv_heads, GroupingMethod::kSvd);
      ASSERT_TRUE(mean.ok() && svd.ok()) << model;
      ASSERT_FALSE(svd->empty());
      for (size_t i = 0; i < svd->size(); ++i) {
        EXPECT_LT((*svd)[i].key_error, (*mean)[i].key_error) << model;
        EXPECT_LT((*svd)[i].value_error, (*mean)[i].value_error) << model;
        EXPECT_GT((*svd)[i].saved_weight_bytes, 0);
      }
    }
  }
}

// Writes marian-opus with the heads of a KV group equal except for a change of
// basis, and with biases of any kind.
void WriteModelWithRedundantHeads(const std::string& output, int32_t kv_heads) {
  const std::string input = TestdataDir("marian-opus");
  std::filesystem::copy(input, output);
  const Checkpoint checkpoint = Checkpoint::Open(input).value();
  std::vector<TensorToWrite> tensors;
  std::vector<Matrix> values;
  srand(11);
  for (const StoredTensor& stored : TensorsOf(checkpoint)) {
    const TensorInfo& info = *stored.info;
    Matrix matrix = ReadMatrix(checkpoint, info.name).value();
    const bool is_grouped = info.name.find("model.decoder.") == 0 &&
                            (info.name.find(".k_proj.") != info.name.npos ||
                             info.name.find(".v_proj.") != info.name.npos);
    if (is_grouped && matrix.cols() > 1) {
      constexpr int kHeads = 4, kDim = 12;
      for (int head = 0; head < kHeads; ++head) {
        const int first = head / (kHeads / kv_heads) * (kHeads / kv_heads);
        if (head == first) continue;
        matrix.middleRows(head * kDim, kDim) =
            (Matrix::Identity(kDim, kDim) + 0.3 * Matrix::Random(kDim, kDim)) *
            matrix.middleRows(first * kDim, kDim);
      }
    } else if (is_grouped) {
      matrix.setRandom();
    }
    tensors.push_back({info.name, "F32", info.shape,
                       static_cast<uint64_t>(matrix.size()) * 4});
    values.push_back(std::move(matrix));
  }
  SafetensorsWriter writer(output + "/model.safetensors", tensors);
  for (const Matrix& matrix : values) {
    const std::vector<uint8_t> bytes =
        ToStored(matrix, Dtype::kF32, "a tensor").value();
    writer.Append(bytes.data(), bytes.size());
  }
  ASSERT_TRUE(writer.Finish().ok());
}

// The logits after the start token for a short source.
std::vector<float> FirstLogits(const std::string& directory) {
  const auto model = TestModel::Load(directory, {});
  const std::vector<int32_t> source = {5, 170, 40, 99, 0};
  KvBlockPool pool(model->storage->shape());
  BlockTable cross(pool, Attention::kCross), self(pool, Attention::kSelf);
  EXPECT_TRUE(cross.GrowTo(5) && self.GrowTo(3));
  const EncodeEntry encode = {source, cross.ids()};
  model->runner->BeginEncode(EncodePass::kMain, {&encode, 1});
  while (!model->runner->AdvanceEncode(EncodePass::kMain, 100)) {
  }
  const std::vector<int32_t> tokens = {model->architecture().tokens.start_id, 7,
                                       31};
  std::vector<float> logits(model->architecture().vocab_size);
  const DecodeEntry decode = {tokens, 0, self.ids(), cross.ids(), 5};
  model->runner->Decode({&decode, 1}, absl::MakeSpan(logits));
  return logits;
}

TEST(ConvertTest, SvdKeepsTheLogitsOfAModelWithBiasesAndRedundantHeads) {
  for (const int32_t kv_heads : {1, 2}) {
    TempDir dir;
    const std::string input = dir.PathOf("in");
    WriteModelWithRedundantHeads(input, kv_heads);
    const auto attentions =
        Convert(input, dir.PathOf("svd"), kv_heads, GroupingMethod::kSvd);
    ASSERT_TRUE(attentions.ok()) << attentions.status();
    for (const ConvertedAttention& each : *attentions) {
      EXPECT_LT(each.key_error, 1e-5);
      EXPECT_LT(each.value_error, 1e-5);
    }
    const std::vector<float> expected = FirstLogits(input);
    EXPECT_THAT(FirstLogits(dir.PathOf("svd")),
                ::testing::Pointwise(::testing::FloatNear(1e-3), expected));
    ASSERT_TRUE(
        Convert(input, dir.PathOf("mean"), kv_heads, GroupingMethod::kMean)
            .ok());
    EXPECT_THAT(FirstLogits(dir.PathOf("mean")),
                ::testing::Not(::testing::Pointwise(::testing::FloatNear(1e-2),
                                                    expected)));
  }
}

TEST(ConvertTest, WhatIsWrittenLoadsWithTheNewNumberOfHeads) {
  TempDir dir;
  const std::string output = dir.PathOf("out");
  ASSERT_TRUE(
      Convert(TestdataDir("text-end-to-end"), output, 1, GroupingMethod::kSvd)
          .ok());
  const auto model = TestModel::Load(output, {});
  EXPECT_EQ(model->architecture().decoder.num_kv_heads, 1);
  EXPECT_EQ(model->architecture().num_cross_kv_heads, 1);
  EXPECT_EQ(FileBytes(output + "/spiece.model"),
            FileBytes(TestdataDir("text-end-to-end") + "/spiece.model"));
  EXPECT_TRUE(std::filesystem::exists(output + "/generation_config.json"));
  EXPECT_FALSE(std::filesystem::exists(output + ".partial"));
}

// Its number of KV heads is in the object of the decoder.
TEST(ConvertTest, AT5GemmaLoadsWithTheNewNumberOfHeads) {
  for (const char* fixture : {"t5gemma", "t5gemma-mha-f16"}) {
    TempDir dir;
    const std::string output = dir.PathOf("out");
    const absl::Status status =
        Convert(TestdataDir(fixture), output, 1, GroupingMethod::kMean)
            .status();
    ASSERT_EQ(status, absl::OkStatus());
    const Architecture before =
        ReadDescription(TestdataDir(fixture))->architecture;
    const auto model = TestModel::Load(output, {});
    EXPECT_EQ(model->architecture().decoder.num_kv_heads, 1);
    EXPECT_EQ(model->architecture().num_cross_kv_heads, 1);
    EXPECT_EQ(model->architecture().encoder.num_kv_heads,
              before.encoder.num_kv_heads);
  }
}

TEST(ConvertTest, WhatIsThereIsLeftAlone) {
  TempDir dir;
  const std::string input = dir.PathOf("out.partial");
  std::filesystem::copy(TestdataDir("text-end-to-end"), input,
                        std::filesystem::copy_options::recursive);
  const absl::Status status =
      Convert(input, dir.PathOf("out"), 1, GroupingMethod::kMean).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(status.message().find("out.partial"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(input + "/model.safetensors"));
}

TEST(ConvertTest, TheSameInputGivesTheSameFile) {
  TempDir dir;
  for (const char* name : {"a", "b"}) {
    ASSERT_TRUE(Convert(TestdataDir("sharded"), dir.PathOf(name), 2,
                        GroupingMethod::kRandom)
                    .ok());
  }
  EXPECT_EQ(FileBytes(dir.PathOf("a") + "/model.safetensors"),
            FileBytes(dir.PathOf("b") + "/model.safetensors"));
}

TEST(ConvertTest, RefusalsSayWhatIsAllowed) {
  TempDir dir;
  const std::string input = TestdataDir("gqa-2of8");
  auto result = Convert(input, dir.PathOf("out"), 4, GroupingMethod::kMean);
  EXPECT_THAT(result.status().message(),
              HasSubstr("--kv_heads is 4; the model has 2"));
  result = Convert(TestdataDir("t5gemma"), dir.PathOf("out"), 1,
                   GroupingMethod::kSvd);
  EXPECT_THAT(result.status().message(),
              HasSubstr("turns them by their positions; allowed are mean"));
  std::filesystem::create_directory(dir.PathOf("there"));
  result = Convert(input, dir.PathOf("there"), 1, GroupingMethod::kMean);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(std::filesystem::is_empty(dir.PathOf("there")));
}

HeadPairs RandomPairs(int32_t num_lefts, int32_t num_rights) {
  srand(7);
  return {Matrix::Random(num_lefts * 4, 11), Matrix::Random(num_rights * 4, 13),
          4};
}

Matrix RandomMoments(int64_t dim) {
  const Matrix x = Matrix::Random(dim, 2 * dim);
  return x * x.transpose() / (2.0 * dim);
}

// The definition: the best matrix of rank head_dim below all M_i on one
// another, in coordinates in which the metric is the identity.
TEST(GroupingTest, SvdHasTheErrorOfTheDenseTruncation) {
  for (const bool is_weighted : {false, true}) {
    const HeadPairs pairs = RandomPairs(/*num_lefts=*/6, /*num_rights=*/3);
    Metric metric;
    Matrix a = Matrix::Identity(11, 11), b = Matrix::Identity(13, 13);
    if (is_weighted) {
      metric = {RandomMoments(11), RandomMoments(13)};
      a = metric.left.llt().matrixL();
      b = metric.right.llt().matrixL();
    }
    Matrix stacked(6 * 11, 13);
    for (int i = 0; i < 6; ++i) {
      stacked.middleRows(i * 11, 11) =
          a.transpose() * pairs.left.middleRows(i * 4, 4).transpose() *
          pairs.right.middleRows(i / 2 * 4, 4) * b;
    }
    const Eigen::VectorXd values =
        Eigen::JacobiSVD<Matrix>(stacked).singularValues();
    const double expected =
        values.tail(values.size() - 4).norm() / values.norm();
    EXPECT_NEAR(
        RelativeError(pairs,
                      GroupHeads(pairs, 1, GroupingMethod::kSvd, metric, 0),
                      metric),
        expected, 1e-9);
  }
}

// A mean cannot find these: heads that are equal except for a change of basis.
TEST(GroupingTest, SvdJoinsHeadsThatDifferByABasisWithoutError) {
  HeadPairs pairs = RandomPairs(/*num_lefts=*/4, /*num_rights=*/4);
  const Matrix first = pairs.right.topRows(4);
  for (int i = 1; i < 4; ++i) {
    pairs.right.middleRows(i * 4, 4) = Matrix::Random(4, 4) * first;
  }
  const HeadPairs svd = GroupHeads(pairs, 1, GroupingMethod::kSvd, {}, 0);
  const HeadPairs mean = GroupHeads(pairs, 1, GroupingMethod::kMean, {}, 0);
  EXPECT_LT(RelativeError(pairs, svd, {}), 1e-6);
  EXPECT_GT(RelativeError(pairs, mean, {}), 0.1);
}

TEST(GroupingTest, ARowOfTheSharedFactorIsAsLongAsItsRowsOfTheHeadsOnAverage) {
  HeadPairs pairs = RandomPairs(/*num_lefts=*/4, /*num_rights=*/4);
  const HeadPairs svd = GroupHeads(pairs, 1, GroupingMethod::kSvd, {}, 0);
  for (int t = 0; t < 4; ++t) {
    double left = 0;
    for (int i = 0; i < 4; ++i) left += svd.left.row(i * 4 + t).squaredNorm();
    EXPECT_NEAR(left / 4, svd.right.row(t).squaredNorm(), 1e-9);
  }
}

TEST(GroupingTest, HeadsOfZeroStayZero) {
  HeadPairs pairs = RandomPairs(/*num_lefts=*/4, /*num_rights=*/4);
  pairs.right.setZero();
  const HeadPairs svd = GroupHeads(pairs, 2, GroupingMethod::kSvd, {}, 0);
  EXPECT_EQ(RelativeError(pairs, svd, {}), 0);
  EXPECT_TRUE(svd.left.allFinite());
}

// Moments of the encoder's output against the runner's own output.
TEST(CalibrationTest, EncoderMomentsAreThoseOfTheRunnersOutput) {
  for (const char* fixture : {"gqa-2of8", "marian-opus"}) {
    const std::string directory = TestdataDir(fixture);
    const ModelDescription description = ReadDescription(directory).value();
    const int64_t d_model = description.architecture.decoder.d_model;
    const int64_t rows = d_model + description.architecture.has_biases;
    const std::vector<int32_t> source = {5, 17, 40, 9, 1};
    const absl::StatusOr<Calibration> calibration =
        Calibrate(directory, description,
                  {{source}, {description.architecture.tokens.start_id}});
    ASSERT_TRUE(calibration.ok()) << calibration.status();

    const auto model = TestModel::Load(directory, {});
    KvBlockPool pool(model->storage->shape());
    BlockTable cross(pool, Attention::kCross);
    ASSERT_TRUE(cross.GrowTo(5));
    const EncodeEntry entry = {source, cross.ids()};
    model->runner->BeginEncode(EncodePass::kMain, {&entry, 1});
    while (!model->runner->AdvanceEncode(EncodePass::kMain, 1)) {
    }
    Matrix x = Matrix::Ones(rows, 5);
    x.topRows(d_model) = Eigen::Map<const Eigen::MatrixXf>(
                             model->runner->encoder_output().data(), d_model, 5)
                             .cast<double>();
    Matrix expected = x * x.transpose() / 5;
    expected.diagonal().array() += 0.01 * expected.trace() / rows;
    ASSERT_EQ(calibration->encoder_output.rows(), rows);
    EXPECT_LT((calibration->encoder_output - expected).cwiseAbs().maxCoeff(),
              1e-5);
    EXPECT_EQ(calibration->self_input.size(), 2);
    EXPECT_GT(calibration->cross_input[1].trace(), 0);
  }
}

TEST(SafetensorsWriterTest, WrittenTensorsReadBack) {
  TempDir dir;
  const std::vector<float> values = {1.5f, -2, 3, 4, 5, 6};
  SafetensorsWriter writer(dir.PathOf("x.safetensors"),
                           {{"a", "F32", {2, 3}, 24}, {"b", "F32", {}, 4}});
  writer.Append(values.data(), 24);
  writer.Append(values.data(), 4);
  ASSERT_TRUE(writer.Finish().ok());
  const auto file = OpenSafetensors(dir.PathOf("x.safetensors"));
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<float> read(6);
  ASSERT_TRUE(
      file->ReadAsFloat(*file->Find("a"), 0, absl::MakeSpan(read)).ok());
  EXPECT_EQ(read, values);
}

TEST(SafetensorsWriterTest, ANumberOfBytesThatIsNotTheTensorsIsAnError) {
  TempDir dir;
  const std::vector<TensorToWrite> tensors = {{"a", "F32", {2}, 8}};
  const float value = 1;
  SafetensorsWriter few(dir.PathOf("few"), tensors);
  few.Append(&value, 4);
  EXPECT_FALSE(few.Finish().ok());
  SafetensorsWriter many(dir.PathOf("many"), tensors);
  for (int i = 0; i < 3; ++i) many.Append(&value, 4);
  EXPECT_FALSE(many.Finish().ok());
}

TEST(SafetensorsWriterTest, ANameIsEscaped) {
  TempDir dir;
  const float values[] = {1, 2};
  SafetensorsWriter quoted(dir.PathOf("quoted.safetensors"),
                           {{"a\"\\", "F32", {2}, 8}});
  quoted.Append(values, sizeof(values));
  ASSERT_TRUE(quoted.Finish().ok());
  const auto file = OpenSafetensors(dir.PathOf("quoted.safetensors"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_NE(file->Find("a\"\\"), nullptr);
}

}  // namespace
}  // namespace sheaf
