// SPDX-License-Identifier: Apache-2.0

// The reference implementation's outputs for every checkpoint in testdata/:
// encoder states, decoder logits, tokens and scores (testdata/README.md).

#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "engine/model/safetensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/engine/model/expected_runs.h"
#include "tests/support/emulated_tiles.h"
#include "tests/support/test_model.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr float kTolerance = 2e-4f;  // as testdata/README.md advises

struct Case {
  const char* fixture;
  kernels::Isa isa;
  int32_t num_threads;
};

class FixtureTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!CanRun(GetParam().isa)) {
      GTEST_SKIP() << "not on this processor";
    }
    const std::string directory =
        std::string(SHEAF_TESTDATA_DIR "/") + GetParam().fixture;
    std::ifstream file(directory + "/expected.json");
    expected_ = json::parse(file);
    std::ifstream rules(directory + "/expected_rules.json");
    if (rules) {
      const json more = json::parse(rules);
      for (const json& each : more["cases"]) expected_["cases"].push_back(each);
    }
    absl::StatusOr<TensorFile> tensors =
        OpenSafetensors(directory + "/expected.safetensors");
    ASSERT_TRUE(tensors.ok()) << tensors.status();
    tensors_ = std::make_unique<TensorFile>(*std::move(tensors));
    model_ = TestModel::Load(directory, {.num_threads = GetParam().num_threads,
                                         .isa = GetParam().isa});
  }

  std::vector<float> Tensor(const std::string& name) {
    const TensorInfo* info = tensors_->Find(name);
    EXPECT_NE(info, nullptr) << name;
    std::vector<float> values(info->num_elements);
    EXPECT_TRUE(tensors_->ReadAsFloat(*info, 0, absl::MakeSpan(values)).ok());
    return values;
  }

  static void ExpectNear(absl::Span<const float> actual,
                         const std::vector<float>& expected) {
    ASSERT_EQ(actual.size(), expected.size());
    float worst = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      worst = std::max(worst, std::abs(actual[i] - expected[i]));
    }
    EXPECT_LE(worst, kTolerance);
  }

  std::vector<int32_t> Source(size_t input) {
    return expected_["inputs"][input]["ids"].get<std::vector<int32_t>>();
  }

  json expected_;
  std::unique_ptr<TensorFile> tensors_;
  std::unique_ptr<TestModel> model_;
};

std::string Name(const ::testing::TestParamInfo<Case>& info) {
  std::string name = info.param.fixture;
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name + "_" + std::string(kernels::IsaName(info.param.isa)) + "_" +
         std::to_string(info.param.num_threads);
}

constexpr const char* kFixtures[] = {"asymmetric-depth",
                                     "bart-cnn",
                                     "bart-mqa",
                                     "bart-plain-scaled",
                                     "bf16-weights",
                                     "byt5",
                                     "f16-weights",
                                     "gqa-2of8",
                                     "gqa-tied-bf16-asym",
                                     "m2m100",
                                     "marian-gqa",
                                     "marian-multi-tc",
                                     "marian-opus",
                                     "marian-own-head",
                                     "marian-separate-vocab",
                                     "mbart-cc25",
                                     "mbart50",
                                     "mqa-1of6",
                                     "nllb",
                                     "nllb-gqa",
                                     "pegasus",
                                     "sharded",
                                     "t5-gated-relu-bf16",
                                     "t5gemma",
                                     "t5gemma-gqa-bf16",
                                     "t5gemma-mha-f16",
                                     "t5gemma2",
                                     "t5gemma2-gqa-bf16",
                                     "t5v10-relu-tied",
                                     "t5v11-gated-untied",
                                     "text-end-to-end",
                                     "ul2-gated-silu",
                                     "umt5",
                                     "wide-heads"};

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (const char* fixture : kFixtures) {
    for (kernels::Isa isa : {kernels::Isa::kPortable, kernels::Isa::kAvx2,
                             kernels::Isa::kAvx512, kernels::Isa::kAmx}) {
      cases.push_back({fixture, isa, 2});
    }
    const kernels::Isa best = kernels::DetectIsa();
    cases.push_back({fixture, best, 1});
    cases.push_back({fixture, best, 3});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, FixtureTest, ::testing::ValuesIn(AllCases()),
                         Name);

class LoneRequestTest : public FixtureTest {};

std::vector<Case> LoneCases() {
  std::vector<Case> cases;
  for (const char* fixture : kFixtures) {
    cases.push_back({fixture, kernels::DetectIsa(), 2});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, LoneRequestTest, ::testing::ValuesIn(LoneCases()),
                         Name);

// Both inputs packed in one pass, spread over calls; then the decoder, with
// the sequences of all inputs in one batch.
TEST_P(FixtureTest, EncoderStatesAndDecoderLogitsAreTheReferences) {
  const size_t num_inputs = expected_["inputs"].size();
  KvBlockPool pool(model_->storage->shape());
  std::vector<std::vector<int32_t>> sources;
  std::vector<BlockTable> cross, self;
  std::vector<EncodeEntry> encode;
  for (size_t i = 0; i < num_inputs; ++i) {
    sources.push_back(Source(i));
    cross.emplace_back(pool, Attention::kCross);
    ASSERT_TRUE(cross[i].GrowTo(static_cast<int32_t>(sources[i].size())));
    self.emplace_back(pool, Attention::kSelf);
  }
  for (size_t i = 0; i < num_inputs; ++i) {
    encode.push_back({sources[i], cross[i].ids()});
  }
  TransformerRunner& runner = *model_->runner;
  runner.BeginEncode(EncodePass::kMain, encode);
  while (!runner.AdvanceEncode(EncodePass::kMain, /*token_layers=*/1)) {
  }
  size_t at = 0;
  for (size_t i = 0; i < num_inputs; ++i) {
    SCOPED_TRACE(testing::Message() << "input " << i);
    const size_t n = sources[i].size() * model_->architecture().encoder.d_model;
    ExpectNear(runner.encoder_output().subspan(at, n),
               Tensor("input" + std::to_string(i) + ".encoder_hidden"));
    at += n;
  }

  const auto forced =
      expected_["teacher_forcing"]["decoder_ids"].get<std::vector<int32_t>>();
  const size_t vocab = runner.vocab_size();
  std::vector<std::vector<float>> logits(num_inputs);
  std::vector<float> step(num_inputs * vocab);
  for (size_t t = 0; t < forced.size(); ++t) {
    std::vector<DecodeEntry> decode;
    for (size_t i = 0; i < num_inputs; ++i) {
      ASSERT_TRUE(self[i].GrowTo(static_cast<int32_t>(t) + 1));
      decode.push_back({absl::MakeConstSpan(forced).subspan(t, 1),
                        static_cast<int32_t>(t), self[i].ids(), cross[i].ids(),
                        static_cast<int32_t>(sources[i].size())});
    }
    runner.Decode(decode, absl::MakeSpan(step));
    for (size_t i = 0; i < num_inputs; ++i) {
      logits[i].insert(logits[i].end(), step.begin() + i * vocab,
                       step.begin() + (i + 1) * vocab);
    }
  }
  for (size_t i = 0; i < num_inputs; ++i) {
    SCOPED_TRACE(testing::Message() << "input " << i);
    ExpectNear(logits[i],
               Tensor("input" + std::to_string(i) + ".teacher_logits"));
  }

  // The same known tokens in one go, as a target prefix is computed.
  for (size_t i = 0; i < num_inputs; ++i) {
    const DecodeEntry entry = {forced, 0, self[i].ids(), cross[i].ids(),
                               static_cast<int32_t>(sources[i].size())};
    std::vector<float> last(vocab);
    runner.Decode({&entry, 1}, absl::MakeSpan(last));
    ExpectNear(last, {logits[i].end() - vocab, logits[i].end()});
  }
}

TEST_P(FixtureTest, TokensAndScoresAreTheReferences) {
  ExpectRuns(expected_, *model_);
}

TEST_P(LoneRequestTest, TokensAndScoresAreTheReferences) {
  ExpectRuns(expected_, *model_, /*is_alone=*/true);
}

}  // namespace
}  // namespace sheaf
