#include "bench/random_weights.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/hash.h"

namespace sheaf {
namespace {

// Stirs the bits of a counter (the finalizer of MurmurHash3), in 32 bits so
// that the compiler makes vectors of it.
inline uint32_t Mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x85ebca6b;
  x ^= x >> 13;
  x *= 0xc2b2ae35;
  return x ^ (x >> 16);
}

// 1 / sqrt(n).
float Fan(int64_t n) { return 1.0f / std::sqrt(static_cast<float>(n)); }

constexpr float kNormDeviation = 0.05f;
constexpr float kBiasDeviation = 0.5f;

}  // namespace

RandomWeights::RandomWeights(const T5Config& config) {
  const int64_t d_model = config.d_model, vocab = config.vocab_size;
  Add(config.table_tensor, {vocab, d_model}, 0, 1);
  if (config.has_own_head()) {
    Add(config.head_tensor, {vocab, d_model}, 0, Fan(d_model));
  }
  for (const absl::string_view stack : {"encoder", "decoder"}) {
    const bool is_decoder = stack == "decoder";
    Add(absl::StrCat(stack, ".final_layer_norm.weight"), {d_model}, 1,
        kNormDeviation);
    Add(absl::StrCat(stack,
                     ".block.0.layer.0.SelfAttention.relative_attention_bias."
                     "weight"),
        {config.relative_attention_num_buckets, config.num_heads}, 0,
        kBiasDeviation);
    const int32_t num_layers =
        is_decoder ? config.num_decoder_layers : config.num_encoder_layers;
    for (int32_t i = 0; i < num_layers; ++i) {
      const std::string prefix = absl::StrCat(stack, ".block.", i, ".layer.");
      const int32_t num_sublayers = is_decoder ? 3 : 2;
      for (int32_t j = 0; j < num_sublayers; ++j) {
        Add(absl::StrCat(prefix, j, ".layer_norm.weight"), {d_model}, 1,
            kNormDeviation);
      }
      AddAttention(config, prefix + "0.SelfAttention.",
                   is_decoder ? config.num_kv_heads : config.num_heads);
      if (is_decoder) {
        AddAttention(config, prefix + "1.EncDecAttention.",
                     config.num_cross_kv_heads);
      }
      AddFeedForward(
          config, absl::StrCat(prefix, num_sublayers - 1, ".DenseReluDense."));
    }
  }
}

void RandomWeights::AddAttention(const T5Config& config,
                                 const std::string& prefix,
                                 int64_t num_kv_heads) {
  const int64_t d_model = config.d_model;
  const int64_t q_columns = int64_t{config.num_heads} * config.head_dim;
  const int64_t kv = num_kv_heads * config.head_dim;
  // T5 does not scale the scores: q's weights are the smaller.
  Add(prefix + "q.weight", {q_columns, d_model}, 0,
      Fan(d_model * config.head_dim));
  Add(prefix + "k.weight", {kv, d_model}, 0, Fan(d_model));
  Add(prefix + "v.weight", {kv, d_model}, 0, Fan(d_model));
  Add(prefix + "o.weight", {d_model, q_columns}, 0, Fan(q_columns));
}

void RandomWeights::AddFeedForward(const T5Config& config,
                                   const std::string& prefix) {
  const int64_t d_model = config.d_model, d_ff = config.d_ff;
  if (config.is_gated) {
    Add(prefix + "wi_0.weight", {d_ff, d_model}, 0, Fan(d_model));
    Add(prefix + "wi_1.weight", {d_ff, d_model}, 0, Fan(d_model));
  } else {
    Add(prefix + "wi.weight", {d_ff, d_model}, 0, Fan(d_model));
  }
  Add(prefix + "wo.weight", {d_model, d_ff}, 0, Fan(d_ff));
}

void RandomWeights::Add(const std::string& name, std::vector<int64_t> shape,
                        float mean, float standard_deviation) {
  const float half = standard_deviation * std::sqrt(3.0f);
  tensors_[name] = {std::move(shape), mean - half, 2 * half, Fnv1a(name)};
}

std::vector<std::string> RandomWeights::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

bool RandomWeights::Has(absl::string_view name) const {
  return tensors_.contains(name);
}

absl::StatusOr<std::vector<int64_t>> RandomWeights::Shape(
    absl::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    return absl::NotFoundError(
        absl::StrFormat("there is no random tensor \"%s\"", name));
  }
  return found->second.shape;
}

absl::Status RandomWeights::ReadRows(absl::string_view name, int64_t first_row,
                                     int64_t num_rows,
                                     absl::Span<float> out) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return Shape(name).status();
  const Tensor& tensor = found->second;
  const bool is_vector = tensor.shape.size() == 1;
  const int64_t rows = is_vector ? 1 : tensor.shape[0];
  const int64_t cols = tensor.shape.back();
  if (first_row < 0 || num_rows < 0 || first_row > rows - num_rows ||
      static_cast<int64_t>(out.size()) != num_rows * cols) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "rows [%d, %d) of \"%s\" into %d floats; it is [%d, %d]", first_row,
        first_row + num_rows, name, out.size(), rows, cols));
  }
  const float scale = tensor.range * 0x1p-24f;
  for (int64_t row = 0; row < num_rows; ++row) {
    const uint64_t row_seed =
        tensor.seed +
        static_cast<uint64_t>(first_row + row) * 0x9e3779b97f4a7c15;
    const uint32_t low = static_cast<uint32_t>(row_seed);
    const uint32_t high = Mix(static_cast<uint32_t>(row_seed >> 32));
    float* to = out.data() + row * cols;
    for (uint32_t i = 0; i < static_cast<uint32_t>(cols); ++i) {
      const uint32_t bits = Mix((low + i) ^ high) >> 8;
      to[i] = tensor.lowest + scale * static_cast<float>(bits);
    }
  }
  return absl::OkStatus();
}

}  // namespace sheaf
