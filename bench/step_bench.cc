// What a decode step costs beside its products and its attention. T5-Base has
// some 110 barriers a step, one PlanStep() and one ChooseToken() a sequence;
// a step that reads half a gigabyte takes ten milliseconds or more.

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/monotonic_time.h"
#include "benchmark/benchmark.h"
#include "engine/beam_search.h"
#include "engine/decoding.h"
#include "engine/kernels/kernels.h"
#include "engine/kv_block_pool.h"
#include "engine/request.h"
#include "engine/scheduler.h"
#include "engine/thread_team.h"

namespace sheaf {
namespace {

constexpr int kBarriers = 100;

// Read the time of a run: a hundred barriers between which nothing is done.
// Past a hundred microseconds, members wait in the kernel: they share a core,
// with one another or with a neighbour.
void BM_RunOfHundredBarriers(benchmark::State& state) {
  ThreadTeam team(static_cast<int32_t>(state.range(0)));
  for (auto _ : state) {
    team.Run([](const ThreadTeam::Member& member) {
      for (int i = 0; i < kBarriers; ++i) member.Barrier();
    });
  }
}
BENCHMARK(BM_RunOfHundredBarriers)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(NumUsableProcessors())
    ->UseRealTime();

// Read the time: it is all that the engine thread does alone for a step, and
// should stay far below a hundredth of it.
void BM_PlanStep(benchmark::State& state) {
  const int32_t num_sequences = static_cast<int32_t>(state.range(0));
  constexpr int32_t kSourceTokens = 64, kNewTokens = 64;
  KvBlockPool pool({/*num_blocks=*/num_sequences * 8, /*block_bytes=*/4096,
                    /*self_block_tokens=*/16, /*cross_block_tokens=*/16});
  Scheduler scheduler(num_sequences, pool);
  const Admission admission = {num_sequences * kSourceTokens};
  for (int32_t i = 0; i < num_sequences; ++i) {
    Request request;
    request.start_tokens = {0};
    request.segments.push_back(std::vector<int32_t>(kSourceTokens, 5));
    request.sampling.max_new_tokens = kNewTokens;
    scheduler.Add(static_cast<RequestId>(i), std::move(request),
                  MonotonicTime());
  }
  for (Segment* segment : StepPlan(scheduler.PlanStep(admission)).encode) {
    scheduler.FinishEncode(*segment);
  }
  for (auto _ : state) {
    const StepPlan& plan = scheduler.PlanStep(admission);
    benchmark::DoNotOptimize(plan.decode.data());
  }
}
BENCHMARK(BM_PlanStep)->ArgName("sequences")->Arg(8)->Arg(64);

constexpr int32_t kVocabSize = 32128;  // T5's

// Logits of a model that knows little: nothing is far from the rest.
std::vector<float> RandomLogits() {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> logits(kVocabSize);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

// Read the time of one sequence's choice, by a step's share of a sequence: the
// logits' processing may take a tenth of that. Greedy is a scan for the
// greatest and a sum of exponentials, limited by arithmetic; sampling weighs
// all tokens once more; top_k looks into the few blocks whose maxima say that
// they may hold one of the best, top_p sorts the range of logits where its set
// ends.
void BM_ChooseToken(benchmark::State& state) {
  const kernels::Kernels& kernels = kernels::KernelsFor(kernels::DetectIsa());
  SamplingParams sampling;
  sampling.temperature = static_cast<float>(state.range(0));
  sampling.top_k = static_cast<int32_t>(state.range(1));
  sampling.top_p = static_cast<float>(state.range(2)) / 100.0f;
  const std::vector<int32_t> eos = {1}, tokens = {0, 5, 6, 7};
  std::vector<float> logits = RandomLogits();
  DecodingScratch scratch;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ChooseToken({sampling, eos, tokens,
                                          /*segment_index=*/0},
                                         kernels, absl::MakeSpan(logits),
                                         scratch));
  }
  state.SetItemsProcessed(state.iterations() * kVocabSize);
}
BENCHMARK(BM_ChooseToken)
    ->ArgNames({"temperature", "top_k", "top_p_percent"})
    ->Args({0, 0, 100})
    ->Args({1, 0, 100})
    ->Args({1, 50, 100})
    ->Args({1, 0, 90})
    ->Args({1, 50, 90});

// The same for one beam: what it offers to the search, with the rules that a
// summarizer has.
void BM_RankTokens(benchmark::State& state) {
  const kernels::Kernels& kernels = kernels::KernelsFor(kernels::DetectIsa());
  SamplingParams sampling;
  sampling.beam_size = static_cast<int32_t>(state.range(0));
  sampling.no_repeat_ngram_size = 3;
  sampling.min_new_tokens = 30;
  const std::vector<int32_t> eos = {1}, tokens(100, 7);
  std::vector<float> logits = RandomLogits();
  std::vector<ChosenToken> ranked(2 * sampling.beam_size);
  DecodingScratch scratch;
  for (auto _ : state) {
    benchmark::DoNotOptimize(RankTokens({sampling, eos, tokens,
                                         /*segment_index=*/0},
                                        kernels, absl::MakeSpan(logits),
                                        scratch, absl::MakeSpan(ranked)));
  }
  state.SetItemsProcessed(state.iterations() * kVocabSize);
}
BENCHMARK(BM_RankTokens)->ArgName("beam_size")->Arg(1)->Arg(4)->Arg(16);

// The same for a vocabulary with 256 tokens that are bytes: subtract the time
// without the rule (output_text 0). `within` is a beam that stands within a
// character.
void BM_RankTokensWithBytes(benchmark::State& state) {
  const kernels::Kernels& kernels = kernels::KernelsFor(kernels::DetectIsa());
  constexpr int32_t kFirstByte = 3;
  std::vector<Utf8Rule::ByteToken> bytes;
  for (int32_t byte = 0; byte < 256; ++byte) {
    bytes.emplace_back(kFirstByte + byte,
                       std::string(1, static_cast<char>(byte)));
  }
  const Utf8Rule rule(bytes);
  SamplingParams sampling;
  sampling.beam_size = static_cast<int32_t>(state.range(0));
  sampling.output_text = static_cast<OutputText>(state.range(1));
  const bool is_within = state.range(2) != 0;
  const std::vector<int32_t> eos = {1};
  const std::vector<int32_t> tokens = {0, 1000,
                                       is_within ? kFirstByte + 0xE2 : 1000};
  std::vector<float> logits = RandomLogits();
  std::vector<ChosenToken> ranked(2 * sampling.beam_size);
  DecodingScratch scratch;
  for (auto _ : state) {
    const TokenContext context = {sampling, eos, tokens, /*segment_index=*/0,
                                  &rule};
    if (sampling.beam_size == 1) {
      benchmark::DoNotOptimize(
          ChooseToken(context, kernels, absl::MakeSpan(logits), scratch));
    } else {
      benchmark::DoNotOptimize(RankTokens(context, kernels,
                                          absl::MakeSpan(logits), scratch,
                                          absl::MakeSpan(ranked)));
    }
  }
  state.SetItemsProcessed(state.iterations() * kVocabSize);
}
BENCHMARK(BM_RankTokensWithBytes)
    ->ArgNames({"beam_size", "output_text", "within"})
    ->ArgsProduct({{1, 4}, {0, 2}, {0}})
    ->Args({1, 2, 1})
    ->Args({4, 2, 1});

// Read the time of one source's step of the search itself, by the same measure.
void BM_BeamSearchAdvance(benchmark::State& state) {
  SamplingParams sampling;
  sampling.beam_size = static_cast<int32_t>(state.range(0));
  sampling.max_new_tokens = 1 << 20;
  const std::vector<int32_t> eos = {1}, tokens(100, 7);
  std::mt19937 random(1);
  std::vector<BeamStep> candidates;
  for (int32_t beam = 0; beam < sampling.beam_size; ++beam) {
    for (int32_t i = 0; i < 2 * sampling.beam_size; ++i) {
      candidates.push_back({beam, 2 + i, -static_cast<double>(random())});
    }
  }
  BeamSearch search(sampling, eos);
  for (auto _ : state) {
    search.Advance(
        absl::MakeSpan(candidates),
        [&](int32_t) { return absl::MakeConstSpan(tokens); },
        [](const BeamStep&) -> std::optional<FinishReason> { return {}; });
    benchmark::DoNotOptimize(search.live().data());
  }
}
BENCHMARK(BM_BeamSearchAdvance)->ArgName("beam_size")->Arg(4)->Arg(16);

}  // namespace
}  // namespace sheaf
