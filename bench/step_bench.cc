// What a decode step costs beside its products and its attention. T5-Base has
// some 110 barriers a step, one PlanStep() and one ChooseToken() a sequence;
// a step that reads half a gigabyte takes ten milliseconds or more.

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "benchmark/benchmark.h"
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
  Scheduler scheduler({num_sequences, num_sequences * kSourceTokens}, pool);
  for (int32_t i = 0; i < num_sequences; ++i) {
    Request request;
    request.segments.emplace_back(kSourceTokens, 5);
    request.sampling.max_new_tokens = kNewTokens;
    scheduler.Add(static_cast<RequestId>(i), std::move(request),
                  absl::UnixEpoch());
  }
  for (Segment* segment :
       StepPlan(scheduler.PlanStep(/*may_encode=*/true, /*start_token=*/0))
           .encode) {
    scheduler.FinishEncode(*segment);
  }
  for (auto _ : state) {
    const StepPlan& plan =
        scheduler.PlanStep(/*may_encode=*/true, /*start_token=*/0);
    benchmark::DoNotOptimize(plan.decode.data());
  }
}
BENCHMARK(BM_PlanStep)->ArgName("sequences")->Arg(8)->Arg(64);

// Read the time of one sequence's choice among T5's tokens, and logits per
// second. Greedy is a scan for the greatest and a sum of exponentials, limited
// by arithmetic; top_k and top_p add a sort.
void BM_ChooseToken(benchmark::State& state) {
  constexpr int32_t kVocabSize = 32128;
  const kernels::Kernels& kernels = kernels::KernelsFor(kernels::DetectIsa());
  SamplingParams sampling;
  sampling.temperature = static_cast<float>(state.range(0));
  sampling.top_k = static_cast<int32_t>(state.range(1));
  sampling.top_p = static_cast<float>(state.range(2)) / 100.0f;
  const std::vector<int32_t> eos = {1}, tokens = {0, 5, 6, 7};
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> logits(kVocabSize);
  for (float& logit : logits) logit = normal(random);
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
    ->Args({1, 0, 90});

}  // namespace
}  // namespace sheaf
