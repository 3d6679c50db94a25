// SPDX-License-Identifier: Apache-2.0

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

// The parts of a model's weights, in their order in memory. Each can have a
// learning rate of its own.
enum class WeightPart { kEmbedding, kMatrices, kVectors };

struct ForwardOptions {
  at::ScalarType compute_type = at::kFloat;  // of products; or kBFloat16
  double dropout = 0;                        // 0: evaluation
};

// Sources and targets of several pairs, padded. Ids are int64.
struct Batch {
  at::Tensor source;       // [B, S]
  at::Tensor source_mask;  // [B, S], f32: 1 at a token, 0 at padding
  at::Tensor input;    // [B, T]: start token, then the target without its last
  at::Tensor targets;  // [num_targets]: the tokens to predict
  at::Tensor target_rows;  // [num_targets]: their places in B * T
  // [B, T]: the places in the source of the target's and of the input's tokens;
  // -1 where they are unknown.
  at::Tensor target_place, input_place;
  int64_t num_targets = 0;  // tokens
  int64_t num_tokens = 0;   // of source and target, without padding
};

// A T5 model to train: gated GELU or ReLU, grouped attention in the decoder. It
// computes the same function as engine/model.
//
// All weights are in one flat f32 tensor, and so are their gradients, so that
// the optimizer, clipping and averaging are a few operations for any model. Not
// thread-safe: threads that compute concurrently use one Replica() each.
class T5 {
 public:
  // Random weights from ATen's generator, initialised as T5's, except that the
  // encoder's heads start with a preference for neighbouring places.
  T5(const ModelConfig& config, at::Device device);

  // Shares weights() and has gradients() of its own. Both may compute
  // concurrently as long as neither changes weights.
  T5 Replica() const;

  // Copies the weights of a checkpoint after MatchTensors(). The error names a
  // tensor that is absent, of another shape, or of another model.
  Result<void> Load(const NamedTensors& tensors);
  NamedTensors Tensors() const;  // views of weights()

  const ModelConfig& config() const { return config_; }
  at::Device device() const { return weights_.device(); }
  at::Tensor weights() const { return weights_; }      // [n], f32
  at::Tensor gradients() const { return gradients_; }  // [n], f32
  // The number of weights in a part.
  int64_t size_of(WeightPart part) const {
    return part_sizes_[static_cast<int>(part)];
  }
  struct Matrix {
    int64_t place;               // in weights()
    std::vector<int64_t> shape;  // [rows, columns]
  };
  // The matrices of the part kMatrices.
  const std::vector<Matrix>& matrices() const { return matrices_; }

  // [B, S, d_model], after the final norm.
  at::Tensor Encode(const at::Tensor& source, const at::Tensor& source_mask,
                    const ForwardOptions& options) const;

  // [B, T, d_model]: the input of Head(). If `attention` is not null, it gets
  // the cross-attention of each layer, [B, H, T, S] in f32.
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
  // Makes zero gradients, and the named leaves over weights_ that add to them.
  void MakeLeaves();

  at::Tensor Weight(const std::string& name) const { return named_.at(name); }
  at::Tensor Product(const at::Tensor& x, const std::string& name,
                     const ForwardOptions& options) const;
  // Norm() returns the products' type, WideNorm() f32.
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
  // Buckets of distances, by length and is_bidirectional; on the device.
  mutable std::map<std::pair<int64_t, bool>, at::Tensor> buckets_;
};

// The losses of a batch. Sums over tokens, not means.
struct Loss {
  at::Tensor cross_entropy;  // scalar: of the true tokens, not smoothed
  at::Tensor training;       // scalar to minimise: smoothed, with the guide
};

struct LossOptions {
  double label_smoothing = 0;
  double guide_weight = 0;  // weight of the guided attention; 0: none
};

// Guided attention is a mean over heads of minus the logarithm of an attention.
// In every layer except the first, two heads attend to the source of the token
// to predict. In the first layer, one head attends to that of the token read.
Loss ComputeLoss(const T5& model, const Batch& batch,
                 const ForwardOptions& forward, const LossOptions& options);

// Decodes [B, S] sources greedily, up to `max_tokens` each. Returns ids without
// start and end token.
std::vector<std::vector<int32_t>> GreedyDecode(const T5& model,
                                               const at::Tensor& source,
                                               const at::Tensor& source_mask,
                                               int64_t max_tokens,
                                               const ForwardOptions& options);

}  // namespace sheaf
