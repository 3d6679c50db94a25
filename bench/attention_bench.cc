#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "benchmark/benchmark.h"
#include "engine/check.h"
#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"

namespace sheaf {
namespace {

constexpr int32_t kHeadDim = 64;
constexpr int64_t kColdBytes = int64_t{100} << 20;

// Decode attention of one new token, all heads, one thread. The sequences take
// turns, so that keys and values come from memory. Read two figures:
// bytes_per_second of keys and values against the read bandwidth of one core,
// and flops against its peak. A group of query heads costs its KV head's bytes
// once: with a larger group the time stays, until flops are the limit.
void BM_AttendDecode(benchmark::State& state) {
  const int32_t kv_heads = static_cast<int32_t>(state.range(0));
  const int32_t context = static_cast<int32_t>(state.range(1));
  const int32_t group = static_cast<int32_t>(state.range(2));
  const kernels::Kernels& kernels = kernels::KernelsFor(kernels::DetectIsa());
  const int64_t sequence_bytes = int64_t{2} * kv_heads * kHeadDim * context *
                                 static_cast<int64_t>(sizeof(float));
  const int64_t num_sequences =
      std::max<int64_t>(1, kColdBytes / sequence_bytes);
  absl::StatusOr<KvStorage> storage =
      KvStorage::Create({/*num_layers=*/1, kHeadDim, kv_heads, kv_heads},
                        num_sequences * sequence_bytes);
  SHEAF_CHECK(storage.ok());
  std::vector<int32_t> blocks(storage->shape().num_blocks);
  std::iota(blocks.begin(), blocks.end(), 0);
  const int64_t sequence_blocks =
      storage->shape().BlocksFor(Attention::kSelf, context);

  const int64_t row_floats = int64_t{kv_heads} * group * kHeadDim;
  const std::vector<float> q(row_floats, 0.1f);
  std::vector<float> out(row_floats), scores(int64_t{group} * context);
  int64_t sequence = 0;
  for (auto _ : state) {
    for (int32_t kv_head = 0; kv_head < kv_heads; ++kv_head) {
      const int64_t at = int64_t{kv_head} * group * kHeadDim;
      kernels.attend_decode(
          {.q = q.data() + at,
           .q_stride = kHeadDim,
           .out = out.data() + at,
           .out_stride = kHeadDim,
           .num_rows = group,
           .dim = kHeadDim,
           .kv = storage->View(Attention::kSelf, /*layer=*/0, kv_head,
                               blocks.data() + sequence * sequence_blocks),
           .context_len = context,
           .bias = nullptr,
           .bias_stride = 0,
           .scores = scores.data()});
    }
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
    sequence = (sequence + 1) % num_sequences;
  }
  state.SetBytesProcessed(state.iterations() * sequence_bytes);
  state.counters["flops"] =
      benchmark::Counter(4.0 * static_cast<double>(row_floats * context),
                         benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_AttendDecode)
    ->ArgNames({"kv_heads", "context", "group"})
    ->ArgsProduct({{1, 4, 16}, {128, 512, 2048}, {1, 4, 16}});

}  // namespace
}  // namespace sheaf
