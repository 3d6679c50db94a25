// SPDX-License-Identifier: Apache-2.0

// A model with a vocabulary shortlist, against the definition: its logits are
// those of the whole head, and other tokens do not exist.

#include "engine/model/short_head.h"

#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
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

// With a head that is tied or not, has a bias, or a soft cap.
const char* const kModels[] = {"t5v11-gated-untied", "t5v10-relu-tied",
                               "marian-opus",        "bart-cnn",
                               "t5gemma2",           "marian-separate-vocab"};

std::unique_ptr<TestModel> Load(const std::string& directory,
                                const TestModel::Options& options) {
  return TestModel::Load(directory, options);
}

std::shared_ptr<const Shortlist> ShortlistFor(const std::string& directory,
                                              int32_t common_step = 8,
                                              int32_t max_targets = 6) {
  return RandomShortlist(ReadDescription(directory).value().architecture,
                         common_step, max_targets);
}

std::vector<int32_t> RandomSource(const Architecture& architecture,
                                  std::mt19937& random, int32_t max_len) {
  std::vector<int32_t> source;
  for (uint32_t n = random() % max_len + 1; n > 0; --n) {
    source.push_back(
        static_cast<int32_t>(random() % architecture.source_vocab_size));
  }
  source.push_back(architecture.tokens.eos_ids.front());
  return source;
}

// The logits of a step of `num_beams` sequences for each source, with or
// without the OutputTokens of the runner.
struct StepLogits {
  std::vector<std::unique_ptr<OutputTokens>> tokens;  // by source
  std::vector<float> logits;  // [sources, num_beams, vocab_size]
};
StepLogits FirstStep(TestModel& model,
                     const std::vector<std::vector<int32_t>>& sources,
                     int32_t num_beams) {
  TransformerRunner& runner = *model.runner;
  KvBlockPool pool(model.storage->shape());
  std::vector<BlockTable> cross, self;
  std::vector<EncodeEntry> encode;
  cross.reserve(sources.size());
  self.reserve(sources.size() * num_beams);
  StepLogits step;
  std::vector<DecodeEntry> decode;
  static constexpr int32_t kTokens[] = {5, 6, 7, 8};
  for (const std::vector<int32_t>& source : sources) {
    cross.emplace_back(pool, Attention::kCross);
    EXPECT_TRUE(cross.back().GrowTo(static_cast<int32_t>(source.size())));
    encode.push_back({source, cross.back().ids()});
    step.tokens.push_back(runner.MakeOutputTokens(source));
    for (int32_t beam = 0; beam < num_beams; ++beam) {
      self.emplace_back(pool, Attention::kSelf);
      EXPECT_TRUE(self.back().GrowTo(2));
      decode.push_back({absl::MakeConstSpan(kTokens).subspan(beam, 2), 0,
                        self.back().ids(), cross.back().ids(),
                        static_cast<int32_t>(source.size()),
                        step.tokens.back().get()});
    }
  }
  runner.BeginEncode(EncodePass::kMain, encode);
  while (!runner.AdvanceEncode(EncodePass::kMain, 1'000'000)) {
  }
  step.logits.resize(decode.size() * runner.vocab_size());
  runner.Decode(decode, absl::MakeSpan(step.logits));
  return step;
}

// Each logit of an output's tokens has the bits of the whole head, in every
// type of weights and on every processor, whatever the neighbours are.
TEST(ShortHeadTest, LogitsAreThoseOfTheWholeHead) {
  for (const std::string name : kModels) {
    const std::string directory = TestdataDir(name);
    for (const WeightType type : {WeightType::kF32, WeightType::kBf16,
                                  WeightType::kInt8, WeightType::kInt4}) {
      for (const kernels::Isa isa :
           {kernels::Isa::kPortable, kernels::DetectIsa()}) {
        SCOPED_TRACE(name + " " + std::string(WeightTypeName(type)));
        TestModel::Options options = {.type = type, .isa = isa};
        auto whole = Load(directory, options);
        options.shortlist = ShortlistFor(directory);
        auto model = Load(directory, options);
        std::mt19937 random(3);
        std::vector<std::vector<int32_t>> sources;
        sources.reserve(4);
        for (const int32_t max_len : {3, 40, 1, 9}) {
          sources.push_back(
              RandomSource(model->architecture(), random, max_len));
        }
        constexpr int32_t kBeams = 3;
        const StepLogits expected = FirstStep(*whole, sources, kBeams);
        const StepLogits actual = FirstStep(*model, sources, kBeams);
        const int64_t vocab_size = model->runner->vocab_size();
        for (size_t row = 0; row < sources.size() * kBeams; ++row) {
          ASSERT_NE(actual.tokens[row / kBeams], nullptr);
          const auto ids = actual.tokens[row / kBeams]->ids();
          for (size_t i = 0; i < ids.size(); ++i) {
            ASSERT_EQ(actual.logits[row * vocab_size + i],
                      expected.logits[row * vocab_size + ids[i]])
                << row << " " << ids[i];
          }
        }
      }
    }
  }
}

TEST(ShortHeadTest, AnOutputHasTheCommonTokensAndThoseOfItsSource) {
  const std::string directory = TestdataDir("marian-separate-vocab");
  const auto shortlist = ShortlistFor(directory);
  auto model = Load(directory, {.shortlist = shortlist});
  std::mt19937 random(5);
  for (int i = 0; i < 20; ++i) {
    const std::vector<int32_t> source =
        RandomSource(model->architecture(), random, 30);
    std::set<int32_t> expected(shortlist->common().begin(),
                               shortlist->common().end());
    for (int32_t token : source) {
      const auto targets = shortlist->TargetsOf(token);
      expected.insert(targets.begin(), targets.end());
    }
    const auto tokens = model->runner->MakeOutputTokens(source);
    ASSERT_NE(tokens, nullptr);
    EXPECT_TRUE(std::equal(tokens->ids().begin(), tokens->ids().end(),
                           expected.begin(), expected.end()));
  }
}

// A source whose tokens are too many has the whole vocabulary, in the same step
// as others that have not.
TEST(ShortHeadTest, ASourceOfTooManyTokensHasTheWholeVocabulary) {
  const std::string directory = SHEAF_MODELS_DIR "/sheaf-small";
  TestModel::Options options = {.type = WeightType::kInt8};
  auto whole = Load(directory, options);
  const Architecture& architecture = whole->architecture();
  ShortlistTables tables = {.common = {1}};
  // Token 3 has 4096 targets in addition to the common one, token 4 one more.
  tables.offsets.assign(architecture.source_vocab_size + 1, 0);
  for (int32_t id = 2; id < 2 + 4096; ++id) tables.targets.push_back(id);
  for (int32_t id = 1; id < 2 + 4097; ++id) tables.targets.push_back(id);
  const auto num_targets = static_cast<int32_t>(tables.targets.size());
  std::fill(tables.offsets.begin() + 4, tables.offsets.end(), 4096);
  std::fill(tables.offsets.begin() + 5, tables.offsets.end(), num_targets);
  absl::StatusOr<Shortlist> shortlist = Shortlist::Make(
      "s", {architecture.source_vocab_size, architecture.vocab_size}, tables);
  ASSERT_TRUE(shortlist.ok()) << shortlist.status();
  options.shortlist = std::make_shared<const Shortlist>(*std::move(shortlist));
  auto model = Load(directory, options);
  const std::vector<std::vector<int32_t>> sources = {
      {3, 1}, {4, 1}, {4, 9, 1}, {9, 1}};
  const StepLogits expected = FirstStep(*whole, sources, /*num_beams=*/2);
  const StepLogits actual = FirstStep(*model, sources, /*num_beams=*/2);
  ASSERT_NE(actual.tokens[0], nullptr);
  EXPECT_EQ(actual.tokens[0]->ids().size(), 4097u);
  EXPECT_EQ(actual.tokens[1], nullptr);
  EXPECT_EQ(actual.tokens[2], nullptr);
  ASSERT_NE(actual.tokens[3], nullptr);
  EXPECT_EQ(actual.tokens[3]->ids().size(), 1u);
  const int64_t vocab_size = architecture.vocab_size;
  for (int64_t row = 0; row < 8; ++row) {
    const OutputTokens* tokens = actual.tokens[row / 2].get();
    const int64_t num_logits = tokens == nullptr
                                   ? vocab_size
                                   : static_cast<int64_t>(tokens->ids().size());
    for (int64_t i = 0; i < num_logits; ++i) {
      const int64_t id = tokens == nullptr ? i : tokens->ids()[i];
      ASSERT_EQ(actual.logits[row * vocab_size + i],
                expected.logits[row * vocab_size + id]);
    }
  }
}

// Computes all logits and then forbids the tokens that an output may not have.
class ForbiddingRunner : public ModelRunner {
 public:
  ForbiddingRunner(TransformerRunner& whole, TransformerRunner& shortened)
      : whole_(whole), shortened_(shortened) {}

  int32_t vocab_size() const override { return whole_.vocab_size(); }
  absl::Span<const int32_t> eos_token_ids() const override {
    return whole_.eos_token_ids();
  }
  RunnerLimits limits() const override { return whole_.limits(); }
  void BeginEncode(EncodePass pass,
                   absl::Span<const EncodeEntry> entries) override {
    for (const EncodeEntry& entry : entries) {
      const auto tokens = shortened_.MakeOutputTokens(entry.source);
      allowed_[entry.cross_blocks.front()] = {tokens->ids().begin(),
                                              tokens->ids().end()};
    }
    whole_.BeginEncode(pass, entries);
  }
  bool AdvanceEncode(EncodePass pass, int64_t token_layers) override {
    return whole_.AdvanceEncode(pass, token_layers);
  }
  void DropEncode(EncodePass pass, int32_t entry_index) override {
    whole_.DropEncode(pass, entry_index);
  }
  void CopySelfBlocks(absl::Span<const BlockCopy> copies) override {
    whole_.CopySelfBlocks(copies);
  }
  void Decode(absl::Span<const DecodeEntry> entries,
              absl::Span<float> logits) override {
    whole_.Decode(entries, logits);
    for (size_t i = 0; i < entries.size(); ++i) {
      const std::set<int32_t>& allowed =
          allowed_[entries[i].cross_blocks.front()];
      for (int32_t id = 0; id < vocab_size(); ++id) {
        if (allowed.count(id) > 0) continue;
        logits[i * vocab_size() + id] = -std::numeric_limits<float>::infinity();
      }
    }
  }

 private:
  TransformerRunner& whole_;
  TransformerRunner& shortened_;
  std::map<int32_t, std::set<int32_t>> allowed_;  // by first cross block
};

// Greedy, sampled and ruled requests and beams.
Request MakeRequest(int index, const Architecture& architecture) {
  std::mt19937 random(index);
  Request request;
  request.segments.push_back(RandomSource(architecture, random, 40));
  request.start_tokens = {architecture.tokens.start_id};
  SamplingParams& sampling = request.sampling;
  sampling.max_new_tokens = 4 + static_cast<int32_t>(random() % 20);
  switch (index % 4) {
    case 0:
      break;
    case 1:
      sampling.temperature = 0.8f;
      sampling.top_p = 0.9f;
      sampling.top_k = index % 8 == 1 ? 20 : 0;
      sampling.seed = index;
      break;
    default:
      sampling.beam_size = 2 + static_cast<int32_t>(random() % 5);
      sampling.num_hypotheses = sampling.beam_size;
  }
  if (random() % 2 == 0) sampling.no_repeat_ngram_size = 2;
  if (random() % 2 == 0) sampling.repetition_penalty = 1.3f;
  if (random() % 3 == 0) sampling.min_new_tokens = 4;
  if (random() % 3 == 0) sampling.suppressed_tokens = {8, 9, 10};
  if (random() % 4 == 0) sampling.forced_first_token = 33;
  return request;
}

std::vector<Hypothesis> RunAlone(ModelRunner& runner, TestModel& model,
                                 const Request& request) {
  Engine engine({}, model.team, *model.kernels,
                {{.runner = &runner, .kv_shape = model.storage->shape()}});
  RecordingSink sink;
  Request sent = request;
  sent.sink = &sink;
  EXPECT_TRUE(engine.Submit(/*lane=*/0, std::move(sent)).ok());
  EXPECT_TRUE(sink.Wait().ok());
  return sink.hypotheses();
}

TEST(ShortHeadTest, OutputsAreThoseOfTheWholeHeadWithoutTheOtherTokens) {
  for (const std::string name : {"t5v11-gated-untied", "bart-cnn"}) {
    SCOPED_TRACE(name);
    const std::string directory = TestdataDir(name);
    const auto shortlist = ShortlistFor(directory);
    auto whole = Load(directory, {});
    auto model = Load(directory, {.shortlist = shortlist});
    ForbiddingRunner forbidding(*whole->runner, *model->runner);
    for (int i = 0; i < 40; ++i) {
      SCOPED_TRACE(i);
      const Request request = MakeRequest(i, model->architecture());
      const auto expected = RunAlone(forbidding, *whole, request);
      const auto actual = RunAlone(*model->runner, *model, request);
      ASSERT_EQ(actual.size(), expected.size());
      for (size_t j = 0; j < actual.size(); ++j) {
        EXPECT_EQ(actual[j].tokens, expected[j].tokens);
        EXPECT_NEAR(actual[j].score, expected[j].score, 1e-5);
      }
    }
  }
}

TEST(ShortHeadTest, ForcedTokensNeedNotBeInTheShortlist) {
  const std::string directory = TestdataDir("t5v11-gated-untied");
  const Architecture architecture =
      ReadDescription(directory).value().architecture;
  ShortlistTables tables = {.common = {1, 20}};
  tables.offsets.assign(architecture.source_vocab_size + 1, 0);
  absl::StatusOr<Shortlist> shortlist = Shortlist::Make(
      "s", {architecture.source_vocab_size, architecture.vocab_size}, tables);
  ASSERT_TRUE(shortlist.ok());
  auto model = Load(
      directory,
      {.shortlist = std::make_shared<const Shortlist>(*std::move(shortlist))});
  Request request;
  request.segments.push_back({4, 5, 1});
  request.start_tokens = {architecture.tokens.start_id, 7, 8};
  request.sampling.max_new_tokens = 6;
  request.sampling.min_new_tokens = 5;
  request.sampling.forced_last_token = 9;
  for (const int32_t beam_size : {1, 3}) {
    request.sampling.beam_size = beam_size;
    EXPECT_EQ(RunAlone(*model->runner, *model, request).front().tokens,
              (std::vector<int32_t>{7, 8, 20, 20, 20, 9}));
  }
}

}  // namespace
}  // namespace sheaf
