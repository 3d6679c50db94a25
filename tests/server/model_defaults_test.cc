// SPDX-License-Identifier: Apache-2.0

// From the generation keys of a model's files to tokens: every run of a
// fixture is made again, with its options in a file instead of a request.

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "server/decoding_options.h"
#include "tests/support/model_tasks.h"
#include "tests/support/recording_sink.h"
#include "tests/support/test_model.h"
#include "text/tasks.h"

namespace sheaf {
namespace {

using nlohmann::json;

class ModelDefaultsTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string directory =
        std::string(SHEAF_TESTDATA_DIR "/") + GetParam();
    for (const char* name : {"/expected.json", "/expected_rules.json"}) {
      std::ifstream file(directory + name);
      const json expected = json::parse(file);
      if (expected.contains("inputs")) inputs_ = expected["inputs"];
      for (const json& each : expected["cases"]) {
        for (const json& run : each["runs"]) runs_.push_back(run);
      }
    }
    ASSERT_GT(runs_.size(), 150u);
    model_ = TestModel::Load(directory,
                             {.num_threads = 1, .isa = kernels::DetectIsa()});
    engine_ = std::make_unique<Engine>(
        EngineOptions(), model_->team, *model_->kernels,
        std::vector<LaneOptions>{
            {.runner = model_->runner, .kv_shape = model_->storage->shape()}});
  }

  // The request that a model with these files makes of an empty one.
  SamplingParams DefaultsOf(const json& config,
                            const std::string& generation_config) {
    absl::StatusOr<ModelTasks> tasks =
        ParseModelTasks(config.dump(), generation_config);
    if (!tasks.ok()) ADD_FAILURE() << tasks.status();
    DecodingLimits limits;
    limits.vocab_size = model_->runner->vocab_size();
    absl::StatusOr<CheckedOptions> checked = CheckDecodingOptions(
        v1::DecodingOptions(),
        tasks.ok() ? tasks->defaults : DecodingDefaults(), limits);
    if (!checked.ok()) ADD_FAILURE() << checked.status();
    return checked.ok() ? checked->sampling : SamplingParams();
  }

  // One list per hypothesis, the end token included.
  json Generate(size_t input, SamplingParams sampling) {
    RecordingSink sink;
    Request request;
    request.start_tokens = {model_->architecture().tokens.start_id};
    request.sampling = std::move(sampling);
    request.segments.push_back(
        inputs_[input]["ids"].get<std::vector<int32_t>>());
    request.sink = &sink;
    if (const auto id = engine_->Submit(/*lane=*/0, std::move(request));
        !id.ok()) {
      ADD_FAILURE() << id.status();
      return json();
    }
    EXPECT_TRUE(sink.Wait().ok());
    json ids = json::array();
    for (const Hypothesis& hypothesis : sink.hypotheses()) {
      ids.push_back(hypothesis.tokens);
      if (hypothesis.finish_reason == FinishReason::kEos) {
        ids.back().push_back(1);
      }
    }
    return ids;
  }

  json inputs_;
  std::vector<json> runs_;
  std::unique_ptr<TestModel> model_;
  std::unique_ptr<Engine> engine_;
};

INSTANTIATE_TEST_SUITE_P(All, ModelDefaultsTest,
                         ::testing::Values("text-end-to-end",
                                           "t5v11-gated-untied"));

TEST_P(ModelDefaultsTest, KeysOfGenerationConfigGiveTheReferencesTokens) {
  const json config = {{"vocab_size", model_->runner->vocab_size()}};
  for (const json& run : runs_) {
    EXPECT_EQ(Generate(run["input"], DefaultsOf(config, run["options"].dump())),
              run["ids"])
        << run["options"];
  }
}

TEST_P(ModelDefaultsTest, KeysOfConfigGiveTheReferencesTokens) {
  for (const json& run : runs_) {
    json config = run["options"];
    config["vocab_size"] = model_->runner->vocab_size();
    EXPECT_EQ(
        Generate(run["input"], DefaultsOf(config, /*generation_config=*/"")),
        run["ids"])
        << run["options"];
  }
}

}  // namespace
}  // namespace sheaf
