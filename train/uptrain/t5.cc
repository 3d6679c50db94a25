// SPDX-License-Identifier: Apache-2.0

#include "train/uptrain/t5.h"

#include <algorithm>
#include <cmath>

namespace sheaf {
namespace {

// The bias of masked places: far below every score, and finite.
constexpr double kMasked = -1e9;

// Returns T5's buckets of the distances key - query, [length, length].
at::Tensor MakeBuckets(int64_t length, int64_t num_buckets,
                       int64_t max_distance, bool is_bidirectional) {
  at::Tensor buckets = at::empty({length, length}, at::kLong);
  int64_t* out = buckets.data_ptr<int64_t>();
  const int64_t half = is_bidirectional ? num_buckets / 2 : num_buckets;
  const int64_t exact = half / 2;
  const float scale =
      std::log(static_cast<float>(max_distance) / static_cast<float>(exact));
  for (int64_t query = 0; query < length; ++query) {
    for (int64_t key = 0; key < length; ++key) {
      const int64_t relative = key - query;
      const int64_t distance = is_bidirectional
                                   ? std::abs(relative)
                                   : std::max<int64_t>(-relative, 0);
      int64_t bucket = distance;
      if (distance >= exact) {
        const float ratio =
            std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
            scale;
        bucket = std::min(half - 1,
                          exact + static_cast<int64_t>(ratio * (half - exact)));
      }
      if (is_bidirectional && relative > 0) bucket += half;
      *out++ = bucket;
    }
  }
  return buckets;
}

// Returns the biases [buckets, heads] that are added to those of the encoder's
// heads. Of eight heads, one each prefers the token before, the token after and
// the second token before, two prefer the tokens around, the others none.
at::Tensor FirstPlaces(const ModelConfig& config) {
  constexpr float kAtOnePlace = 7;  // e^7 outweighs several hundred others
  const int64_t reach = config.max_distance;
  const at::Tensor buckets =
      MakeBuckets(2 * reach + 1, config.num_buckets, reach,
                  /*is_bidirectional=*/true)
          .select(0, reach);
  const int64_t* bucket = buckets.data_ptr<int64_t>();
  const auto bias = [&](int64_t head, int64_t key) {  // key: from the query
    const float distance = static_cast<float>(std::abs(key));
    switch (head % 8) {
      case 0:
        return key == -1 ? kAtOnePlace : 0;
      case 1:
        return key == 1 ? kAtOnePlace : 0;
      case 2:
        return key == -2 ? kAtOnePlace : 0;
      case 3:
        return -std::min(0.5f * distance, 6.0f);
      case 4:
        return -std::min(0.1f * distance, 4.0f);
      default:
        return 0.0f;
    }
  };
  at::Tensor places = at::zeros({config.num_buckets, config.num_heads});
  // From far to near, so that the smallest distance of a bucket counts.
  for (int64_t distance = reach; distance >= 0; --distance) {
    for (const int64_t key : {-distance, distance}) {
      float* row =
          places.data_ptr<float>() + bucket[reach + key] * config.num_heads;
      for (int64_t head = 0; head < config.num_heads; ++head) {
        row[head] = bias(head, key);
      }
    }
  }
  return places;
}

at::Tensor Dropped(const at::Tensor& x, const ForwardOptions& options) {
  return options.dropout > 0 ? at::dropout(x, options.dropout, /*train=*/true)
                             : x;
}

std::string LayerName(const char* stack, int64_t layer, int sublayer) {
  return std::string(stack) + ".block." + std::to_string(layer) + ".layer." +
         std::to_string(sublayer) + ".";
}

std::string PositionBiasName(const std::string& stack) {
  return LayerName(stack.c_str(), 0, 0) +
         "SelfAttention.relative_attention_bias.weight";
}

}  // namespace

T5::T5(const ModelConfig& config, at::Device device) : config_(config) {
  const std::vector<Spec> specs = Specs();
  int64_t total = 0;
  for (const Spec& spec : specs) {
    part_sizes_[static_cast<int>(spec.part)] += spec.size();
    total += spec.size();
  }
  weights_ = at::empty({total}, at::TensorOptions(at::kFloat));
  int64_t at = 0;
  for (const Spec& spec : specs) {
    at::Tensor slice = weights_.narrow(0, at, spec.size());
    if (spec.deviation < 0) {
      slice.fill_(1);
    } else {
      slice.normal_(0, spec.deviation);
    }
    if (spec.name == PositionBiasName("encoder")) {
      slice.add_(FirstPlaces(config).flatten());
    }
    if (spec.part == WeightPart::kMatrices) {
      matrices_.push_back({at, spec.shape});
    }
    at += spec.size();
  }
  weights_ = weights_.to(device);
  MakeLeaves();
}

T5 T5::Replica() const {
  T5 replica = *this;
  replica.MakeLeaves();
  return replica;
}

void T5::MakeLeaves() {
  gradients_ = at::zeros_like(weights_);
  int64_t at = 0;
  for (const Spec& spec : Specs()) {
    at::Tensor leaf =
        weights_.narrow(0, at, spec.size()).view(spec.shape).detach();
    leaf.requires_grad_(true);
    leaf.mutable_grad() =
        gradients_.narrow(0, at, spec.size()).view(spec.shape);
    named_[spec.name] = leaf;
    at += spec.size();
  }
}

int64_t T5::Spec::size() const {
  int64_t size = 1;
  for (const int64_t n : shape) size *= n;
  return size;
}

std::vector<T5::Spec> T5::Specs() const {
  const ModelConfig& c = config_;
  const auto deviation = [](int64_t n) { return 1 / std::sqrt(double(n)); };
  std::vector<Spec> embeddings, matrices, vectors;
  const auto matrix = [&](const std::string& name, int64_t rows,
                          int64_t columns, double dev) {
    matrices.push_back(
        {name + ".weight", {rows, columns}, WeightPart::kMatrices, dev});
  };
  const auto norm = [&](const std::string& name) {
    vectors.push_back(
        {name + ".weight", {c.d_model}, WeightPart::kVectors, -1});
  };
  const auto attention = [&](const std::string& name, int64_t kv_heads) {
    const int64_t inner = c.num_heads * c.d_kv;
    matrix(name + ".q", inner, c.d_model, deviation(c.d_model * c.d_kv));
    matrix(name + ".k", kv_heads * c.d_kv, c.d_model, deviation(c.d_model));
    matrix(name + ".v", kv_heads * c.d_kv, c.d_model, deviation(c.d_model));
    matrix(name + ".o", c.d_model, inner, deviation(inner));
  };
  const auto feed_forward = [&](const std::string& name) {
    const auto input = [&](const char* wi) {
      matrix(name + wi, c.d_ff, c.d_model, deviation(c.d_model));
    };
    if (c.is_gated) {
      input(".wi_0");
      input(".wi_1");
    } else {
      input(".wi");
    }
    matrix(name + ".wo", c.d_model, c.d_ff, deviation(c.d_ff));
  };
  // If the table is also the head, its logits are scaled by d_model^-0.5, so
  // that it can start at 1.
  embeddings.push_back(
      {"shared.weight", {c.vocab_size, c.d_model}, WeightPart::kEmbedding, 1});
  if (c.has_own_head) {
    embeddings.push_back({"lm_head.weight",
                          {c.vocab_size, c.d_model},
                          WeightPart::kEmbedding,
                          deviation(c.d_model)});
  }
  for (const char* stack : {"encoder", "decoder"}) {
    const bool is_decoder = stack[0] == 'd';
    const int64_t layers =
        is_decoder ? c.num_decoder_layers : c.num_encoder_layers;
    // Biases must grow to several units, because an encoder has no other
    // positions. At the rate of matrices a short training does not get there.
    embeddings.push_back({PositionBiasName(stack),
                          {c.num_buckets, c.num_heads},
                          WeightPart::kEmbedding,
                          deviation(c.d_model)});
    for (int64_t i = 0; i < layers; ++i) {
      attention(LayerName(stack, i, 0) + "SelfAttention",
                is_decoder ? c.num_kv_heads : c.num_heads);
      norm(LayerName(stack, i, 0) + "layer_norm");
      if (is_decoder) {
        attention(LayerName(stack, i, 1) + "EncDecAttention",
                  c.num_cross_kv_heads);
        norm(LayerName(stack, i, 1) + "layer_norm");
      }
      const int last = is_decoder ? 2 : 1;
      feed_forward(LayerName(stack, i, last) + "DenseReluDense");
      norm(LayerName(stack, i, last) + "layer_norm");
    }
    norm(std::string(stack) + ".final_layer_norm");
  }
  embeddings.insert(embeddings.end(), matrices.begin(), matrices.end());
  embeddings.insert(embeddings.end(), vectors.begin(), vectors.end());
  return embeddings;
}

Result<void> T5::Load(const NamedTensors& tensors) {
  const c10::NoGradGuard no_grad;
  for (const auto& [name, weight] : named_) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) return Error{"there is no tensor " + name};
    if (found->second.sizes() != weight.sizes()) {
      return Error{"tensor " + name +
                   " does not have the shape that config.json gives it"};
    }
    at::Tensor(weight).copy_(found->second);
  }
  for (const auto& [name, tensor] : tensors) {
    if (named_.count(name) == 0) {
      return Error{"tensor " + name +
                   " has no place in the model that config.json describes"};
    }
  }
  return {};
}

NamedTensors T5::Tensors() const { return named_; }

at::Tensor T5::Product(const at::Tensor& x, const std::string& name,
                       const ForwardOptions& options) const {
  return at::linear(x.to(options.compute_type),
                    Weight(name + ".weight").to(options.compute_type));
}

at::Tensor T5::Norm(const at::Tensor& x, const std::string& name,
                    const ForwardOptions& options) const {
  return WideNorm(x, name).to(options.compute_type);
}

at::Tensor T5::WideNorm(const at::Tensor& x, const std::string& name) const {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor mean = wide.square().mean(-1, /*keepdim=*/true);
  return wide * at::rsqrt(mean + config_.layer_norm_epsilon) *
         Weight(name + ".weight");
}

at::Tensor T5::PositionBias(const std::string& stack, int64_t length,
                            bool is_bidirectional) const {
  const at::Tensor table = Weight(PositionBiasName(stack));
  return at::embedding(table, Buckets(length, is_bidirectional))
      .permute({2, 0, 1})
      .unsqueeze(0);
}

at::Tensor T5::Buckets(int64_t length, bool is_bidirectional) const {
  at::Tensor& buckets = buckets_[{length, is_bidirectional}];
  if (!buckets.defined()) {
    buckets = MakeBuckets(length, config_.num_buckets, config_.max_distance,
                          is_bidirectional)
                  .to(device());
  }
  return buckets;
}

// Stacks the queries of the heads that share a KV head, so that each key is
// multiplied once per group.
at::Tensor T5::Attend(const at::Tensor& x, const at::Tensor& memory,
                      const at::Tensor& bias, const std::string& name,
                      int64_t num_kv_heads, const ForwardOptions& options,
                      at::Tensor* probabilities) const {
  const int64_t B = x.size(0), T = x.size(1), S = memory.size(1);
  const int64_t H = config_.num_heads, G = num_kv_heads, D = config_.d_kv;
  const at::Tensor q = Product(x, name + ".q", options)
                           .view({B, T, H, D})
                           .transpose(1, 2)
                           .reshape({B, G, H / G * T, D});
  const auto shared = [&](const char* which) {
    return Product(memory, name + which, options)
        .view({B, S, G, D})
        .transpose(1, 2);
  };
  const at::Tensor scores =
      at::matmul(q, shared(".k").transpose(2, 3)).view({B, H, T, S});
  const at::Tensor weights =
      at::softmax(scores.to(at::kFloat) + bias, /*dim=*/-1);
  if (probabilities != nullptr) *probabilities = weights;
  const at::Tensor attended = at::matmul(Dropped(weights, options)
                                             .to(options.compute_type)
                                             .view({B, G, H / G * T, S}),
                                         shared(".v"))
                                  .view({B, H, T, D})
                                  .transpose(1, 2)
                                  .reshape({B, T, H * D});
  return Product(attended, name + ".o", options);
}

at::Tensor T5::FeedForward(const at::Tensor& x, const std::string& name,
                           const ForwardOptions& options) const {
  const at::Tensor hidden =
      config_.is_gated ? at::gelu(Product(x, name + ".wi_0", options), "tanh") *
                             Product(x, name + ".wi_1", options)
                       : at::relu(Product(x, name + ".wi", options));
  return Product(Dropped(hidden, options), name + ".wo", options);
}

at::Tensor T5::Encode(const at::Tensor& source, const at::Tensor& source_mask,
                      const ForwardOptions& options) const {
  const at::Tensor bias =
      PositionBias("encoder", source.size(1), /*is_bidirectional=*/true) +
      ((1 - source_mask) * kMasked).unsqueeze(1).unsqueeze(1);
  at::Tensor x =
      Dropped(at::embedding(Weight("shared.weight"), source), options);
  for (int64_t i = 0; i < config_.num_encoder_layers; ++i) {
    const std::string self = LayerName("encoder", i, 0);
    const at::Tensor normed = Norm(x, self + "layer_norm", options);
    x = x + Dropped(Attend(normed, normed, bias, self + "SelfAttention",
                           config_.num_heads, options, nullptr),
                    options);
    const std::string last = LayerName("encoder", i, 1);
    x = x + Dropped(FeedForward(Norm(x, last + "layer_norm", options),
                                last + "DenseReluDense", options),
                    options);
  }
  return Dropped(WideNorm(x, "encoder.final_layer_norm"), options);
}

at::Tensor T5::DecodeStates(const at::Tensor& input, const at::Tensor& encoded,
                            const at::Tensor& source_mask,
                            const ForwardOptions& options,
                            std::vector<at::Tensor>* attention) const {
  const int64_t length = input.size(1);
  const at::Tensor causal = at::triu(
      at::full({length, length}, kMasked, weights_.options()), /*diagonal=*/1);
  const at::Tensor self_bias =
      PositionBias("decoder", length, /*is_bidirectional=*/false) + causal;
  const at::Tensor cross_bias =
      ((1 - source_mask) * kMasked).unsqueeze(1).unsqueeze(1);
  const at::Tensor memory = encoded.to(options.compute_type);
  at::Tensor x =
      Dropped(at::embedding(Weight("shared.weight"), input), options);
  for (int64_t i = 0; i < config_.num_decoder_layers; ++i) {
    const std::string self = LayerName("decoder", i, 0);
    const at::Tensor normed = Norm(x, self + "layer_norm", options);
    x = x + Dropped(Attend(normed, normed, self_bias, self + "SelfAttention",
                           config_.num_kv_heads, options, nullptr),
                    options);
    const std::string cross = LayerName("decoder", i, 1);
    at::Tensor probabilities;
    x = x + Dropped(Attend(Norm(x, cross + "layer_norm", options), memory,
                           cross_bias, cross + "EncDecAttention",
                           config_.num_cross_kv_heads, options,
                           attention == nullptr ? nullptr : &probabilities),
                    options);
    if (attention != nullptr) attention->push_back(probabilities);
    const std::string last = LayerName("decoder", i, 2);
    x = x + Dropped(FeedForward(Norm(x, last + "layer_norm", options),
                                last + "DenseReluDense", options),
                    options);
  }
  x = Dropped(WideNorm(x, "decoder.final_layer_norm"), options);
  return config_.scales_output ? x * (1 / std::sqrt(double(config_.d_model)))
                               : x;
}

at::Tensor T5::Head() const {
  return Weight(config_.has_own_head ? "lm_head.weight" : "shared.weight");
}

at::Tensor T5::Decode(const at::Tensor& input, const at::Tensor& encoded,
                      const at::Tensor& source_mask,
                      const ForwardOptions& options) const {
  return at::linear(DecodeStates(input, encoded, source_mask, options)
                        .to(options.compute_type),
                    Head().to(options.compute_type))
      .to(at::kFloat);
}

}  // namespace sheaf
