// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "base/check.h"
#include "benchmark/benchmark.h"
#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"

namespace sheaf {
namespace {

constexpr int32_t kHeadDim = 64;
constexpr int64_t kColdBytes = int64_t{100} << 20;

// Decode attention of one new token, with all heads, on one thread. The
// sequences take turns, so that keys and values are read from memory. Compare
// bytes_per_second of keys and values with the read bandwidth of one core, and
// flops with its peak. A group of query heads reads the bytes of its KV head
// once, so the time does not grow with the group until flops are the limit.
void BM_AttendDecode(benchmark::State& state) {
  const int32_t kv_heads = static_cast<int32_t>(state.range(0));
  const int32_t context = static_cast<int32_t>(state.range(1));
  const int32_t group = static_cast<int32_t>(state.range(2));
  const auto type = static_cast<kernels::KvType>(state.range(3));
  const kernels::Kernels& kernels = kernels::KernelsFor(kernels::DetectIsa());
  const KvDims dims = {/*num_layers=*/1, kHeadDim, kv_heads, kv_heads, type};
  const KvPoolShape shape = KvStorage::ShapeOf(dims);
  const int64_t sequence_blocks = shape.BlocksFor(Attention::kSelf, context);
  const int64_t sequence_bytes = sequence_blocks * shape.block_bytes;
  const int64_t num_sequences =
      std::max<int64_t>(1, kColdBytes / sequence_bytes);
  absl::StatusOr<KvStorage> storage =
      KvStorage::Create(dims, num_sequences * sequence_bytes);
  SHEAF_CHECK(storage.ok());
  std::vector<int32_t> blocks(storage->shape().num_blocks);
  std::iota(blocks.begin(), blocks.end(), 0);

  const int64_t query_floats = int64_t{kv_heads} * group * kHeadDim;
  const std::vector<float> queries(query_floats, 0.1f);
  std::vector<float> q(query_floats),
      parts(kv_heads * group * kernels::PartFloats(kHeadDim));
  int64_t sequence = 0;
  for (auto _ : state) {
    const kernels::KvView view =
        storage->View(Attention::kSelf, /*layer=*/0, /*kv_head=*/0,
                      blocks.data() + sequence * sequence_blocks);
    for (int32_t begin = 0; begin < context; begin += kernels::kContextPart) {
      q = queries;  // The kernel overwrites q.
      const int32_t end = std::min(begin + kernels::kContextPart, context);
      kernels.attend_decode(
          {.q = q.data(),
           .num_kv_heads = kv_heads,
           .num_rows = group,
           .dim = kHeadDim,
           .kv = view,
           .begin = begin,
           .end = end,
           .bias = nullptr,
           .bias_stride = 0,
           .softcap = 0,
           .parts = parts.data(),
           .next =
               view.base +
               view.block_ids[(end < context ? end : 0) / view.block_tokens] *
                   view.block_stride});
    }
    benchmark::DoNotOptimize(parts.data());
    benchmark::ClobberMemory();
    sequence = (sequence + 1) % num_sequences;
  }
  state.SetBytesProcessed(state.iterations() * sequence_bytes);
  state.SetLabel(std::string(KvTypeName(type)));
  state.counters["flops"] =
      benchmark::Counter(4.0 * static_cast<double>(query_floats * context),
                         benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_AttendDecode)
    ->ArgNames({"kv_heads", "context", "group", "type"})
    ->ArgsProduct({{1, 4, 16}, {128, 512, 2048}, {1, 4, 16}, {0, 1}});

// The encoder's attention of one head of a source, on one thread. Compare flops
// with those of the products in linear_bench on one core. The type is a
// kernels::EncodeType.
void BM_AttendEncode(benchmark::State& state) {
  const int32_t len = static_cast<int32_t>(state.range(0));
  const auto type = static_cast<kernels::EncodeType>(state.range(1));
  const kernels::Kernels& kernels = kernels::KernelsFor(kernels::DetectIsa());
  // Different numbers, because equal ones would be the easiest case of softmax.
  std::vector<float> qkv(int64_t{len} * 3 * kHeadDim);
  for (size_t i = 0; i < qkv.size(); ++i) {
    qkv[i] = static_cast<float>(i * 7919 % 1000) / 1000 - 0.5f;
  }
  const std::vector<float> bias(2 * len);
  std::vector<float> out(int64_t{len} * kHeadDim),
      scratch(kernels::EncodeScratchFloats(kHeadDim));
  std::vector<char> keys(out.size() * sizeof(float)), values(keys.size());
  for (auto _ : state) {
    const kernels::HeadUnits units =
        kernels.pack_head({.k = qkv.data() + kHeadDim,
                           .v = qkv.data() + 2 * kHeadDim,
                           .stride = 3 * kHeadDim,
                           .len = len,
                           .dim = kHeadDim},
                          type, keys.data(), values.data());
    kernels.attend_encode({.q = qkv.data(),
                           .q_stride = 3 * kHeadDim,
                           .out = out.data(),
                           .out_stride = kHeadDim,
                           .first_row = 0,
                           .end_row = len,
                           .dim = kHeadDim,
                           .len = len,
                           .type = type,
                           .units = units,
                           .k_panels = keys.data(),
                           .v = values.data(),
                           .bias = bias.data() + len,
                           .back = len,
                           .ahead = len,
                           .softcap = 0,
                           .scratch = scratch.data()});
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.counters["flops"] =
      benchmark::Counter(4.0 * kHeadDim * len * len,
                         benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_AttendEncode)
    ->ArgNames({"source", "type"})
    ->ArgsProduct({{512, 2048}, {0, 1, 2}});

}  // namespace
}  // namespace sheaf
