// SPDX-License-Identifier: Apache-2.0

// The cost of a decode step without its products and its attention. With
// T5-Base a step has about 110 barriers, one PlanStep(), and one ChooseToken()
// per sequence. A step that reads half a gigabyte takes ten milliseconds or
// more.

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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

// The time of a run with a hundred barriers and no work between them. If it is
// above a hundred microseconds, members wait in the kernel, because they share
// a core with each other or with another process.
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

// The time of everything that the engine thread does alone in a step, while
// requests of several callers wait for a place. It should be far below a
// hundredth of the step.
void BM_PlanStep(benchmark::State& state) {
  const int32_t num_sequences = static_cast<int32_t>(state.range(0));
  const int32_t num_waiting = static_cast<int32_t>(state.range(1));
  const int32_t num_callers = static_cast<int32_t>(state.range(2));
  constexpr int32_t kSourceTokens = 64, kNewTokens = 64;
  KvBlockPool pool({/*num_blocks=*/num_sequences * 8, /*block_bytes=*/4096,
                    /*self_block_tokens=*/16, /*cross_block_tokens=*/16});
  Scheduler scheduler(num_sequences, pool);
  const Admission admission = {num_sequences * kSourceTokens};
  for (int32_t i = 0; i < num_sequences + num_waiting; ++i) {
    Request request;
    request.caller = absl::StrCat("caller ", i % num_callers);
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
BENCHMARK(BM_PlanStep)
    ->ArgNames({"sequences", "waiting", "callers"})
    ->Args({8, 0, 1})
    ->Args({64, 0, 1})
    ->Args({64, 256, 1})
    ->Args({64, 256, 16});

constexpr int32_t kVocabSize = 32128;  // T5's

// Logits of an uncertain model, without outliers.
std::vector<float> RandomLogits() {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> logits(kVocabSize);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

// The time of one choice. Compare it with the duration of a step divided by its
// sequences; processing logits may take a tenth of that. Greedy decoding scans
// for the maximum and adds up exponentials, limited by arithmetic. Sampling
// weighs all tokens once more. top_k searches the few blocks whose maxima are
// large enough, and top_p sorts the range of logits in which its set ends.
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

// The same for the candidates of one beam, with the rules of a summarizer.
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

// The same for a vocabulary with 256 tokens that are bytes. Subtract the time
// without the rule (output_text 0). With `within`, the beam ends within a
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

// The time of the search itself for one source in a step. Compare it as above.
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
        absl::MakeSpan(candidates), [&](int32_t) { return LiveTokens{tokens}; },
        [](const BeamStep&) -> std::optional<FinishReason> { return {}; });
    benchmark::DoNotOptimize(search.live().data());
  }
}
BENCHMARK(BM_BeamSearchAdvance)->ArgName("beam_size")->Arg(4)->Arg(16);

}  // namespace
}  // namespace sheaf
