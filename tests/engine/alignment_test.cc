// SPDX-License-Identifier: Apache-2.0

// Source positions through decode steps and beams, with a model whose attention
// depends on all tokens that the KV blocks hold.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_model_runner.h"
#include "tests/support/recording_sink.h"

namespace sheaf {
namespace {

using ::testing::Each;
using ::testing::IsEmpty;
using Tokens = std::vector<int32_t>;

int32_t RandomPosition(const Tokens& source, const Tokens& tokens) {
  return static_cast<int32_t>(HashOf(source, tokens) / 7 % source.size());
}

class AlignmentTest : public ::testing::Test {
 protected:
  AlignmentTest() {
    runner_.fill_logits = RandomLogits;
    runner_.attend = RandomPosition;
    LaneOptions lane;
    lane.runner = &runner_;
    lane.kv_shape = {/*num_blocks=*/256, /*block_bytes=*/1000,
                     FakeModelRunner::kBlockTokens, 16};
    engine_ = std::make_unique<Engine>(
        EngineOptions(), team_, kernels::KernelsFor(kernels::Isa::kPortable),
        std::vector<LaneOptions>{lane});
  }

  static Request MakeRequest(Tokens source, int32_t beam_size) {
    Request request;
    request.start_tokens = {FakeModelRunner::kStart};
    request.segments = {std::move(source)};
    request.sampling.beam_size = beam_size;
    request.sampling.num_hypotheses = beam_size;
    request.sampling.max_new_tokens = 25;
    request.wants_alignment = true;
    return request;
  }

  std::vector<Hypothesis> Run(Request request) {
    RecordingSink sink;
    request.sink = &sink;
    EXPECT_TRUE(engine_->Submit(/*lane=*/0, std::move(request)).ok());
    EXPECT_TRUE(sink.Wait().ok());
    return sink.hypotheses();
  }

  // The definition: the position of the step that has the token as its input,
  // or, with a shift of 0 and for a last token that was no input, of the step
  // that predicted it.
  Tokens Expected(const Tokens& source, const Hypothesis& hypothesis,
                  int32_t first, int32_t end) const {
    const bool has_eos = hypothesis.finish_reason == FinishReason::kEos;
    Tokens positions;
    Tokens tokens = {FakeModelRunner::kStart};
    for (size_t i = 0; i < hypothesis.tokens.size(); ++i) {
      const int32_t predicted_at = RandomPosition(source, tokens);
      tokens.push_back(hypothesis.tokens[i]);
      const bool is_input =
          runner_.shift == 1 && (i + 1 < hypothesis.tokens.size() || has_eos);
      positions.push_back(
          std::clamp(is_input ? RandomPosition(source, tokens) : predicted_at,
                     first, end - 1));
    }
    return positions;
  }

  FakeModelRunner runner_{/*num_blocks=*/256};
  ThreadTeam team_{/*size=*/2};
  std::unique_ptr<Engine> engine_;  // after what it uses
};

TEST_F(AlignmentTest, PositionsFollowTheirTokensThroughBeams) {
  for (const int32_t shift : {0, 1}) {
    runner_.shift = shift;
    int num_cut = 0;
    for (int32_t id = 0; id < 60; ++id) {
      SCOPED_TRACE(id);
      const Tokens source = {50 + id % 40, 51, 52, 53, 54 + id, 55, 56, 1};
      Request request = MakeRequest(source, /*beam_size=*/1 + id % 5);
      request.sampling.max_new_tokens = 3 + id % 30;
      if (id % 3 == 0) request.start_tokens = {FakeModelRunner::kStart, 9, 8};
      request.source_margins = {/*leading=*/id % 4, /*trailing=*/1 + id % 3};
      const auto [leading, trailing] = request.source_margins;
      for (const Hypothesis& each : Run(std::move(request))) {
        num_cut += each.finish_reason == FinishReason::kLength;
        EXPECT_EQ(each.source_positions,
                  Expected(source, each, leading,
                           static_cast<int32_t>(source.size()) - trailing));
      }
    }
    EXPECT_GT(num_cut, 5);
  }
}

TEST_F(AlignmentTest, OnlyRequestsThatAskHavePositions) {
  runner_.attend = nullptr;  // the fake ends the process if an entry asks
  for (const int32_t beam_size : {1, 4}) {
    Request request = MakeRequest({50, 51, 52, 1}, beam_size);
    request.wants_alignment = false;
    for (const Hypothesis& each : Run(std::move(request))) {
      EXPECT_THAT(each.source_positions, IsEmpty());
    }
  }
}

TEST_F(AlignmentTest, PositionsInASourceOfMarginsAreUnknown) {
  runner_.attend = nullptr;
  for (const int32_t beam_size : {1, 4}) {
    Request request = MakeRequest({50, 51, 52, 1}, beam_size);
    request.source_margins = {/*leading=*/3, /*trailing=*/2};
    for (const Hypothesis& each : Run(std::move(request))) {
      EXPECT_EQ(each.source_positions.size(), each.tokens.size());
      EXPECT_THAT(each.source_positions, Each(-1));
    }
  }
}

TEST_F(AlignmentTest, MeanLogprobIsTheScoreWithoutLengthPenalty) {
  for (const int32_t beam_size : {1, 4}) {
    Request request = MakeRequest({50, 51, 52, 1}, beam_size);
    request.sampling.num_hypotheses = 1;
    const Hypothesis plain = Run(request).front();
    EXPECT_FLOAT_EQ(plain.mean_logprob, plain.score);
    request.sampling.length_penalty = 0;
    const Hypothesis sum = Run(request).front();
    const size_t length =
        sum.tokens.size() + (sum.finish_reason == FinishReason::kEos ? 1 : 0);
    EXPECT_FLOAT_EQ(sum.mean_logprob, sum.score / static_cast<float>(length));
  }
}

}  // namespace
}  // namespace sheaf
