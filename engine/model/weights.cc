#include "engine/model/weights.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/bf16.h"
#include "base/check.h"

namespace sheaf {
namespace {

// Reads tensors of known shapes; the first error sticks, so that the loading
// code reads as a list.
class Loader {
 public:
  Loader(const WeightSource& source, const LinearOptions& options)
      : source_(source), options_(options) {}

  const absl::Status& status() const { return status_; }

  std::vector<float> Vector(const std::string& name, int64_t size) {
    std::vector<float> values(size);
    if (HasShape(name, {size})) {
      Note(source_.ReadRows(name, 0, 1, absl::MakeSpan(values)));
    }
    return values;
  }

  std::vector<float> Matrix(const std::string& name, int64_t rows,
                            int64_t cols) {
    std::vector<float> values(rows * cols);
    if (HasShape(name, {rows, cols})) {
      Note(source_.ReadRows(name, 0, rows, absl::MakeSpan(values)));
    }
    return values;
  }

  // All rows of the tensors, one tensor after the other.
  Linear Fused(int64_t K, const std::vector<WeightRows>& tensors) {
    if (!HaveShapes(K, tensors)) return Linear();
    return Take(Linear::Load(source_, K, tensors, options_));
  }

  // Each slice has its share of every tensor.
  Linear Interleaved(int64_t K, const std::vector<WeightRows>& tensors) {
    if (!HaveShapes(K, tensors)) return Linear();
    std::vector<std::vector<WeightRows>> slices;
    for (const Linear::Slice& slice :
         EvenSlices(tensors.front().num_rows, options_.num_slices)) {
      std::vector<WeightRows>& parts = slices.emplace_back();
      for (const WeightRows& tensor : tensors) {
        if (slice.num_columns == 0) continue;
        parts.push_back({tensor.tensor, slice.first_column, slice.num_columns});
      }
    }
    return Take(Linear::LoadSlices(source_, K, slices, options_));
  }

  AlignedBuffer Rows(const std::string& name, int64_t rows, int64_t cols) {
    AlignedBuffer values(rows * cols);
    if (HasShape(name, {rows, cols})) {
      Note(source_.ReadRows(name, 0, rows,
                            absl::MakeSpan(values.data(), rows * cols)));
    }
    return values;
  }

  std::vector<uint16_t> Bf16Rows(const std::string& name, int64_t rows,
                                 int64_t cols) {
    constexpr int64_t kRowsAtOnce = 256;
    std::vector<uint16_t> values(rows * cols);
    std::vector<float> wide(std::min(rows, kRowsAtOnce) * cols);
    if (!HasShape(name, {rows, cols})) return values;
    for (int64_t row = 0; row < rows && status_.ok(); row += kRowsAtOnce) {
      const int64_t n = std::min(kRowsAtOnce, rows - row);
      Note(
          source_.ReadRows(name, row, n, absl::MakeSpan(wide).first(n * cols)));
      std::transform(wide.begin(), wide.begin() + n * cols,
                     values.begin() + row * cols, ToBf16);
    }
    return values;
  }

 private:
  bool HasShape(const std::string& name, const std::vector<int64_t>& expected) {
    if (!status_.ok()) return false;
    absl::StatusOr<std::vector<int64_t>> shape = source_.Shape(name);
    if (!shape.ok()) {
      status_ = shape.status();
    } else if (*shape != expected) {
      status_ = absl::InvalidArgumentError(absl::StrFormat(
          "tensor \"%s\" is [%s]; config.json asks for [%s]", name,
          absl::StrJoin(*shape, ", "), absl::StrJoin(expected, ", ")));
    }
    return status_.ok();
  }

  bool HaveShapes(int64_t K, const std::vector<WeightRows>& tensors) {
    for (const WeightRows& tensor : tensors) {
      if (!HasShape(tensor.tensor, {tensor.num_rows, K})) return false;
    }
    return status_.ok();
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
  absl::Status status_;
};

FeedForwardWeights LoadFeedForward(Loader& loader, const T5Config& config,
                                   const std::string& prefix) {
  const std::string name = prefix + "DenseReluDense.";
  FeedForwardWeights ff;
  ff.norm = loader.Vector(prefix + "layer_norm.weight", config.d_model);
  ff.in = config.is_gated
              ? loader.Interleaved(config.d_model,
                                   {{name + "wi_0.weight", 0, config.d_ff},
                                    {name + "wi_1.weight", 0, config.d_ff}})
              : loader.Interleaved(config.d_model,
                                   {{name + "wi.weight", 0, config.d_ff}});
  ff.out = loader.Fused(config.d_ff, {{name + "wo.weight", 0, config.d_model}});
  return ff;
}

EncoderLayer LoadEncoderLayer(Loader& loader, const T5Config& config,
                              int32_t index) {
  const std::string prefix = absl::StrCat("encoder.block.", index, ".layer.");
  const std::string attention = prefix + "0.SelfAttention.";
  const int64_t q_columns = int64_t{config.num_heads} * config.head_dim;
  EncoderLayer layer{
      loader.Vector(prefix + "0.layer_norm.weight", config.d_model),
      loader.Fused(config.d_model, {{attention + "q.weight", 0, q_columns},
                                    {attention + "k.weight", 0, q_columns},
                                    {attention + "v.weight", 0, q_columns}}),
      loader.Fused(q_columns, {{attention + "o.weight", 0, config.d_model}}),
      LoadFeedForward(loader, config, prefix + "1.")};
  return layer;
}

DecoderLayer LoadDecoderLayer(Loader& loader, const T5Config& config,
                              int32_t index) {
  const std::string prefix = absl::StrCat("decoder.block.", index, ".layer.");
  const std::string self = prefix + "0.SelfAttention.";
  const std::string cross = prefix + "1.EncDecAttention.";
  const int64_t d_model = config.d_model;
  const int64_t q_columns = int64_t{config.num_heads} * config.head_dim;
  const int64_t kv = int64_t{config.num_kv_heads} * config.head_dim;
  DecoderLayer layer{
      loader.Vector(prefix + "0.layer_norm.weight", d_model),
      loader.Fused(d_model, {{self + "q.weight", 0, q_columns},
                             {self + "k.weight", 0, kv},
                             {self + "v.weight", 0, kv}}),
      loader.Fused(q_columns, {{self + "o.weight", 0, d_model}}),
      loader.Vector(prefix + "1.layer_norm.weight", d_model),
      loader.Fused(d_model, {{cross + "q.weight", 0, q_columns}}),
      loader.Fused(q_columns, {{cross + "o.weight", 0, d_model}}),
      LoadFeedForward(loader, config, prefix + "2.")};
  return layer;
}

Linear LoadCrossKv(Loader& loader, const T5Config& config) {
  const int64_t kv = int64_t{config.num_cross_kv_heads} * config.head_dim;
  std::vector<WeightRows> tensors;
  for (int32_t i = 0; i < config.num_decoder_layers; ++i) {
    const std::string name =
        absl::StrCat("decoder.block.", i, ".layer.1.EncDecAttention.");
    tensors.push_back({name + "k.weight", 0, kv});
    tensors.push_back({name + "v.weight", 0, kv});
  }
  return loader.Fused(config.d_model, tensors);
}

int64_t Bytes(const std::vector<float>& values) {
  return static_cast<int64_t>(values.size() * sizeof(float));
}

int64_t Bytes(const FeedForwardWeights& ff) {
  return Bytes(ff.norm) + ff.in.bytes() + ff.out.bytes();
}

}  // namespace

absl::StatusOr<Weights> Weights::Load(const T5Config& config,
                                      const WeightSource& source,
                                      const LinearOptions& options) {
  const int64_t vocab = config.vocab_size, d_model = config.d_model;
  const std::string bias =
      ".block.0.layer.0.SelfAttention."
      "relative_attention_bias.weight";
  SHEAF_CHECK(!config.table_tensor.empty());
  Loader loader(source, options);
  Weights weights;
  weights.config = config;
  weights.type = options.type;
  // A head that is the table is read as columns of a product and as rows of a
  // table; panels serve both, so there is one copy.
  weights.head = loader.Fused(d_model, {{config.head_tensor, 0, vocab}});
  if (config.has_own_head()) {
    if (options.type == WeightType::kF32) {
      weights.embedding = loader.Rows(config.table_tensor, vocab, d_model);
    } else {
      weights.embedding_bf16 =
          loader.Bf16Rows(config.table_tensor, vocab, d_model);
    }
  }
  weights.encoder_bias =
      loader.Matrix("encoder" + bias, config.relative_attention_num_buckets,
                    config.num_heads);
  weights.decoder_bias =
      loader.Matrix("decoder" + bias, config.relative_attention_num_buckets,
                    config.num_heads);
  weights.encoder_norm =
      loader.Vector("encoder.final_layer_norm.weight", d_model);
  weights.decoder_norm =
      loader.Vector("decoder.final_layer_norm.weight", d_model);
  for (int32_t i = 0; i < config.num_encoder_layers && loader.status().ok();
       ++i) {
    weights.encoder.push_back(LoadEncoderLayer(loader, config, i));
  }
  for (int32_t i = 0; i < config.num_decoder_layers && loader.status().ok();
       ++i) {
    weights.decoder.push_back(LoadDecoderLayer(loader, config, i));
  }
  weights.cross_kv = LoadCrossKv(loader, config);
  if (!loader.status().ok()) return loader.status();
  return weights;
}

void Weights::Embed(int32_t id, float* out) const {
  if (!config.has_own_head()) return head.ReadColumn(id, out);
  const int64_t d_model = config.d_model;
  if (embedding_bf16.empty()) {
    std::copy_n(embedding.data() + id * d_model, d_model, out);
  } else {
    std::transform(embedding_bf16.begin() + id * d_model,
                   embedding_bf16.begin() + (id + 1) * d_model, out, FromBf16);
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
  int64_t bytes =
      decode_bytes() + embedding.bytes() +
      static_cast<int64_t>(embedding_bf16.size() * sizeof(uint16_t)) +
      Bytes(encoder_bias) + Bytes(decoder_bias) + Bytes(encoder_norm) +
      cross_kv.bytes();
  for (const EncoderLayer& layer : encoder) {
    bytes += Bytes(layer.norm) + layer.qkv.bytes() + layer.out.bytes() +
             Bytes(layer.feed_forward);
  }
  return bytes;
}

int64_t LeastWeightBytes(const T5Config& config, WeightType type) {
  const int64_t num_parameters = NumParameters(config);
  switch (type) {
    case WeightType::kF32:
      return 4 * num_parameters;
    case WeightType::kBf16:
      return 2 * num_parameters;
    case WeightType::kInt8:
      // An embedding of its own stays in bfloat16.
      return num_parameters + (config.has_own_head()
                                   ? int64_t{config.vocab_size} * config.d_model
                                   : 0);
  }
  return 0;
}

}  // namespace sheaf
