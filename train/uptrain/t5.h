#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "c10/core/GradMode.h"
#include "train/common/model_config.h"
#include "train/uptrain/tensor_file.h"

namespace sheaf {

// Of a model's weights. The parts lie in this order, so that each can have a
// rate of its own.
enum class WeightPart { kEmbedding, kMatrices, kVectors };

struct ForwardOptions {
  at::ScalarType compute_type = at::kFloat;  // of the products; or kBFloat16
  double dropout = 0;                        // 0: evaluation
};

// Source and target of some pairs, padded; ids are int64.
struct Batch {
  at::Tensor source;       // [B, S]
  at::Tensor source_mask;  // [B, S], f32: 1 where there is a token
  at::Tensor input;        // [B, T]: the start token, then the target but one
  at::Tensor targets;      // [num_targets]: the tokens to predict
  at::Tensor target_rows;  // [num_targets]: their places in B * T
  // [B, T]: the place in the source of the target's token, and of the input's;
  // -1 where none is known.
  at::Tensor target_place, input_place;
  int64_t num_targets = 0;  // tokens
  int64_t num_tokens = 0;   // of source and target, without padding
};

// A T5 model to train: gated GELU or ReLU, grouped attention in the decoder.
// What it computes is what engine/model computes.
//
// All weights lie in one flat tensor, in f32, and so do their gradients: the
// optimizer, clipping and averaging are a few operations whatever the model.
// Not thread-safe; threads that compute at once have a Replica() each.
class T5 {
 public:
  // Random weights, as T5 is initialised, from at's generator; but the
  // encoder's heads begin with places to look at.
  T5(const ModelConfig& config, at::Device device);

  // The same weights() with gradients() of its own. Both may compute at once,
  // while neither changes weights.
  T5 Replica() const;

  // The weights of a checkpoint that MatchTensors() has seen. Returns what is
  // wrong: a tensor that is absent, of another shape, or of another model.
  std::string Load(const NamedTensors& tensors);
  NamedTensors Tensors() const;  // views of weights()

  const ModelConfig& config() const { return config_; }
  at::Device device() const { return weights_.device(); }
  at::Tensor weights() const { return weights_; }      // [n], f32
  at::Tensor gradients() const { return gradients_; }  // [n], f32
  // Numbers of weights in a part.
  int64_t size_of(WeightPart part) const {
    return part_sizes_[static_cast<int>(part)];
  }
  struct Matrix {
    int64_t place;               // in weights()
    std::vector<int64_t> shape;  // [rows, columns]
  };
  // The part kMatrices.
  const std::vector<Matrix>& matrices() const { return matrices_; }

  // [B, S, d_model], after the final norm.
  at::Tensor Encode(const at::Tensor& source, const at::Tensor& source_mask,
                    const ForwardOptions& options) const;

  // [B, T, d_model]: what Head() multiplies. Cross-attention [B, H, T, S] of
  // each layer, in f32, if `attention` is not null.
  at::Tensor DecodeStates(const at::Tensor& input, const at::Tensor& encoded,
                          const at::Tensor& source_mask,
                          const ForwardOptions& options,
                          std::vector<at::Tensor>* attention = nullptr) const;

  at::Tensor Head() const;  // [vocab_size, d_model], f32

  // The logits: [B, T, vocab_size], in f32.
  at::Tensor Decode(const at::Tensor& input, const at::Tensor& encoded,
                    const at::Tensor& source_mask,
                    const ForwardOptions& options) const;

 private:
  struct Spec {
    std::string name;
    std::vector<int64_t> shape;
    WeightPart part;
    double deviation;  // of the initial weights; < 0: all are 1
    int64_t size() const;
  };
  std::vector<Spec> Specs() const;
  // Zero gradients, and the named leaves over weights_ that add to them.
  void MakeLeaves();

  at::Tensor Weight(const std::string& name) const { return named_.at(name); }
  at::Tensor Product(const at::Tensor& x, const std::string& name,
                     const ForwardOptions& options) const;
  // In the products' type, or in f32.
  at::Tensor Norm(const at::Tensor& x, const std::string& name,
                  const ForwardOptions& options) const;
  at::Tensor WideNorm(const at::Tensor& x, const std::string& name) const;
  at::Tensor Attend(const at::Tensor& x, const at::Tensor& memory,
                    const at::Tensor& bias, const std::string& name,
                    int64_t num_kv_heads, const ForwardOptions& options,
                    at::Tensor* probabilities) const;
  at::Tensor FeedForward(const at::Tensor& x, const std::string& name,
                         const ForwardOptions& options) const;
  at::Tensor PositionBias(const std::string& stack, int64_t length,
                          bool is_bidirectional) const;
  at::Tensor Buckets(int64_t length, bool is_bidirectional) const;

  ModelConfig config_;
  at::Tensor weights_, gradients_;
  NamedTensors named_;  // leaves that share weights_
  int64_t part_sizes_[3] = {};
  std::vector<Matrix> matrices_;
  // Of distances, by length and is_bidirectional, on the device.
  mutable std::map<std::pair<int64_t, bool>, at::Tensor> buckets_;
};

// Adds up what a batch's training counts. Sums over tokens, not means.
struct Loss {
  at::Tensor cross_entropy;  // scalar: of the true tokens, unsmoothed
  at::Tensor training;       // scalar to minimise: smoothed, with the guide
};

struct LossOptions {
  double label_smoothing = 0;
  double guide_weight = 0;  // of the guided attention; 0: none
};

// Guided attention: minus the logarithm of the attention that two heads of
// each layer but the first give to the source of the token to predict, and one
// head of the first to that of the token read; a mean over heads.
Loss ComputeLoss(const T5& model, const Batch& batch,
                 const ForwardOptions& forward, const LossOptions& options);

// Greedy decoding of [B, S] sources, at most `max_tokens` each: ids without the
// start token and without the end token.
std::vector<std::vector<int32_t>> GreedyDecode(const T5& model,
                                               const at::Tensor& source,
                                               const at::Tensor& source_mask,
                                               int64_t max_tokens,
                                               const ForwardOptions& options);

}  // namespace sheaf
