// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/recording_sink.h"
#include "tests/support/test_model.h"

namespace sheaf {

// `options` of a run in an expected.json.
inline SamplingParams ToSampling(const nlohmann::json& options) {
  using nlohmann::json;
  SamplingParams sampling;
  sampling.max_new_tokens = options["max_new_tokens"];
  sampling.min_new_tokens = std::max(options.value("min_new_tokens", 0),
                                     options.value("min_length", 1) - 1);
  sampling.repetition_penalty = options.value("repetition_penalty", 1.0f);
  sampling.no_repeat_ngram_size = options.value("no_repeat_ngram_size", 0);
  using Ids = std::vector<int32_t>;
  if (options.contains("bad_words_ids")) {
    sampling.bad_words = std::make_shared<const std::vector<Ids>>(
        options["bad_words_ids"].get<std::vector<Ids>>());
  }
  sampling.suppressed_tokens = options.value("suppress_tokens", Ids());
  sampling.first_suppressed_tokens =
      options.value("begin_suppress_tokens", Ids());
  sampling.is_renormalized = options.value("renormalize_logits", false);
  sampling.forced_first_token = options.value("forced_bos_token_id", -1);
  sampling.forced_last_token = options.value("forced_eos_token_id", -1);
  sampling.beam_size = options.value("num_beams", 1);
  sampling.num_hypotheses = options.value("num_return_sequences", 1);
  sampling.length_penalty = options.value("length_penalty", 1.0f);
  const json early = options.value("early_stopping", json(false));
  sampling.search_end = early == json("never") ? SearchEnd::kNoLiveBeamCanWin
                        : early == json(true)  ? SearchEnd::kImmediately
                                               : SearchEnd::kNoLiveBeamBetter;
  return sampling;
}

// Without the end token, as hypotheses are.
inline std::vector<int32_t> ToTokens(const nlohmann::json& ids,
                                     const TokenRules& rules) {
  auto tokens = ids.get<std::vector<int32_t>>();
  for (const int32_t eos : rules.eos_ids) {
    if (tokens.empty() || tokens.back() != eos) continue;
    tokens.pop_back();
    break;
  }
  return tokens;
}

// One run of an expected.json.
struct SentRun {
  const nlohmann::json* run;
  std::string name;
  std::unique_ptr<RecordingSink> sink;
};

// Waits for a run and compares its tokens and scores with the reference's.
inline void ExpectRun(const SentRun& sent, const TokenRules& rules) {
  using nlohmann::json;
  constexpr float kScoreTolerance = 1e-4f;
  SCOPED_TRACE(sent.name + " input " + (*sent.run)["input"].dump());
  EXPECT_TRUE(sent.sink->Wait().ok());
  const std::vector<Hypothesis>& hypotheses = sent.sink->hypotheses();
  const json& ids = (*sent.run)["ids"];
  ASSERT_EQ(hypotheses.size(), ids.size());
  EXPECT_EQ(sent.sink->tokens(), ToTokens(ids[0], rules));
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(hypotheses[i].tokens, ToTokens(ids[i], rules)) << i;
    if (!sent.run->contains("scores")) continue;  // greedy
    EXPECT_NEAR(hypotheses[i].score, (*sent.run)["scores"][i], kScoreTolerance);
  }
}

// All runs of an expected.json, greedy ones and beams of all widths, all at
// once in one continuous batch, or each alone: tokens and scores are the
// reference's.
inline void ExpectRuns(const nlohmann::json& expected, TestModel& model,
                       bool is_alone = false) {
  using nlohmann::json;
  int num_beam_runs = 0;
  LaneOptions lane = {.runner = model.runner,
                      .kv_shape = model.storage->shape()};
  lane.max_queue = 1024;  // all runs at once
  Engine engine({}, model.team, *model.kernels, {lane});
  const TokenRules& rules = model.architecture().tokens;
  std::vector<SentRun> sent;
  for (const json& each : expected["cases"]) {
    for (const json& run : each["runs"]) {
      Request request;
      request.start_tokens = {rules.start_id};
      request.sampling = ToSampling(run["options"]);
      num_beam_runs += request.sampling.beam_size > 1 ? 1 : 0;
      auto sink = std::make_unique<RecordingSink>();
      request.segments.push_back(
          expected["inputs"][run["input"].get<size_t>()]["ids"]
              .get<std::vector<int32_t>>());
      request.sink = sink.get();
      const auto id = engine.Submit(/*lane=*/0, std::move(request));
      ASSERT_TRUE(id.ok()) << id.status();
      sent.push_back({&run, each["name"], std::move(sink)});
      if (is_alone) ExpectRun(sent.back(), rules);
    }
  }
  for (const SentRun& each : sent) {
    if (!is_alone) ExpectRun(each, rules);
  }
  EXPECT_GE(num_beam_runs, 3);
}

}  // namespace sheaf
