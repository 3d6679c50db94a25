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
  bool is_one_dnn;  // instead of our kernels; not int4
  int32_t num_threads;
  bool is_hot;  // the weights stay in the caches from call to call
  bool HasSameWeights(const Arguments& other) const {
    return K == other.K && num_columns == other.num_columns &&
           type == other.type && is_one_dnn == other.is_one_dnn &&
           num_threads == other.num_threads && is_hot == other.is_hot;
  }
};

using Layer = std::variant<Linear, OneDnnLinear>;

int64_t Bytes(const Layer& layer) {
  return std::visit([](const auto& each) { return each.bytes(); }, layer);
}

// So many copies of a layer that each has left the caches before its next use,
// or one copy if it is to stay there.
class Layers {
 public:
  explicit Layers(const Arguments& arguments)
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
    const int64_t least_bytes = arguments.is_hot ? 1 : kColdBytes;
    for (int64_t bytes = 0; bytes < least_bytes;) {
      if (arguments.is_one_dnn) {
        layers_.emplace_back(OneDnnLinear(rows, arguments.K,
                                          arguments.num_columns, arguments.type,
                                          team_.size()));
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
  size_t size() const { return layers_.size(); }
  const Layer& Next() { return layers_[next_++ % layers_.size()]; }

 private:
  const Arguments arguments_;
  ThreadTeam team_;
  std::vector<Layer> layers_;
  size_t next_ = 0;
};

// The same layers serve all numbers of rows, which vary fastest.
Layers& LayersFor(const Arguments& arguments) {
  static std::unique_ptr<Layers> layers;
  if (layers == nullptr || !layers->arguments().HasSameWeights(arguments)) {
    layers.reset();
    layers = std::make_unique<Layers>(arguments);
  }
  return *layers;
}

// One product of T5-Base, or of the encoders of OPUS-MT and BART-Large, with
// weights that come from memory or, if hot, from the caches. Compare
// bytes_per_second with sheaf-bench's read_bandwidth_bytes_per_second, and
// flops with its gemm_flops_per_second. A product cannot be much faster once it
// is near one of the two: near the first with few rows, near the second with
// many.
void BM_Linear(benchmark::State& state) {
  const Arguments arguments = {
      state.range(0),      state.range(1),
      state.range(2),      static_cast<WeightType>(state.range(3)),
      state.range(4) == 1, static_cast<int32_t>(state.range(5)),
      state.range(6) == 1};
  Layers& layers = LayersFor(arguments);
  const std::vector<float> x(arguments.num_rows * arguments.K, 0.5f);
  AlignedBuffer<float> y(arguments.num_rows * arguments.num_columns);
  const auto run = [&](const Layer& layer) {
    const int32_t num_rows = static_cast<int32_t>(arguments.num_rows);
    layers.team().Run([&](const ThreadTeam::Member& member) {
      if (const auto* linear = std::get_if<Linear>(&layer)) {
        linear->Run(member, {x.data(), arguments.K}, num_rows, y.data(),
                    arguments.num_columns, /*accumulate=*/false);
      } else {
        std::get<OneDnnLinear>(layer).Run(member, x.data(), num_rows, y.data(),
                                          arguments.num_columns);
      }
    });
  };
  // oneDNN makes a product for this number of rows at its first use.
  for (size_t i = 0; i < layers.size(); ++i) run(layers.Next());
  int64_t bytes = 0;
  for (auto _ : state) {
    const Layer& layer = layers.Next();
    run(layer);
    bytes += Bytes(layer);
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(bytes);
  const auto* one_dnn = std::get_if<OneDnnLinear>(&layers.Next());
  state.SetLabel(
      absl::StrCat(WeightTypeName(arguments.type), " ",
                   one_dnn == nullptr ? "panels" : one_dnn->implementation()));
  state.counters["flops"] = benchmark::Counter(
      2.0 * static_cast<double>(arguments.num_rows * arguments.K *
                                arguments.num_columns),
      benchmark::Counter::kIsIterationInvariantRate);
}

// Without VNNI, oneDNN's 16-bit sums overflow; without bfloat16 products, it
// has none to offer.
bool CanOneDnn(WeightType type) {
  const kernels::Kernels& kernels = kernels::KernelsFor(kernels::DetectIsa());
  switch (type) {
    case WeightType::kF32:
      return true;
    case WeightType::kBf16:
      return kernels.has_bf16_products;
    case WeightType::kInt8:
      return kernels.int8_group == 4;
    case WeightType::kInt4:
      return false;
  }
  return false;
}

// qkv, o (and cross q), wi_0 with wi_1, wo, the head.
void DecoderShapes(benchmark::internal::Benchmark* benchmark) {
  constexpr int64_t kShapes[][2] = {
      {768, 2304}, {768, 768}, {768, 4096}, {2048, 768}, {768, 32128}};
  constexpr WeightType kTypes[] = {WeightType::kF32, WeightType::kBf16,
                                   WeightType::kInt8, WeightType::kInt4};
  std::vector<int64_t> threads = {1};
  if (NumUsableProcessors() > 1) threads.push_back(NumUsableProcessors());
  for (const auto& shape : kShapes) {
    for (const WeightType type : kTypes) {
      for (const bool is_one_dnn : {false, true}) {
        if (is_one_dnn && !CanOneDnn(type)) continue;
        for (const int64_t num_threads : threads) {
          for (const int64_t num_rows : {1, 4, 8, 32, 128}) {
            benchmark->Args({num_rows, shape[0], shape[1],
                             static_cast<int64_t>(type), is_one_dnn,
                             num_threads, 0});
          }
        }
      }
    }
  }
}

// The encoder's products in int8 on one thread: o, qkv, and the two of the
// feed-forward layers.
void EncoderShapes(benchmark::internal::Benchmark* benchmark) {
  constexpr int64_t kShapes[][2] = {{512, 512},   {512, 2048},  {1024, 1024},
                                    {1024, 3072}, {1024, 4096}, {4096, 1024}};
  for (const auto& shape : kShapes) {
    for (const bool is_one_dnn : {false, true}) {
      if (is_one_dnn && !CanOneDnn(WeightType::kInt8)) continue;
      for (const int64_t is_hot : {0, 1}) {
        for (const int64_t num_rows : {8, 32, 64, 256, 1024}) {
          benchmark->Args({num_rows, shape[0], shape[1],
                           static_cast<int64_t>(WeightType::kInt8), is_one_dnn,
                           1, is_hot});
        }
      }
    }
  }
}
BENCHMARK(BM_Linear)
    ->ArgNames({"M", "K", "N", "type", "onednn", "threads", "hot"})
    ->Apply(DecoderShapes)
    ->Apply(EncoderShapes)
    ->UseRealTime();

}  // namespace
}  // namespace sheaf
