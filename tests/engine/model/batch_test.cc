// SPDX-License-Identifier: Apache-2.0

// A request gets the same answer in every batch, to the last bit of its score:
// on the embedded model, and on small ones with biases and layer norms.

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"
#include "tests/support/recording_sink.h"
#include "tests/support/shortlist_files.h"
#include "tests/support/test_model.h"

namespace sheaf {
namespace {

// The hypotheses of a request, best first.
struct Outcome {
  std::vector<int32_t> tokens;
  float score;
  FinishReason reason;
  std::vector<int32_t> source_positions;
  bool operator==(const Outcome&) const = default;
};
using Outcomes = std::vector<Outcome>;

// Deterministic mixes of greedy, ruled and sampled requests and beams of all
// lengths.
Request MakeRequest(int index, const Architecture& architecture) {
  std::mt19937 rng(index);
  Request request;
  std::vector<int32_t> source;
  const int len = 1 + static_cast<int>(rng() % 60);
  for (int i = 0; i < len; ++i) {
    source.push_back(
        3 + static_cast<int32_t>(rng() % (architecture.vocab_size - 3)));
  }
  source.push_back(architecture.tokens.eos_ids.front());
  request.segments.push_back(source);
  request.start_tokens = {architecture.tokens.start_id};
  request.sampling.max_new_tokens = 1 + static_cast<int32_t>(rng() % 40);
  if (rng() % 3 == 0) {
    request.sampling.temperature = 0.8f;
    request.sampling.top_p = 0.9f;
    request.sampling.seed = index;
  } else if (rng() % 2 == 0) {
    request.sampling.beam_size = 2 + static_cast<int32_t>(rng() % 5);
    request.sampling.num_hypotheses = request.sampling.beam_size;
    request.sampling.search_end = static_cast<SearchEnd>(rng() % 3);
  }
  if (rng() % 4 == 0) request.sampling.no_repeat_ngram_size = 2;
  if (rng() % 5 == 0) {
    request.start_tokens = {architecture.tokens.start_id, 17, 18, 19};
  }
  request.sampling.max_new_tokens += 3;
  request.wants_alignment = index % 2 == 0;
  request.source_margins.trailing = 1;
  return request;
}

class BatchTest : public ::testing::Test {
 protected:
  std::unique_ptr<TestModel> Model(
      int32_t num_threads = 2,
      const std::string& directory = SHEAF_MODELS_DIR "/sheaf-small",
      std::shared_ptr<const Shortlist> shortlist = nullptr) {
    return TestModel::Load(directory, {.num_threads = num_threads,
                                       .kv_bytes = 64 << 20,
                                       .shortlist = std::move(shortlist)});
  }

  // Sixty-four requests get what each gets alone.
  static void ExpectSameAsAlone(TestModel& model) {
    Engine engine(
        {}, model.team, *model.kernels,
        {{.runner = model.runner, .kv_shape = model.storage->shape()}});
    std::vector<Request> requests;
    std::vector<Outcomes> alone;
    for (int i = 0; i < 64; ++i) {
      requests.push_back(MakeRequest(i, model.architecture()));
      alone.push_back(RunAlone(engine, requests.back()));
    }
    const std::vector<Outcomes> together = RunTogether(engine, requests);
    for (int i = 0; i < 64; ++i) {
      EXPECT_TRUE(together[i] == alone[i]) << i;
      for (const Outcome& each : alone[i]) {
        EXPECT_EQ(each.source_positions.size(),
                  requests[i].wants_alignment ? each.tokens.size() : 0);
      }
    }
  }

  static Outcomes OutcomeOf(RecordingSink& sink) {
    EXPECT_TRUE(sink.Wait().ok());
    EXPECT_EQ(sink.hypotheses().front().tokens, sink.tokens());
    Outcomes outcomes;
    for (const Hypothesis& each : sink.hypotheses()) {
      outcomes.push_back(
          {each.tokens, each.score, each.finish_reason, each.source_positions});
    }
    return outcomes;
  }

  static Outcomes RunAlone(Engine& engine, Request request) {
    RecordingSink sink;
    request.sink = &sink;
    EXPECT_TRUE(engine.Submit(/*lane=*/0, std::move(request)).ok());
    return OutcomeOf(sink);
  }

  static std::vector<Outcomes> RunTogether(Engine& engine,
                                           std::vector<Request> requests) {
    std::vector<std::unique_ptr<RecordingSink>> sinks;
    for (Request& request : requests) {
      sinks.push_back(std::make_unique<RecordingSink>());
      request.sink = sinks.back().get();
      EXPECT_TRUE(engine.Submit(/*lane=*/0, std::move(request)).ok());
    }
    std::vector<Outcomes> outcomes;
    for (auto& sink : sinks) outcomes.push_back(OutcomeOf(*sink));
    return outcomes;
  }
};

TEST_F(BatchTest, SixtyFourRequestsGetWhatEachGetsAlone) {
  for (const std::string& directory :
       {std::string(SHEAF_MODELS_DIR "/sheaf-small"),
        TestdataDir("marian-opus"), TestdataDir("bart-cnn"),
        TestdataDir("t5gemma"), TestdataDir("t5gemma2"),
        TestdataDir("nllb-gqa")}) {
    SCOPED_TRACE(directory);
    ExpectSameAsAlone(*Model(/*num_threads=*/2, directory));
  }
}

// The tokens that other sources allow make no difference.
TEST_F(BatchTest, SixtyFourRequestsOfAShortlistGetWhatEachGetsAlone) {
  for (const std::string& directory :
       {std::string(SHEAF_MODELS_DIR "/sheaf-small"), TestdataDir("bart-cnn"),
        TestdataDir("t5gemma2")}) {
    SCOPED_TRACE(directory);
    const auto shortlist =
        RandomShortlist(ReadDescription(directory).value().architecture,
                        /*common_step=*/10, /*max_targets=*/20);
    ExpectSameAsAlone(*Model(/*num_threads=*/2, directory, shortlist));
  }
}

// Two passes of the encoder in turns, against one after the other: the same
// logits, to the last bit.
TEST_F(BatchTest, APassThatOvertakesAnotherChangesNothing) {
  auto model = Model();
  TransformerRunner& runner = *model->runner;
  KvBlockPool pool(model->storage->shape());
  const std::vector<int32_t> sources[] = {std::vector<int32_t>(300, 17),
                                          {21, 22, 23, 24, 25, 1}};
  constexpr EncodePass kPasses[] = {EncodePass::kMain, EncodePass::kOvertaking};
  std::vector<float> logits[2];
  for (const bool is_in_turns : {false, true}) {
    BlockTable cross[] = {{pool, Attention::kCross}, {pool, Attention::kCross}};
    BlockTable self[] = {{pool, Attention::kSelf}, {pool, Attention::kSelf}};
    const auto begin = [&](int i) {
      const EncodeEntry entry = {sources[i], cross[i].ids()};
      runner.BeginEncode(kPasses[i], {&entry, 1});
    };
    const auto advance = [&](int i) {
      return runner.AdvanceEncode(kPasses[i], /*token_layers=*/1);
    };
    for (int i : {0, 1}) {
      ASSERT_TRUE(cross[i].GrowTo(static_cast<int32_t>(sources[i].size())));
      ASSERT_TRUE(self[i].GrowTo(1));
    }
    begin(0);
    if (is_in_turns) {
      ASSERT_FALSE(advance(0));
      begin(1);
      while (!advance(1)) ASSERT_FALSE(advance(0));
    }
    while (!advance(0)) {
    }
    if (!is_in_turns) {
      begin(1);
      while (!advance(1)) {
      }
    }
    const int32_t start = model->architecture().tokens.start_id;
    std::vector<DecodeEntry> entries;
    for (int i : {0, 1}) {
      entries.push_back({{&start, 1},
                         0,
                         self[i].ids(),
                         cross[i].ids(),
                         static_cast<int32_t>(sources[i].size())});
    }
    logits[is_in_turns].resize(2 * runner.vocab_size());
    runner.Decode(entries, absl::MakeSpan(logits[is_in_turns]));
  }
  EXPECT_TRUE(logits[0] == logits[1]);
}

// The blocks of a source that is dropped while it is encoded go to another.
TEST_F(BatchTest, ADroppedSourceIsWrittenNowhere) {
  auto model = Model();
  TransformerRunner& runner = *model->runner;
  KvBlockPool pool(model->storage->shape());
  const std::vector<int32_t> dropped(100, 17), kept(40, 18),
      next = {21, 22, 23, 24, 25, 1};
  BlockTable first(pool, Attention::kCross), second(pool, Attention::kCross),
      self(pool, Attention::kSelf);
  ASSERT_TRUE(first.GrowTo(100) && second.GrowTo(40) && self.GrowTo(1));
  const auto encode_next = [&] {
    const EncodeEntry entry = {next, first.ids()};
    runner.BeginEncode(EncodePass::kOvertaking, {&entry, 1});
    while (!runner.AdvanceEncode(EncodePass::kOvertaking, 1)) {
    }
  };
  const auto logits_of_next = [&] {
    const int32_t start = model->architecture().tokens.start_id;
    const DecodeEntry entry = {{&start, 1}, 0, self.ids(), first.ids(), 6};
    std::vector<float> logits(runner.vocab_size());
    runner.Decode({&entry, 1}, absl::MakeSpan(logits));
    return logits;
  };
  encode_next();
  const std::vector<float> expected = logits_of_next();

  const EncodeEntry entries[] = {{dropped, first.ids()}, {kept, second.ids()}};
  runner.BeginEncode(EncodePass::kMain, entries);
  ASSERT_FALSE(runner.AdvanceEncode(EncodePass::kMain, /*token_layers=*/1));
  runner.DropEncode(EncodePass::kMain, 0);
  encode_next();
  while (!runner.AdvanceEncode(EncodePass::kMain, 1'000)) {
  }
  EXPECT_TRUE(logits_of_next() == expected);
}

// One thread computes every product alone. Several share the products, or the
// rows if the model is small, which int8 makes the embedded one; the batch
// becomes smaller to its end.
TEST_F(BatchTest, TheNumberOfThreadsChangesNothing) {
  const std::string embedded = SHEAF_MODELS_DIR "/sheaf-small";
  const std::pair<std::string, WeightType> models[] = {
      {embedded, WeightType::kF32},
      {embedded, WeightType::kInt8},
      {TestdataDir("t5v11-gated-untied"), WeightType::kF32},
      {TestdataDir("marian-opus"), WeightType::kBf16},
      {TestdataDir("bart-cnn"), WeightType::kInt8},
      {TestdataDir("pegasus"), WeightType::kF32},
      {TestdataDir("umt5"), WeightType::kF32},
      {TestdataDir("t5gemma-gqa-bf16"), WeightType::kF32},
      {TestdataDir("t5gemma2"), WeightType::kInt8},
      {TestdataDir("nllb-gqa"), WeightType::kF32}};
  for (const auto& [directory, type] : models) {
    std::vector<Outcomes> with_one;
    for (int32_t num_threads = 1; num_threads <= 4; ++num_threads) {
      SCOPED_TRACE(directory + " " + std::to_string(num_threads));
      auto model = TestModel::Load(
          directory,
          {.num_threads = num_threads, .type = type, .kv_bytes = 64 << 20});
      Engine engine(
          {}, model->team, *model->kernels,
          {{.runner = model->runner, .kv_shape = model->storage->shape()}});
      std::vector<Request> requests;
      for (int i = 0; i < 16; ++i) {
        requests.push_back(MakeRequest(i, model->architecture()));
      }
      std::vector<Outcomes> outcomes = RunTogether(engine, requests);
      if (num_threads == 1) {
        with_one = std::move(outcomes);
      } else {
        EXPECT_TRUE(outcomes == with_one);
      }
    }
  }
}

// With an observer, the members share the products of every model. From four
// rows on they also quantize together, and fewer rows each for itself.
TEST_F(BatchTest, RowsAreQuantizedAloneAsTogether) {
  struct IdleObserver : DecoderObserver {
    void OnAttentionInput(int32_t, Attention,
                          absl::Span<const float>) override {}
  };
  constexpr int kSources = 20;
  for (const std::string& directory :
       {std::string(SHEAF_MODELS_DIR "/sheaf-small"), TestdataDir("bart-cnn"),
        TestdataDir("t5gemma2")}) {
    std::vector<float> with_one;
    for (int32_t num_threads = 1; num_threads <= 4; ++num_threads) {
      SCOPED_TRACE(directory + " " + std::to_string(num_threads));
      auto model = TestModel::Load(directory, {.num_threads = num_threads,
                                               .type = WeightType::kInt8,
                                               .kv_bytes = 64 << 20});
      TransformerRunner& runner = *model->runner;
      IdleObserver observer;
      runner.set_decoder_observer(&observer);
      KvBlockPool pool(model->storage->shape());
      std::vector<BlockTable> tables;
      tables.reserve(2 * kSources);
      std::vector<DecodeEntry> entries;
      const int32_t start = model->architecture().tokens.start_id;
      for (int i = 0; i < kSources; ++i) {
        std::vector<int32_t> source(i + 1, 10 + i);
        source.push_back(model->architecture().tokens.eos_ids.front());
        const int32_t len = static_cast<int32_t>(source.size());
        BlockTable& cross = tables.emplace_back(pool, Attention::kCross);
        BlockTable& self = tables.emplace_back(pool, Attention::kSelf);
        ASSERT_TRUE(cross.GrowTo(len) && self.GrowTo(1));
        const EncodeEntry entry = {source, cross.ids()};
        runner.BeginEncode(EncodePass::kMain, {&entry, 1});
        while (!runner.AdvanceEncode(EncodePass::kMain, 1'000)) {
        }
        entries.push_back({{&start, 1}, 0, self.ids(), cross.ids(), len});
      }
      const auto decode = [&](absl::Span<const DecodeEntry> some) {
        std::vector<float> logits(some.size() * runner.vocab_size());
        runner.Decode(some, absl::MakeSpan(logits));
        return logits;
      };
      const std::vector<float> together = decode(entries);
      std::vector<float> alone;
      for (const DecodeEntry& entry : entries) {
        const std::vector<float> logits = decode({&entry, 1});
        alone.insert(alone.end(), logits.begin(), logits.end());
      }
      EXPECT_TRUE(alone == together);
      if (num_threads == 1) with_one = together;
      EXPECT_TRUE(together == with_one);
    }
  }
}

}  // namespace
}  // namespace sheaf
