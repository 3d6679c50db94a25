// SPDX-License-Identifier: Apache-2.0

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/round_up.h"
#include "bench/random_weights.h"
#include "bench/shapes.h"
#include "engine/model/description.h"
#include "engine/model/tensor_list.h"
#include "engine/model/tensor_match.h"
#include "engine/model/weights.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace sheaf {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

struct Outcome {
  int exit_code;
  std::string output;  // stdout and stderr
};

Outcome RunProgram(const std::string& flags) {
  Outcome outcome;
  FILE* pipe =
      popen(absl::StrCat(SHEAF_BENCH " ", flags, " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) {
    outcome.output.append(buffer.data(), n);
  }
  outcome.exit_code = WEXITSTATUS(pclose(pipe));
  return outcome;
}

const char kTestModel[] =
    "--model=" SHEAF_TESTDATA_DIR "/gqa-2of8 --source=20 --generate=17 ";

TEST(ShapesTest, HaveT5v11sNumbersOfParameters) {
  const std::vector<std::pair<const char*, int64_t>> expected = {
      {"t5-small", 76961152},
      {"t5-base", 247577856},
      {"t5-large", 783150080},
      {"t5-xl", 2849757184},
      {"t5-xxl", 11135332352}};
  for (const auto& [name, num_parameters] : expected) {
    EXPECT_EQ(NumParameters(DescribeShape(name)->architecture), num_parameters)
        << name;
  }
}

// As transformers counts them, without computed positions and the vision tower,
// and with the bias of the logits.
TEST(ShapesTest, HaveTheNumbersOfParametersOfPublishedModels) {
  const std::vector<std::pair<const char*, int64_t>> expected = {
      {"opus-mt", 77484009},        {"opus-mt-tc-big", 237858401},
      {"bart-large", 406340696},    {"m2m100-418m", 483905536},
      {"nllb-600m", 615073792},     {"mbart-large", 611129542},
      {"pegasus-large", 568796007}, {"mt5-base", 582401280},
      {"umt5-base", 592043520},     {"t5gemma-2b-2b", 5596853760},
      {"t5gemma2-270m", 368424832}};
  for (const auto& [name, num_parameters] : expected) {
    EXPECT_EQ(NumParameters(DescribeShape(name)->architecture), num_parameters)
        << name;
  }
}

TEST(ShapesTest, ReadKeysAndValuesOfEveryTokenAndKvHead) {
  Architecture architecture = DescribeShape("t5-base")->architecture;
  architecture.decoder.num_kv_heads = 4;
  architecture.num_cross_kv_heads = 3;
  StepShape step = {.batch = 2,
                    .beam_size = 1,
                    .self_tokens = 10,
                    .cross_tokens = 100,
                    .kv_element_bytes = 4};
  EXPECT_EQ(WorkOfStep(architecture, step).kv_bytes,
            2 * 12 * 2 * 64 * 4 * (10 * 4 + 100 * 3));
  step.beam_size = 4;  // each its own, all the source's
  EXPECT_EQ(WorkOfStep(architecture, step).kv_bytes,
            2 * 12 * 2 * 64 * 4 * (4 * 10 * 4 + 100 * 3));
}

TEST(ShapesTest, AWindowBoundsTheKeysAndValuesOfItsLayers) {
  Architecture architecture = DescribeShape("t5-base")->architecture;
  architecture.decoder.windows.resize(12);
  architecture.decoder.windows[3] = Window{.back = 6, .ahead = 0};
  const StepShape step = {.batch = 1,
                          .beam_size = 1,
                          .self_tokens = 10,
                          .cross_tokens = 0,
                          .kv_element_bytes = 4};
  EXPECT_EQ(WorkOfStep(architecture, step).kv_bytes,
            (11 * 10 + 7) * 2 * 12 * 64 * 4);
}

TEST(ShapesTest, MultiplyEveryDecoderWeightOnceARow) {
  const Architecture architecture = DescribeShape("t5-small")->architecture;
  const int64_t layer = 512 * (4 * 384 + 2 * 384 + 3 * 1024);
  EXPECT_EQ(WorkOfStep(architecture, {.batch = 3,
                                      .beam_size = 2,
                                      .self_tokens = 0,
                                      .cross_tokens = 0,
                                      .kv_element_bytes = 4})
                .flops,
            2 * 6 * (8 * layer + 512 * 32128));
}

TEST(RandomWeightsTest, AreTheSameInWhateverPiecesTheyAreRead) {
  RandomWeights weights;
  weights.Add("w", {5, 7}, 0, 1);
  std::vector<float> whole(35), part(14);
  ASSERT_TRUE(weights.ReadRows("w", 0, 5, absl::MakeSpan(whole)).ok());
  ASSERT_TRUE(weights.ReadRows("w", 2, 2, absl::MakeSpan(part)).ok());
  EXPECT_EQ(part, std::vector<float>(whole.begin() + 14, whole.begin() + 28));
}

TEST(RandomWeightsTest, HaveTheMeanAndDeviationAskedFor) {
  RandomWeights weights;
  weights.Add("w", {100, 1000}, /*mean=*/3, /*standard_deviation=*/0.25f);
  std::vector<float> values(100000);
  ASSERT_TRUE(weights.ReadRows("w", 0, 100, absl::MakeSpan(values)).ok());
  double sum = 0, squares = 0;
  for (const float value : values) {
    sum += value;
    squares += (value - 3.0) * (value - 3.0);
  }
  EXPECT_NEAR(sum / 1e5, 3, 0.01);
  EXPECT_NEAR(std::sqrt(squares / 1e5), 0.25, 0.005);
}

TEST(RandomWeightsTest, DifferFromRowToRowAndTensorToTensor) {
  RandomWeights weights;
  weights.Add("a", {2, 64}, 0, 1);
  weights.Add("b", {2, 64}, 0, 1);
  std::vector<float> a(128), b(128);
  ASSERT_TRUE(weights.ReadRows("a", 0, 2, absl::MakeSpan(a)).ok());
  ASSERT_TRUE(weights.ReadRows("b", 0, 2, absl::MakeSpan(b)).ok());
  EXPECT_NE(a, b);
  EXPECT_NE(std::vector<float>(a.begin(), a.begin() + 64),
            std::vector<float>(a.begin() + 64, a.end()));
}

TEST(RandomWeightsTest, RefuseRowsThatAreNotThere) {
  RandomWeights weights;
  weights.Add("w", {5, 7}, 0, 1);
  std::vector<float> out(14);
  EXPECT_EQ(weights.ReadRows("w", 4, 2, absl::MakeSpan(out)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(weights.ReadRows("v", 0, 2, absl::MakeSpan(out)).code(),
            absl::StatusCode::kNotFound);
}

TEST(RandomWeightsTest, HaveAllTensorsOfEveryKindOfModel) {
  for (const bool is_gated : {false, true}) {
    for (const bool is_tied : {false, true}) {
      ModelDescription description = DescribeShape("t5-small").value();
      Architecture& architecture = description.architecture;
      architecture.vocab_size = 48;
      architecture.encoder.num_layers = 1;
      architecture.decoder.num_layers = 2;
      architecture.decoder.num_kv_heads = 2;
      architecture.num_cross_kv_heads = 3;
      architecture.is_gated = is_gated;
      architecture.is_tied = is_tied;
      const RandomWeights random(description);
      ASSERT_EQ(MatchTensors(random, description), absl::OkStatus());
      EXPECT_EQ(architecture.is_tied, is_tied);
      const absl::StatusOr<Weights> weights = Weights::Load(
          description, random,
          {&kernels::KernelsFor(kernels::Isa::kPortable), /*num_slices=*/1});
      EXPECT_TRUE(weights.ok()) << weights.status();
    }
  }
}

TEST(RandomWeightsTest, HaveAllTensorsOfEveryFamily) {
  for (const char* name :
       {"opus-mt", "bart-large", "nllb-600m", "mbart-large", "pegasus-large"}) {
    SCOPED_TRACE(name);
    ModelDescription description = DescribeShape(name).value();
    Architecture& architecture = description.architecture;
    for (StackShape* stack : {&architecture.encoder, &architecture.decoder}) {
      stack->num_layers = 1;
      stack->d_model = 32;
      stack->d_ff = 48;
      stack->head_dim = 2;
    }
    architecture.vocab_size = 48;
    const RandomWeights random(description);
    EXPECT_EQ(MatchTensors(random, description), absl::OkStatus());
  }
}

TEST(SheafBenchTest, PrintsOneLineOfFiguresThatAgree) {
  const Outcome outcome = RunProgram(absl::StrCat(kTestModel, "--batch=3"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  ASSERT_EQ(outcome.output.find('\n'), outcome.output.size() - 1);
  const nlohmann::json figures = nlohmann::json::parse(outcome.output);
  EXPECT_THAT(figures.at("shape").get<std::string>(), EndsWith("gqa-2of8"));
  EXPECT_EQ(figures.at("weight_type"), "f32");
  EXPECT_EQ(figures.at("batch"), 3);
  EXPECT_EQ(figures.at("source"), 20);
  EXPECT_EQ(figures.at("generate"), 17);
  EXPECT_EQ(figures.at("kv_heads"), 2);
  EXPECT_EQ(figures.at("beam_size"), 1);
  EXPECT_GE(figures.at("threads"), 1);
  const double step_seconds = figures.at("step_seconds");
  const double floor_seconds = figures.at("floor_seconds");
  EXPECT_GT(step_seconds, 0);
  EXPECT_GT(figures.at("encode_seconds"), 0);
  EXPECT_GT(figures.at("tokens_per_second"), 0);
  EXPECT_GT(figures.at("weight_bytes"), 0);
  EXPECT_GT(figures.at("peak_rss_bytes"), figures.at("weight_bytes"));
  EXPECT_DOUBLE_EQ(
      floor_seconds,
      std::max(figures.at("step_bytes").get<double>() /
                   figures.at("read_bandwidth_bytes_per_second").get<double>(),
               figures.at("step_flops").get<double>() /
                   figures.at("gemm_flops_per_second").get<double>()));
  EXPECT_DOUBLE_EQ(figures.at("floor_ratio"), step_seconds / floor_seconds);

  // Whole blocks: of 16 tokens here, so 17 and 20 take two each.
  const Architecture architecture =
      ReadDescription(SHEAF_TESTDATA_DIR "/gqa-2of8")->architecture;
  ASSERT_EQ(architecture.decoder.num_kv_heads, 2);
  ASSERT_EQ(architecture.num_cross_kv_heads, 2);
  const int64_t block_bytes = architecture.decoder.num_layers * 2 *
                              architecture.decoder.kv_columns() * 16 *
                              static_cast<int64_t>(sizeof(float));
  EXPECT_EQ(figures.at("kv_bytes"), 3 * 4 * block_bytes);
}

TEST(SheafBenchTest, BeamsAddSelfAttentionBlocksAndNoCrossAttentionBlocks) {
  const auto kv_bytes_of = [](const char* flags) {
    const Outcome outcome = RunProgram(absl::StrCat(kTestModel, flags));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    const nlohmann::json figures = nlohmann::json::parse(outcome.output);
    EXPECT_GT(figures.at("step_seconds"), 0);
    return figures.at("kv_bytes").get<int64_t>();
  };
  const int64_t block_bytes = kv_bytes_of("--batch=1") / 4;
  const int64_t beams = kv_bytes_of("--batch=1 --beam_size=4");
  EXPECT_GE(beams, (2 + 2) * block_bytes);      // equal except at the end
  EXPECT_LE(beams, (2 + 4 * 2) * block_bytes);  // nothing in common
}

// The head has whole panels of 16 columns.
TEST(SheafBenchTest, AShortlistSavesStepsTheBytesOfTheOtherTokens) {
  const auto step_bytes_of = [](const char* flags) {
    const Outcome outcome = RunProgram(absl::StrCat(kTestModel, flags));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    const nlohmann::json figures = nlohmann::json::parse(outcome.output);
    EXPECT_GT(figures.at("step_seconds"), 0);
    return figures.at("step_bytes").get<int64_t>();
  };
  const Architecture architecture =
      ReadDescription(SHEAF_TESTDATA_DIR "/gqa-2of8")->architecture;
  const int64_t column_bytes = 4 * int64_t{architecture.decoder.d_model};
  // 60 tokens: 40 are common, with the end token 41, and each source has 20.
  EXPECT_EQ(
      step_bytes_of("--batch=2") -
          step_bytes_of("--batch=2 --shortlist_size=60"),
      (RoundUp(architecture.vocab_size, 16) - 41 - 2 * 20) * column_bytes);
}

TEST(SheafBenchTest, RefusesWhatItHasNotAndSaysWhatIsAllowed) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"--weight_type=f64", "--weight_type is \"f64\"; it may be f32, bf16"},
      {"--beam_size=17", "--beam_size is 17; it may be 1 to 16"},
      {"--batch=0", "--batch is 0; it may be 1 to 4096"},
      {"--source=0", "--source is 0; it may be 1 to 65536"},
      {"--generate=-1", "--generate is -1; it may be 1 to 65536"},
      {"--threads=-1", "--threads is -1; it may be 0 to 1024"},
      {"--isa=sse",
       "--isa is \"sse\"; on this machine it may be one of auto, "
       "portable"},
      {"--kv_heads=3", "--kv_heads is 3; it may be 0 or a divisor of the"},
      {"--kv_heads=4", "--kv_heads is 4; the weights of --model have 2"},
      {"--cross_kv_heads=8", "--cross_kv_heads is 8; the weights of --model"},
      {"--shortlist_size=-1", "--shortlist_size is -1; it may be 0 to"},
      {"--shortlist_size=9999", "shortlist_size is 9999; the model's"},
      {"--kv_cache_bytes=1", "kv_cache_bytes is 1; this batch needs"},
      {"--model= --shape=t5-huge",
       "--shape is \"t5-huge\"; it may be t5-small"},
      {"--model=nowhere", "nowhere"},
      {"more", "accepts only flags"},
  };
  for (const auto& [flags, message] : cases) {
    const Outcome outcome = RunProgram(absl::StrCat(kTestModel, flags));
    EXPECT_EQ(outcome.exit_code, 2) << flags;
    EXPECT_THAT(outcome.output, HasSubstr(message));
  }
}

}  // namespace
}  // namespace sheaf
