// SPDX-License-Identifier: Apache-2.0

// The trainer's forward pass against the reference implementation's outputs for
// every checkpoint in testdata/ (testdata/README.md): what the engine gives
// too.

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "train/common/json.h"
#include "train/uptrain/head_loss.h"
#include "train/uptrain/t5.h"
#include "train/uptrain/tensor_file.h"

namespace sheaf {
namespace {

constexpr double kTolerance = 2e-4;  // as testdata/README.md advises

at::Tensor Ids(const Json& array) {
  at::Tensor ids = at::empty({1, int64_t(array.array.size())}, at::kLong);
  for (size_t i = 0; i < array.array.size(); ++i) {
    ids.data_ptr<int64_t>()[i] = static_cast<int64_t>(array.array[i].number);
  }
  return ids;
}

// Returns the value of a result, which must have one.
template <typename T>
T ValueOf(Result<T> result) {
  EXPECT_TRUE(result.ok()) << result.error().message;
  return *std::move(result);
}

std::string MessageOf(const Result<void>& result) {
  return result.ok() ? "" : result.error().message;
}

double WorstGap(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

class TrainForwardTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    directory_ = std::string(SHEAF_TESTDATA_DIR "/") + GetParam();
    ModelConfig config = ValueOf(ModelConfig::Load(directory_));
    NamedTensors tensors = ValueOf(ReadTensors(directory_));
    ASSERT_EQ(MessageOf(MatchTensors(tensors, config)), "");
    model_ = std::make_unique<T5>(config, at::kCPU);
    ASSERT_EQ(MessageOf(model_->Load(tensors)), "");
    expected_ = ValueOf(ReadTensorFile(directory_ + "/expected.safetensors"));
    json_ =
        ValueOf(Json::Parse(ValueOf(ReadFile(directory_ + "/expected.json"))));
  }

  std::string directory_;
  std::unique_ptr<T5> model_;
  NamedTensors expected_;
  Json json_;
};

INSTANTIATE_TEST_SUITE_P(All, TrainForwardTest,
                         ::testing::Values("asymmetric-depth", "bf16-weights",
                                           "f16-weights", "gqa-2of8",
                                           "gqa-tied-bf16-asym", "mqa-1of6",
                                           "sharded", "t5v10-relu-tied",
                                           "t5v11-gated-untied",
                                           "text-end-to-end", "wide-heads"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_P(TrainForwardTest, EncoderStatesAndLogitsAreTheReferences) {
  const c10::NoGradGuard no_grad;
  const std::vector<Json>& inputs = json_["inputs"].array;
  const at::Tensor forced = Ids(json_["teacher_forcing"]["decoder_ids"]);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string name = "input" + std::to_string(i);
    const at::Tensor source = Ids(inputs[i]["ids"]);
    const at::Tensor mask = at::ones_like(source, at::kFloat);
    const at::Tensor encoded = model_->Encode(source, mask, {});
    EXPECT_LE(WorstGap(encoded[0], expected_[name + ".encoder_hidden"]),
              kTolerance);
    EXPECT_LE(WorstGap(model_->Decode(forced, encoded, mask, {})[0],
                       expected_[name + ".teacher_logits"]),
              kTolerance);
  }
}

// Sources of different lengths in one padded batch.
TEST_P(TrainForwardTest, PaddingChangesNothing) {
  const c10::NoGradGuard no_grad;
  const at::Tensor shorter = Ids(json_["inputs"].array[1]["ids"]);
  const at::Tensor longer = Ids(json_["inputs"].array[2]["ids"]);
  const int64_t length = longer.size(1);
  const int64_t padding = length - shorter.size(1);
  const at::Tensor source =
      at::cat({at::constant_pad_nd(shorter, {0, padding}, 0), longer});
  at::Tensor mask = at::ones({2, length}, at::kFloat);
  mask[0].narrow(0, length - padding, padding).zero_();
  const at::Tensor forced =
      Ids(json_["teacher_forcing"]["decoder_ids"]).repeat({2, 1});
  const at::Tensor logits =
      model_->Decode(forced, model_->Encode(source, mask, {}), mask, {});
  EXPECT_LE(WorstGap(logits[0], expected_["input1.teacher_logits"]),
            kTolerance);
  EXPECT_LE(WorstGap(logits[1], expected_["input2.teacher_logits"]),
            kTolerance);
}

TEST_P(TrainForwardTest, BfloatProductsStayNear) {
  const c10::NoGradGuard no_grad;
  ForwardOptions options;
  options.compute_type = at::kBFloat16;
  const at::Tensor source = Ids(json_["inputs"].array[1]["ids"]);
  const at::Tensor mask = at::ones_like(source, at::kFloat);
  const at::Tensor encoded = model_->Encode(source, mask, options);
  const at::Tensor expected = expected_["input1.encoder_hidden"];
  EXPECT_LE(WorstGap(encoded[0], expected),
            0.1 * expected.abs().max().item<double>());
}

// A checkpoint's tensors and config.json as transformers 5 saves them, or with
// the table under another name, give the same logits.
class HeadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config_ = ValueOf(ModelConfig::Load(kDirectory));
    tensors_ = ValueOf(ReadTensors(kDirectory));
  }

  void ExpectTheReferencesLogits() {
    ASSERT_EQ(MessageOf(MatchTensors(tensors_, config_)), "");
    T5 model(config_, at::kCPU);
    ASSERT_EQ(MessageOf(model.Load(tensors_)), "");
    NamedTensors expected =
        ValueOf(ReadTensorFile(kDirectory + "/expected.safetensors"));
    const Json json =
        ValueOf(Json::Parse(ValueOf(ReadFile(kDirectory + "/expected.json"))));
    const c10::NoGradGuard no_grad;
    const at::Tensor source = Ids(json["inputs"].array[1]["ids"]);
    const at::Tensor mask = at::ones_like(source, at::kFloat);
    const at::Tensor logits =
        model.Decode(Ids(json["teacher_forcing"]["decoder_ids"]),
                     model.Encode(source, mask, {}), mask, {});
    EXPECT_LE(WorstGap(logits[0], expected["input1.teacher_logits"]),
              kTolerance);
  }

  const std::string kDirectory = SHEAF_TESTDATA_DIR "/t5v11-gated-untied";
  ModelConfig config_;
  NamedTensors tensors_;
};

TEST_F(HeadTest, IsTheTensorThatDiffersWhateverConfigJsonSays) {
  config_.has_own_head = false;  // tie_word_embeddings is true
  ExpectTheReferencesLogits();
  EXPECT_TRUE(config_.has_own_head);
}

TEST_F(HeadTest, TheTableMayHaveTheNameOfACopy) {
  tensors_["decoder.embed_tokens.weight"] = tensors_["shared.weight"];
  tensors_.erase("shared.weight");
  ExpectTheReferencesLogits();
}

TEST_F(HeadTest, ACopyOfTheTableIsNotAHeadOfItsOwn) {
  config_.has_own_head = false;
  tensors_["lm_head.weight"] = tensors_["shared.weight"].clone();
  ASSERT_EQ(MessageOf(MatchTensors(tensors_, config_)), "");
  EXPECT_FALSE(config_.has_own_head);
  EXPECT_EQ(MessageOf(T5(config_, at::kCPU).Load(tensors_)), "");
}

TEST_F(HeadTest, ATableOfOneStackAloneIsRefused) {
  tensors_["encoder.embed_tokens.weight"] = tensors_["shared.weight"] + 1;
  EXPECT_EQ(MessageOf(MatchTensors(tensors_, config_)),
            "tensor encoder.embed_tokens.weight differs from shared.weight");
}

TEST_F(HeadTest, ATensorOfAnotherModelIsRefused) {
  tensors_["encoder.block.0.layer.0.SelfAttention.q.bias"] = at::zeros({48});
  ASSERT_EQ(MessageOf(MatchTensors(tensors_, config_)), "");
  EXPECT_EQ(MessageOf(T5(config_, at::kCPU).Load(tensors_)),
            "tensor encoder.block.0.layer.0.SelfAttention.q.bias has no place "
            "in the model that config.json describes");
}

TEST(ReadTensorsTest, WeightsInPyTorchsFormatAreNamed) {
  const std::string directory = ::testing::TempDir() + "/torch_weights";
  std::filesystem::create_directories(directory);
  std::ofstream(directory + "/pytorch_model.bin") << "x";
  const Result<NamedTensors> tensors = ReadTensors(directory);
  std::filesystem::remove_all(directory);
  ASSERT_FALSE(tensors.ok());
  EXPECT_EQ(tensors.error().message,
            directory +
                " has pytorch_model.bin, which sheaf-train does not "
                "read; sheaf-convert writes it as safetensors");
}

TEST(ModelConfigTest, HeadAndScaleFollowTheKeysAsTheEngineReadsThem) {
  const std::string directory = ::testing::TempDir() + "/model_config_test";
  std::filesystem::create_directories(directory);
  struct Case {
    const char* keys;
    bool scales_output;
    bool has_own_head;
  };
  for (const Case& c : {
           Case{R"("model_type": "t5")", true, false},
           Case{R"("tie_word_embeddings": false)", false, true},
           Case{R"("tie_word_embeddings": true,
                   "scale_decoder_outputs": false)",
                false, false},
           Case{R"("tie_word_embeddings": false,
                   "scale_decoder_outputs": true)",
                true, true},
           Case{R"("scale_decoder_outputs": null)", false, false},
           Case{R"("model_type": "mt5", "tie_word_embeddings": true)", false,
                false},
           Case{R"("model_type": "mt5")", false, true},
       }) {
    std::ofstream(directory + "/config.json")
        << R"({"vocab_size": 9, "d_model": 4, "d_kv": 2, "d_ff": 6,
               "num_layers": 1, "num_heads": 2, )"
        << c.keys << "}";
    SCOPED_TRACE(c.keys);
    const ModelConfig config = ValueOf(ModelConfig::Load(directory));
    EXPECT_EQ(config.scales_output, c.scales_output) << c.keys;
    EXPECT_EQ(config.has_own_head, c.has_own_head) << c.keys;
  }
  std::filesystem::remove_all(directory);
}

TEST(ModelConfigTest, OtherTypesAreRefusedByName) {
  for (const auto& [fixture, type] :
       {std::pair<std::string, std::string>{"umt5", "umt5"},
        {"marian-opus", "marian"},
        {"t5gemma2", "t5gemma2"}}) {
    const Result<ModelConfig> config =
        ModelConfig::Load(SHEAF_TESTDATA_DIR "/" + fixture);
    ASSERT_FALSE(config.ok());
    EXPECT_THAT(config.error().message,
                ::testing::HasSubstr("model_type is \"" + type + "\""));
  }
}

// Bucket 1 of T5 is the token before, and one more than half of the buckets is
// the token after.
TEST(RandomWeightsTest, TheEncodersHeadsBeginWithPlacesToLookAt) {
  const ModelConfig config =
      ValueOf(ModelConfig::Load(SHEAF_TESTDATA_DIR "/gqa-2of8"));
  const at::Tensor bias = T5(config, at::kCPU)
                              .Tensors()
                              .at("encoder.block.0.layer.0.SelfAttention."
                                  "relative_attention_bias.weight");
  const at::Tensor first = bias.argmax(0);  // bucket, by head
  EXPECT_EQ(first[0].item<int64_t>(), 1);
  EXPECT_EQ(first[1].item<int64_t>(), config.num_buckets / 2 + 1);
  EXPECT_EQ(first[2].item<int64_t>(), 2);
  EXPECT_GT(bias.select(1, 0).max().item<double>(), 6);
  EXPECT_LT(bias.select(1, 7).abs().max().item<double>(), 1);
}

// The loss made a few rows at a time, and its gradients, against the
// definition.
TEST(HeadLossTest, IsTheSmoothedCrossEntropyAndItsGradient) {
  at::manual_seed(1);
  constexpr int64_t kRows = 700, kVocab = 8064, kWidth = 16;  // three rounds
  constexpr double kSmoothing = 0.1;
  at::Tensor states = at::randn({kRows, kWidth}).requires_grad_(true);
  at::Tensor head = at::randn({kVocab, kWidth}).requires_grad_(true);
  const at::Tensor targets = at::randint(kVocab, {kRows}, at::kLong);

  const at::Tensor log_probs = at::log_softmax(at::linear(states, head), -1);
  const at::Tensor expected = -log_probs.gather(1, targets.unsqueeze(1)).sum();
  const at::Tensor expected_training =
      expected * (1 - kSmoothing) - log_probs.mean(-1).sum() * kSmoothing;
  expected_training.backward();
  const at::Tensor states_gradient = states.grad().clone();
  const at::Tensor head_gradient = head.grad().clone();

  states.mutable_grad().zero_();
  head.mutable_grad().zero_();
  const HeadLoss loss =
      ComputeHeadLoss(states, head, targets, kSmoothing, at::kFloat);
  loss.training.backward();
  const auto near = [](const at::Tensor& a, const at::Tensor& b) {
    return WorstGap(a, b) <= 1e-4 * b.abs().max().item<double>();
  };
  EXPECT_TRUE(near(loss.cross_entropy, expected));
  EXPECT_TRUE(near(loss.training, expected_training));
  EXPECT_TRUE(near(states.grad(), states_gradient));
  EXPECT_TRUE(near(head.grad(), head_gradient));

  const c10::NoGradGuard no_grad;
  EXPECT_TRUE(
      near(ComputeHeadLoss(states, head, targets, 0, at::kFloat).training,
           expected));
}

}  // namespace
}  // namespace sheaf
