// SPDX-License-Identifier: Apache-2.0

#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "bench/one_dnn_linear.h"
#include "bench/random_weights.h"
#include "benchmark/benchmark.h"
#include "engine/kernels/kernels.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/linear.h"
#include "engine/thread_team.h"

namespace sheaf {
namespace {

// More than the last cache of most machines holds.
constexpr int64_t kColdBytes = int64_t{100} << 20;

struct Arguments {
  int64_t num_rows, K, num_columns;
  WeightType type;
  bool is_one_dnn;  // instead of our kernels; f32
  int32_t num_threads;
  bool HasSameWeights(const Arguments& other) const {
    return K == other.K && num_columns == other.num_columns &&
           type == other.type && is_one_dnn == other.is_one_dnn &&
           num_threads == other.num_threads;
  }
};

using Layer = std::variant<Linear, OneDnnLinear>;

int64_t Bytes(const Layer& layer) {
  return std::visit([](const auto& each) { return each.bytes(); }, layer);
}

// So many copies of a layer that each has left the caches before its next use.
class ColdLayers {
 public:
  explicit ColdLayers(const Arguments& arguments)
      : arguments_(arguments), team_(arguments.num_threads) {
    RandomWeights weights;
    weights.Add("w", {arguments.num_columns, arguments.K}, /*mean=*/0,
                /*standard_deviation=*/1);
    std::vector<float> rows;
    if (arguments.is_one_dnn) {
      rows.resize(arguments.num_columns * arguments.K);
      SHEAF_CHECK(
          weights.ReadRows("w", 0, arguments.num_columns, absl::MakeSpan(rows))
              .ok());
    }
    for (int64_t bytes = 0; bytes < kColdBytes;) {
      if (arguments.is_one_dnn) {
        layers_.emplace_back(OneDnnLinear(rows, arguments.K,
                                          arguments.num_columns, team_.size()));
      } else {
        absl::StatusOr<Linear> layer = Linear::Load(
            weights, arguments.K, {{"w", 0, arguments.num_columns}},
            {&kernels::KernelsFor(kernels::DetectIsa()), team_.size(),
             arguments.type});
        SHEAF_CHECK(layer.ok());
        layers_.emplace_back(*std::move(layer));
      }
      bytes += Bytes(layers_.back());
    }
  }

  const Arguments& arguments() const { return arguments_; }
  ThreadTeam& team() { return team_; }
  const Layer& Next() { return layers_[next_++ % layers_.size()]; }

 private:
  const Arguments arguments_;
  ThreadTeam team_;
  std::vector<Layer> layers_;
  size_t next_ = 0;
};

// The same layers serve all numbers of rows, which vary fastest.
ColdLayers& LayersFor(const Arguments& arguments) {
  static std::unique_ptr<ColdLayers> layers;
  if (layers == nullptr || !layers->arguments().HasSameWeights(arguments)) {
    layers.reset();
    layers = std::make_unique<ColdLayers>(arguments);
  }
  return *layers;
}

// One product of T5-Base's decoder with weights that come from memory. Compare
// bytes_per_second with sheaf-bench's read_bandwidth_bytes_per_second, and
// flops with its gemm_flops_per_second. A product cannot be much faster once it
// is near one of the two: near the first with few rows, near the second with
// many.
void BM_Linear(benchmark::State& state) {
  const Arguments arguments = {
      state.range(0),      state.range(1),
      state.range(2),      static_cast<WeightType>(state.range(3)),
      state.range(4) == 1, static_cast<int32_t>(state.range(5))};
  ColdLayers& layers = LayersFor(arguments);
  const std::vector<float> x(arguments.num_rows * arguments.K, 0.5f);
  AlignedBuffer<float> y(arguments.num_rows * arguments.num_columns);
  int64_t bytes = 0;
  for (auto _ : state) {
    const Layer& layer = layers.Next();
    const int32_t num_rows = static_cast<int32_t>(arguments.num_rows);
    layers.team().Run([&](const ThreadTeam::Member& member) {
      if (const auto* linear = std::get_if<Linear>(&layer)) {
        linear->Run(member, x.data(), arguments.K, num_rows, y.data(),
                    arguments.num_columns, /*accumulate=*/false);
      } else {
        std::get<OneDnnLinear>(layer).Run(member, x.data(), num_rows, y.data(),
                                          arguments.num_columns);
      }
    });
    bytes += Bytes(layer);
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(bytes);
  state.SetLabel(absl::StrCat(WeightTypeName(arguments.type),
                              arguments.is_one_dnn ? " onednn" : " panels"));
  state.counters["flops"] = benchmark::Counter(
      2.0 * static_cast<double>(arguments.num_rows * arguments.K *
                                arguments.num_columns),
      benchmark::Counter::kIsIterationInvariantRate);
}

// qkv, o (and cross q), wi_0 with wi_1, wo, the head.
void DecoderShapes(benchmark::internal::Benchmark* benchmark) {
  constexpr int64_t kShapes[][2] = {
      {768, 2304}, {768, 768}, {768, 4096}, {2048, 768}, {768, 32128}};
  constexpr int64_t kF32 = static_cast<int64_t>(WeightType::kF32);
  constexpr int64_t kBf16 = static_cast<int64_t>(WeightType::kBf16);
  constexpr int64_t kInt8 = static_cast<int64_t>(WeightType::kInt8);
  constexpr int64_t kInt4 = static_cast<int64_t>(WeightType::kInt4);
  constexpr int64_t kWays[][2] = {
      {kF32, 0}, {kF32, 1}, {kBf16, 0}, {kInt8, 0}, {kInt4, 0}};
  std::vector<int64_t> threads = {1};
  if (NumUsableProcessors() > 1) threads.push_back(NumUsableProcessors());
  for (const auto& shape : kShapes) {
    for (const auto& way : kWays) {
      for (const int64_t num_threads : threads) {
        for (const int64_t num_rows : {1, 4, 8, 32, 128}) {
          benchmark->Args(
              {num_rows, shape[0], shape[1], way[0], way[1], num_threads});
        }
      }
    }
  }
}
BENCHMARK(BM_Linear)
    ->ArgNames({"M", "K", "N", "type", "onednn", "threads"})
    ->Apply(DecoderShapes)
    ->UseRealTime();

}  // namespace
}  // namespace sheaf
