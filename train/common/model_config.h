// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "train/common/result.h"

namespace sheaf {

// The shape of a T5 model, from its config.json. The server reads the same keys
// in engine/model/families/t5.cc and checks more of them; the trainer checks
// the values that it computes with.
struct ModelConfig {
  int64_t vocab_size = 0;
  int64_t d_model = 0;
  int64_t d_kv = 0;
  int64_t d_ff = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t num_cross_kv_heads = 0;
  int64_t num_encoder_layers = 0;
  int64_t num_decoder_layers = 0;
  bool is_gated = false;  // gated GELU; if not, ReLU
  double layer_norm_epsilon = 1e-6;
  int64_t num_buckets = 32;
  int64_t max_distance = 128;
  // Whether the decoder's output is multiplied by d_model^-0.5 before the head.
  bool scales_output = true;
  // Whether the head is a tensor of its own: true for random weights by
  // config.json, and for a checkpoint unless MatchTensors() finds otherwise.
  bool has_own_head = false;
  int64_t start_id = 0;
  int64_t eos_id = 1;

  // The error names file, key and value.
  static Result<ModelConfig> Load(const std::string& directory);
};

// The whole file. The error names it.
Result<std::string> ReadFile(const std::string& path);

}  // namespace sheaf
