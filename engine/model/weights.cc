// SPDX-License-Identifier: Apache-2.0

#include "engine/model/weights.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/bf16.h"
#include "base/check.h"
#include "engine/model/tensor_list.h"

namespace sheaf {
namespace {

// Reads the tensors of a description; the first error sticks, so that the
// loading code reads as a list.
class Loader {
 public:
  Loader(const ModelDescription& description, const WeightSource& source,
         const LinearOptions& options)
      : source_(source), options_(options) {
    for (const TensorSpec& spec : ListTensors(description.architecture)) {
      const auto name = description.tensors.find(spec.place);
      SHEAF_CHECK(name != description.tensors.end());
      tensors_.emplace(spec.place, Tensor{name->second, spec});
    }
  }

  const absl::Status& status() const { return status_; }

  // All values of a small tensor.
  std::vector<float> Values(const TensorPlace& place) {
    const Tensor& tensor = tensors_.at(place);
    std::vector<float> values(tensor.spec.num_elements());
    Read(tensor, absl::MakeSpan(values));
    return values;
  }

  AlignedBuffer<float> Rows(const TensorPlace& place) {
    const Tensor& tensor = tensors_.at(place);
    AlignedBuffer<float> values(tensor.spec.num_elements());
    Read(tensor, absl::MakeSpan(values.data(), values.size()));
    return values;
  }

  AlignedBuffer<uint16_t> Bf16Rows(const TensorPlace& place) {
    constexpr int64_t kRowsAtOnce = 256;
    const auto& [name, spec] = tensors_.at(place);
    AlignedBuffer<uint16_t> values(spec.num_elements());
    std::vector<float> wide(std::min(spec.rows, kRowsAtOnce) * spec.columns);
    for (int64_t row = 0; row < spec.rows && status_.ok(); row += kRowsAtOnce) {
      const int64_t n = std::min(kRowsAtOnce, spec.rows - row) * spec.columns;
      Note(source_.ReadRows(name, row, n / spec.columns,
                            absl::MakeSpan(wide).first(n)));
      std::transform(wide.begin(), wide.begin() + n,
                     values.data() + row * spec.columns, ToBf16);
    }
    return values;
  }

  // All rows of the tensors, one tensor after the other.
  Linear Fused(absl::Span<const TensorPlace> places) {
    std::vector<WeightRows> rows;
    for (const TensorPlace& place : places) {
      const Tensor& tensor = tensors_.at(place);
      rows.push_back({tensor.name, 0, tensor.spec.rows});
    }
    if (!status_.ok()) return Linear();
    return Take(Linear::Load(source_, InputsOf(places), rows, options_));
  }

  // Each slice has its share of every tensor.
  Linear Interleaved(absl::Span<const TensorPlace> places) {
    std::vector<std::vector<WeightRows>> slices;
    for (const Linear::Slice& slice : EvenSlices(
             tensors_.at(places.front()).spec.rows, options_.num_slices)) {
      std::vector<WeightRows>& parts = slices.emplace_back();
      if (slice.num_columns == 0) continue;
      for (const TensorPlace& place : places) {
        parts.push_back(
            {tensors_.at(place).name, slice.first_column, slice.num_columns});
      }
    }
    if (!status_.ok()) return Linear();
    return Take(
        Linear::LoadSlices(source_, InputsOf(places), slices, options_));
  }

 private:
  struct Tensor {
    std::string name;
    TensorSpec spec;
  };

  int64_t InputsOf(absl::Span<const TensorPlace> places) const {
    return tensors_.at(places.front()).spec.columns;
  }

  void Read(const Tensor& tensor, absl::Span<float> out) {
    if (!status_.ok()) return;
    const bool is_vector = tensor.spec.columns == 0;
    Note(source_.ReadRows(tensor.name, 0, is_vector ? 1 : tensor.spec.rows,
                          out));
  }

  void Note(const absl::Status& status) {
    if (status_.ok()) status_ = status;
  }

  Linear Take(absl::StatusOr<Linear> linear) {
    if (linear.ok()) return *std::move(linear);
    Note(linear.status());
    return Linear();
  }

  const WeightSource& source_;
  const LinearOptions options_;
  std::map<TensorPlace, Tensor> tensors_;
  absl::Status status_;
};

// Makes the places of one sub-layer.
struct Place {
  Stack stack;
  Sublayer sublayer;
  int32_t layer;

  TensorPlace operator()(Slot slot) const {
    return {slot, stack, sublayer, layer};
  }
};

FeedForwardWeights LoadFeedForward(Loader& loader, bool is_gated, Stack stack,
                                   int32_t layer) {
  const Place place = {stack, Sublayer::kFeedForward, layer};
  FeedForwardWeights ff;
  ff.norm = loader.Values(place(Slot::kNorm));
  ff.in = is_gated ? loader.Interleaved({place(Slot::kGate), place(Slot::kUp)})
                   : loader.Interleaved({place(Slot::kUp)});
  ff.out = loader.Fused({place(Slot::kDown)});
  return ff;
}

EncoderLayer LoadEncoderLayer(Loader& loader, bool is_gated, int32_t index) {
  const Place self = {Stack::kEncoder, Sublayer::kSelfAttention, index};
  EncoderLayer layer;
  layer.norm = loader.Values(self(Slot::kNorm));
  layer.qkv =
      loader.Fused({self(Slot::kQuery), self(Slot::kKey), self(Slot::kValue)});
  layer.out = loader.Fused({self(Slot::kOutput)});
  layer.feed_forward =
      LoadFeedForward(loader, is_gated, Stack::kEncoder, index);
  return layer;
}

DecoderLayer LoadDecoderLayer(Loader& loader, bool is_gated, int32_t index) {
  const Place self = {Stack::kDecoder, Sublayer::kSelfAttention, index};
  const Place cross = {Stack::kDecoder, Sublayer::kCrossAttention, index};
  DecoderLayer layer;
  layer.self_norm = loader.Values(self(Slot::kNorm));
  layer.qkv =
      loader.Fused({self(Slot::kQuery), self(Slot::kKey), self(Slot::kValue)});
  layer.self_out = loader.Fused({self(Slot::kOutput)});
  layer.cross_norm = loader.Values(cross(Slot::kNorm));
  layer.cross_q = loader.Fused({cross(Slot::kQuery)});
  layer.cross_out = loader.Fused({cross(Slot::kOutput)});
  layer.feed_forward =
      LoadFeedForward(loader, is_gated, Stack::kDecoder, index);
  return layer;
}

std::vector<std::vector<float>> LoadPositionBiases(
    Loader& loader, const Architecture& architecture, Stack stack) {
  const int32_t num_layers = stack == Stack::kEncoder
                                 ? architecture.encoder.num_layers
                                 : architecture.decoder.num_layers;
  std::vector<std::vector<float>> tables;
  for (int32_t i = 0;
       i < (architecture.positions.is_per_layer ? num_layers : 1); ++i) {
    tables.push_back(loader.Values(
        {Slot::kPositionBias, stack, Sublayer::kSelfAttention, i}));
  }
  return tables;
}

Linear LoadCrossKv(Loader& loader, int32_t num_layers) {
  std::vector<TensorPlace> places;
  for (int32_t i = 0; i < num_layers; ++i) {
    const Place cross = {Stack::kDecoder, Sublayer::kCrossAttention, i};
    places.push_back(cross(Slot::kKey));
    places.push_back(cross(Slot::kValue));
  }
  return loader.Fused(places);
}

int64_t Bytes(const std::vector<float>& values) {
  return static_cast<int64_t>(values.size() * sizeof(float));
}

int64_t Bytes(const std::vector<std::vector<float>>& tables) {
  int64_t bytes = 0;
  for (const std::vector<float>& table : tables) bytes += Bytes(table);
  return bytes;
}

int64_t Bytes(const FeedForwardWeights& ff) {
  return Bytes(ff.norm) + ff.in.bytes() + ff.out.bytes();
}

}  // namespace

absl::StatusOr<Weights> Weights::Load(const ModelDescription& description,
                                      const WeightSource& source,
                                      const LinearOptions& options) {
  const Architecture& architecture = description.architecture;
  const bool is_gated = architecture.is_gated;
  Loader loader(description, source, options);
  Weights weights;
  weights.architecture = architecture;
  weights.type = options.type;
  // A head that is the table is read as columns of a product and as rows of a
  // table; panels serve both, so there is one copy.
  if (architecture.is_tied) {
    weights.head = loader.Fused({{Slot::kEmbedding}});
  } else {
    weights.head = loader.Fused({{Slot::kHead}});
    if (options.type == WeightType::kF32) {
      weights.embedding = loader.Rows({Slot::kEmbedding});
    } else {
      weights.embedding_bf16 = loader.Bf16Rows({Slot::kEmbedding});
    }
  }
  weights.encoder_biases =
      LoadPositionBiases(loader, architecture, Stack::kEncoder);
  weights.decoder_biases =
      LoadPositionBiases(loader, architecture, Stack::kDecoder);
  weights.encoder_norm = loader.Values({Slot::kFinalNorm, Stack::kEncoder});
  weights.decoder_norm = loader.Values({Slot::kFinalNorm, Stack::kDecoder});
  for (int32_t i = 0;
       i < architecture.encoder.num_layers && loader.status().ok(); ++i) {
    weights.encoder.push_back(LoadEncoderLayer(loader, is_gated, i));
  }
  for (int32_t i = 0;
       i < architecture.decoder.num_layers && loader.status().ok(); ++i) {
    weights.decoder.push_back(LoadDecoderLayer(loader, is_gated, i));
  }
  weights.cross_kv = LoadCrossKv(loader, architecture.decoder.num_layers);
  if (!loader.status().ok()) return loader.status();
  return weights;
}

void Weights::Embed(int32_t id, float* out) const {
  if (architecture.is_tied) return head.ReadColumn(id, out);
  const int64_t d_model = architecture.decoder.d_model;
  if (embedding_bf16.size() == 0) {
    std::copy_n(embedding.data() + id * d_model, d_model, out);
  } else {
    const uint16_t* row = embedding_bf16.data() + id * d_model;
    std::transform(row, row + d_model, out, FromBf16);
  }
}

int64_t Weights::decode_bytes() const {
  int64_t bytes = head.bytes() + Bytes(decoder_norm);
  for (const DecoderLayer& layer : decoder) {
    bytes += Bytes(layer.self_norm) + layer.qkv.bytes() +
             layer.self_out.bytes() + Bytes(layer.cross_norm) +
             layer.cross_q.bytes() + layer.cross_out.bytes() +
             Bytes(layer.feed_forward);
  }
  return bytes;
}

int64_t Weights::bytes() const {
  int64_t bytes = decode_bytes() + embedding.bytes() + embedding_bf16.bytes() +
                  Bytes(encoder_biases) + Bytes(decoder_biases) +
                  Bytes(encoder_norm) + cross_kv.bytes();
  for (const EncoderLayer& layer : encoder) {
    bytes += Bytes(layer.norm) + layer.qkv.bytes() + layer.out.bytes() +
             Bytes(layer.feed_forward);
  }
  return bytes;
}

int64_t LeastWeightBytes(const Architecture& architecture, WeightType type) {
  const int64_t num_parameters = NumParameters(architecture);
  switch (type) {
    case WeightType::kF32:
      return 4 * num_parameters;
    case WeightType::kBf16:
      return 2 * num_parameters;
    case WeightType::kInt8:
      // An embedding that is not the head stays in bfloat16.
      return num_parameters + (architecture.is_tied
                                   ? 0
                                   : int64_t{architecture.vocab_size} *
                                         architecture.decoder.d_model);
  }
  return 0;
}

}  // namespace sheaf
