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

namespace sheaf {
namespace {

// Whether WeightType::kInt4 stores a tensor in 4 bits.
bool IsInt4(const Architecture& architecture, const TensorPlace& place) {
  if (place.stack != Stack::kDecoder || place.is_bias) return false;
  switch (place.slot) {
    case Slot::kQuery:
    case Slot::kOutput:
    case Slot::kGate:
    case Slot::kUp:
    case Slot::kDown:
      return true;
    case Slot::kKey:
    case Slot::kValue:
      return place.sublayer == Sublayer::kSelfAttention &&
             !architecture.has_merged_attention;
    default:
      return false;
  }
}

// Reads the tensors of a description; the first error sticks, so that the
// loading code reads as a list.
class Loader {
 public:
  Loader(const ModelDescription& description, const WeightSource& source,
         const LinearOptions& options)
      : architecture_(description.architecture),
        source_(source),
        options_(options) {
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

  // The factors of a norm.
  std::vector<float> NormFactors(const TensorPlace& place) {
    std::vector<float> factors = Values(place);
    if (architecture_.norms_add_one) {
      for (float& factor : factors) factor += 1;
    }
    return factors;
  }

  NormWeights Norm(TensorPlace place) {
    NormWeights norm;
    norm.weight = NormFactors(place);
    if (architecture_.norm == NormKind::kLayer) {
      place.is_bias = true;
      norm.bias = Values(place);
    }
    return norm;
  }

  SublayerNorms Norms(TensorPlace place) {
    SublayerNorms norms;
    switch (architecture_.norm_place) {
      case NormPlace::kBefore:
        norms.before = Norm(place);
        break;
      case NormPlace::kAfter:
        norms.after = Norm(place);
        break;
      case NormPlace::kBoth:
        norms.before = Norm(place);
        place.slot = Slot::kSecondNorm;
        norms.after = Norm(place);
        break;
    }
    return norms;
  }

  HeadNorms NormsOfHeads(TensorPlace place) {
    HeadNorms norms;
    if (!architecture_.has_qk_norm) return norms;
    place.slot = Slot::kQueryNorm;
    norms.query = NormFactors(place);
    place.slot = Slot::kKeyNorm;
    norms.key = NormFactors(place);
    return norms;
  }

  EmbeddingTable Table(const TensorPlace& place) {
    EmbeddingTable table;
    if (options_.type == WeightType::kF32) {
      table.f32 = Rows(place);
    } else {
      table.bf16 = Bf16Rows(place);
    }
    return table;
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
    const std::vector<std::vector<float>> biases = BiasesOf(places);
    for (size_t i = 0; i < places.size(); ++i) {
      const Tensor& tensor = tensors_.at(places[i]);
      rows.push_back({tensor.name, 0, tensor.spec.rows, biases[i]});
    }
    return Load(places, rows);
  }

  // The product of the head, with the bias of the logits.
  Linear Head() {
    const Tensor& tensor =
        tensors_.at({architecture_.is_tied ? Slot::kEmbedding : Slot::kHead});
    std::vector<float> bias;
    if (architecture_.has_logit_bias) bias = Values({Slot::kLogitBias});
    const WeightRows rows = {tensor.name, 0, tensor.spec.rows, bias};
    return Load({tensor.spec.place}, {&rows, 1});
  }

  // Each slice has its share of every tensor.
  Linear Interleaved(absl::Span<const TensorPlace> places) {
    const std::vector<std::vector<float>> biases = BiasesOf(places);
    std::vector<std::vector<WeightRows>> slices;
    for (const Linear::Slice& slice : EvenSlices(
             tensors_.at(places.front()).spec.rows, options_.num_slices)) {
      std::vector<WeightRows>& parts = slices.emplace_back();
      if (slice.num_columns == 0) continue;
      for (size_t i = 0; i < places.size(); ++i) {
        parts.push_back({tensors_.at(places[i]).name, slice.first_column,
                         slice.num_columns, biases[i]});
      }
    }
    if (!status_.ok()) return Linear();
    return Take(Linear::LoadSlices(source_, InputsOf(places), slices,
                                   OptionsOf(places)));
  }

 private:
  struct Tensor {
    std::string name;
    TensorSpec spec;
  };

  Linear Load(absl::Span<const TensorPlace> places,
              absl::Span<const WeightRows> rows) {
    if (!status_.ok()) return Linear();
    return Take(
        Linear::Load(source_, InputsOf(places), rows, OptionsOf(places)));
  }

  LinearOptions OptionsOf(absl::Span<const TensorPlace> places) const {
    LinearOptions options = options_;
    if (options.type == WeightType::kInt4 &&
        !IsInt4(architecture_, places.front())) {
      options.type = WeightType::kInt8;
    }
    return options;
  }

  // The bias of each product; empty ones if the model has none.
  std::vector<std::vector<float>> BiasesOf(
      absl::Span<const TensorPlace> places) {
    std::vector<std::vector<float>> biases(places.size());
    for (size_t i = 0; i < places.size() && architecture_.has_biases; ++i) {
      TensorPlace place = places[i];
      place.is_bias = true;
      biases[i] = Values(place);
    }
    return biases;
  }

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

  const Architecture& architecture_;
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
  ff.norms = loader.Norms(place(Slot::kNorm));
  ff.in = is_gated ? loader.Interleaved({place(Slot::kGate), place(Slot::kUp)})
                   : loader.Interleaved({place(Slot::kUp)});
  ff.out = loader.Fused({place(Slot::kDown)});
  return ff;
}

EncoderLayer LoadEncoderLayer(Loader& loader, bool is_gated, int32_t index) {
  const Place self = {Stack::kEncoder, Sublayer::kSelfAttention, index};
  EncoderLayer layer;
  layer.self_norms = loader.Norms(self(Slot::kNorm));
  layer.head_norms = loader.NormsOfHeads(self(Slot::kQueryNorm));
  layer.qkv =
      loader.Fused({self(Slot::kQuery), self(Slot::kKey), self(Slot::kValue)});
  layer.self_out = loader.Fused({self(Slot::kOutput)});
  layer.feed_forward =
      LoadFeedForward(loader, is_gated, Stack::kEncoder, index);
  return layer;
}

DecoderLayer LoadDecoderLayer(Loader& loader, const Architecture& architecture,
                              int32_t index) {
  const Place self = {Stack::kDecoder, Sublayer::kSelfAttention, index};
  const Place cross = {Stack::kDecoder, Sublayer::kCrossAttention, index};
  DecoderLayer layer;
  layer.self_norms = loader.Norms(self(Slot::kNorm));
  layer.head_norms = loader.NormsOfHeads(self(Slot::kQueryNorm));
  layer.self_out = loader.Fused({self(Slot::kOutput)});
  if (architecture.has_merged_attention) {
    layer.qkv = loader.Fused({self(Slot::kQuery)});
    layer.kv = loader.Fused({self(Slot::kKey), self(Slot::kValue)});
  } else {
    layer.qkv = loader.Fused(
        {self(Slot::kQuery), self(Slot::kKey), self(Slot::kValue)});
    layer.cross_norms = loader.Norms(cross(Slot::kNorm));
    layer.cross_q = loader.Fused({cross(Slot::kQuery)});
    layer.cross_out = loader.Fused({cross(Slot::kOutput)});
  }
  layer.feed_forward =
      LoadFeedForward(loader, architecture.is_gated, Stack::kDecoder, index);
  return layer;
}

std::vector<std::vector<float>> LoadPositionBiases(
    Loader& loader, const Architecture& architecture, Stack stack) {
  const int32_t num_layers = stack == Stack::kEncoder
                                 ? architecture.encoder.num_layers
                                 : architecture.decoder.num_layers;
  const int32_t num_tables =
      architecture.positions.is_per_layer ? num_layers : 1;
  std::vector<std::vector<float>> tables;
  tables.reserve(num_tables);
  for (int32_t i = 0; i < num_tables; ++i) {
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

StackWeights LoadStack(Loader& loader, const Architecture& architecture,
                       Stack stack) {
  StackWeights weights;
  if (architecture.positions.is_relative_bias()) {
    weights.position_biases = LoadPositionBiases(loader, architecture, stack);
  } else if (architecture.positions.kind == PositionKind::kLearned) {
    weights.positions = loader.Rows({Slot::kPositions, stack});
  }
  if (architecture.has_embedding_norm) {
    weights.embedding_norm = loader.Norm({Slot::kEmbeddingNorm, stack});
  }
  if (architecture.has_final_norm) {
    weights.final_norm = loader.Norm({Slot::kFinalNorm, stack});
  }
  return weights;
}

int64_t Bytes(const std::vector<float>& values) {
  return static_cast<int64_t>(values.size() * sizeof(float));
}

int64_t Bytes(const std::vector<std::vector<float>>& tables) {
  int64_t bytes = 0;
  for (const std::vector<float>& table : tables) bytes += Bytes(table);
  return bytes;
}

int64_t Bytes(const NormWeights& norm) {
  return Bytes(norm.weight) + Bytes(norm.bias);
}

int64_t Bytes(const SublayerNorms& norms) {
  return Bytes(norms.before) + Bytes(norms.after);
}

int64_t Bytes(const HeadNorms& norms) {
  return Bytes(norms.query) + Bytes(norms.key);
}

int64_t Bytes(const FeedForwardWeights& ff) {
  return Bytes(ff.norms) + ff.in.bytes() + ff.out.bytes();
}

int64_t Bytes(const StackWeights& stack) {
  return Bytes(stack.position_biases) + stack.positions.bytes() +
         Bytes(stack.embedding_norm) + Bytes(stack.final_norm);
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
  weights.head = loader.Head();
  if (!architecture.is_tied)
    weights.embedding = loader.Table({Slot::kEmbedding});
  if (architecture.has_source_embedding) {
    weights.source_embedding = loader.Table({Slot::kSourceEmbedding});
  }
  if (architecture.own_vector_id.has_value()) {
    weights.own_vector = loader.Values({Slot::kOwnVector});
  }
  weights.encoder_stack = LoadStack(loader, architecture, Stack::kEncoder);
  weights.decoder_stack = LoadStack(loader, architecture, Stack::kDecoder);
  for (int32_t i = 0;
       i < architecture.encoder.num_layers && loader.status().ok(); ++i) {
    weights.encoder.push_back(LoadEncoderLayer(loader, is_gated, i));
  }
  for (int32_t i = 0;
       i < architecture.decoder.num_layers && loader.status().ok(); ++i) {
    weights.decoder.push_back(LoadDecoderLayer(loader, architecture, i));
  }
  if (!architecture.has_merged_attention) {
    weights.cross_kv = LoadCrossKv(loader, architecture.decoder.num_layers);
  }
  if (!loader.status().ok()) return loader.status();
  return weights;
}

void Weights::ReadEmbedding(Stack stack, int32_t id, float* out) const {
  const bool is_source =
      stack == Stack::kEncoder && architecture.has_source_embedding;
  if (!is_source && architecture.is_tied) return head.ReadColumn(id, out);
  const EmbeddingTable& table = is_source ? source_embedding : embedding;
  const int64_t d_model =
      is_source ? architecture.encoder.d_model : architecture.decoder.d_model;
  if (table.bf16.size() == 0) {
    std::copy_n(table.f32.data() + id * d_model, d_model, out);
  } else {
    const uint16_t* row = table.bf16.data() + id * d_model;
    std::transform(row, row + d_model, out, FromBf16);
  }
}

int64_t Weights::decode_bytes() const {
  int64_t bytes = head.bytes() + Bytes(decoder_stack.final_norm);
  for (const DecoderLayer& layer : decoder) {
    bytes += Bytes(layer.self_norms) + Bytes(layer.head_norms) +
             layer.qkv.bytes() + layer.kv.bytes() + layer.self_out.bytes() +
             Bytes(layer.cross_norms) + layer.cross_q.bytes() +
             layer.cross_out.bytes() + Bytes(layer.feed_forward);
  }
  return bytes;
}

int64_t Weights::bytes() const {
  int64_t bytes = decode_bytes() - Bytes(decoder_stack.final_norm) +
                  embedding.bytes() + source_embedding.bytes() +
                  Bytes(own_vector) + Bytes(encoder_stack) +
                  Bytes(decoder_stack) + cross_kv.bytes();
  for (const EncoderLayer& layer : encoder) {
    bytes += Bytes(layer.self_norms) + Bytes(layer.head_norms) +
             layer.qkv.bytes() + layer.self_out.bytes() +
             Bytes(layer.feed_forward);
  }
  return bytes;
}

namespace {

// The elements of tables that only embed.
int64_t TableElements(const Architecture& architecture) {
  int64_t elements = 0;
  if (!architecture.is_tied) {
    elements += int64_t{architecture.vocab_size} * architecture.decoder.d_model;
  }
  if (architecture.has_source_embedding) {
    elements +=
        int64_t{architecture.source_vocab_size} * architecture.encoder.d_model;
  }
  return elements;
}

}  // namespace

int64_t LeastWeightBytes(const Architecture& architecture, WeightType type) {
  const int64_t num_parameters = NumParameters(architecture);
  switch (type) {
    case WeightType::kF32:
      return 4 * num_parameters;
    case WeightType::kBf16:
      return 2 * num_parameters;
    case WeightType::kInt8:
      // Tables that are not the head stay in bfloat16.
      return num_parameters + TableElements(architecture);
    case WeightType::kInt4: {
      int64_t bytes = num_parameters + TableElements(architecture);
      for (const TensorSpec& tensor : ListTensors(architecture)) {
        if (IsInt4(architecture, tensor.place)) {
          bytes -= tensor.num_elements() / 2;
        }
      }
      return bytes;
    }
  }
  return 0;
}

}  // namespace sheaf
