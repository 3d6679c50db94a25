#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/kernels/kernels.h"

namespace sheaf {

using kernels::Activation;

// The shape of a T5 model: what its config.json says, the defaults filled in.
//
// ParseT5Config() vouches for the comments below, and bounds every number so
// that each weight's number of elements, and the sum of all, fits in an int64
// and each dimension of a weight in an int32.
struct T5Config {
  std::string model_type;    // "t5" or "mt5"
  std::string architecture;  // first of `architectures`, a label only

  int32_t vocab_size = 0;  // may exceed the tokenizer's
  int32_t d_model = 0;
  int32_t head_dim = 0;  // of a head; num_heads * head_dim need not be d_model
  int32_t d_ff = 0;
  int32_t num_heads = 0;
  int32_t num_kv_heads = 0;        // decoder self-attention; divides num_heads
  int32_t num_cross_kv_heads = 0;  // cross-attention; divides num_heads
  int32_t num_encoder_layers = 0;
  int32_t num_decoder_layers = 0;

  // The feed-forward layer: wo(f(wi x)), or gated, wo(f(wi_0 x) * wi_1 x).
  bool is_gated = false;
  Activation activation = Activation::kRelu;

  float layer_norm_epsilon = 1e-6f;
  int32_t relative_attention_num_buckets = 32;  // >= 4
  // > relative_attention_num_buckets / 2, so that the buckets' formula, which
  // divides by ln(max_distance / (num_buckets / 2)), is defined.
  int32_t relative_attention_max_distance = 128;

  // Whether the decoder's output is multiplied by d_model^-0.5 before the head.
  bool scales_output = true;

  // The tensors that are the embedding table and the head: one and the same, or
  // a head of its own. The checkpoint says which: both are empty until
  // MatchT5Tensors() has looked at it.
  std::string table_tensor, head_tensor;
  bool has_own_head() const { return head_tensor != table_tensor; }

  std::optional<int32_t> n_positions;  // source tokens seen in pre-training

  // Token ids, all in [0, vocab_size).
  int32_t decoder_start_token_id = 0;
  int32_t pad_token_id = 0;
  std::vector<int32_t> eos_token_ids;  // at least one

  // Keys of the files that the reference implementation follows and this one
  // does not, each with its effect.
  std::vector<std::string> warnings;
};

// The configuration in the text of a config.json and, if the directory has one,
// of its generation_config.json, whose token ids count before the former's.
// A key that is null counts as absent, unknown keys are harmless. Errors are
// InvalidArgument and name file (in `directory`), key, value and what is
// allowed.
absl::StatusOr<T5Config> ParseT5Config(
    absl::string_view config_json,
    std::optional<absl::string_view> generation_config_json,
    absl::string_view directory);

// The same from the files. NotFound if there is no config.json.
absl::StatusOr<T5Config> LoadT5Config(const std::string& directory);

// The number of weights of such a model, each counted once: no copies of the
// embedding (`encoder.embed_tokens`, `decoder.embed_tokens`, and `lm_head` if
// it is equal), no cross-attention position bias, which old checkpoints hold
// unused. A configuration that met no checkpoint counts no head of its own.
int64_t NumParameters(const T5Config& config);

}  // namespace sheaf
