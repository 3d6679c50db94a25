// SPDX-License-Identifier: Apache-2.0

#include "bench/shapes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/config_files.h"

namespace sheaf {
namespace {

// A config.json, of which only the sizes matter. The head is the embedding
// table or a table of its own.
struct Shape {
  absl::string_view name;
  bool is_tied;
  absl::string_view config;
};

constexpr Shape kShapes[] = {
    {"t5-small", false, R"({"model_type": "t5", "vocab_size": 32128,
      "d_model": 512, "d_kv": 64, "d_ff": 1024, "num_heads": 6,
      "num_layers": 8, "feed_forward_proj": "gated-gelu",
      "tie_word_embeddings": false})"},
    {"t5-base", false, R"({"model_type": "t5", "vocab_size": 32128,
      "d_model": 768, "d_kv": 64, "d_ff": 2048, "num_heads": 12,
      "num_layers": 12, "feed_forward_proj": "gated-gelu",
      "tie_word_embeddings": false})"},
    {"t5-large", false, R"({"model_type": "t5", "vocab_size": 32128,
      "d_model": 1024, "d_kv": 64, "d_ff": 2816, "num_heads": 16,
      "num_layers": 24, "feed_forward_proj": "gated-gelu",
      "tie_word_embeddings": false})"},
    {"t5-xl", false, R"({"model_type": "t5", "vocab_size": 32128,
      "d_model": 2048, "d_kv": 64, "d_ff": 5120, "num_heads": 32,
      "num_layers": 24, "feed_forward_proj": "gated-gelu",
      "tie_word_embeddings": false})"},
    {"t5-xxl", false, R"({"model_type": "t5", "vocab_size": 32128,
      "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_heads": 64,
      "num_layers": 24, "feed_forward_proj": "gated-gelu",
      "tie_word_embeddings": false})"},
    {"opus-mt", true, R"({"model_type": "marian", "vocab_size": 65001,
      "d_model": 512, "encoder_layers": 6, "decoder_layers": 6,
      "encoder_attention_heads": 8, "decoder_attention_heads": 8,
      "encoder_ffn_dim": 2048, "decoder_ffn_dim": 2048,
      "activation_function": "swish", "scale_embedding": true,
      "max_position_embeddings": 512})"},
    {"opus-mt-tc-big", true, R"({"model_type": "marian", "vocab_size": 60001,
      "d_model": 1024, "encoder_layers": 6, "decoder_layers": 6,
      "activation_function": "relu", "scale_embedding": true})"},
    {"bart-large", true, R"({"model_type": "bart", "vocab_size": 50264})"},
    {"m2m100-418m", true, R"({"model_type": "m2m_100",
      "vocab_size": 128112})"},
    {"nllb-600m", true, R"({"model_type": "m2m_100", "vocab_size": 256206})"},
    {"mbart-large", true, R"({"model_type": "mbart", "vocab_size": 250054,
      "activation_function": "relu", "scale_embedding": true})"},
    {"pegasus-large", true, R"({"model_type": "pegasus", "vocab_size": 96103,
      "encoder_layers": 16, "decoder_layers": 16,
      "activation_function": "relu", "scale_embedding": true})"},
    {"mt5-base", false, R"({"model_type": "mt5", "vocab_size": 250112,
      "d_model": 768, "d_kv": 64, "d_ff": 2048, "num_heads": 12,
      "num_layers": 12, "tie_word_embeddings": false})"},
    {"umt5-base", false, R"({"model_type": "umt5", "vocab_size": 256384,
      "d_model": 768, "d_kv": 64, "d_ff": 2048, "num_heads": 12,
      "num_layers": 12, "tie_word_embeddings": false})"},
    {"t5gemma-2b-2b", true, R"({"model_type": "t5gemma", "encoder": {},
      "decoder": {}})"},
    {"t5gemma2-270m", true, R"({"model_type": "t5gemma2",
      "encoder": {"text_config": {"vocab_size": 262144, "hidden_size": 640,
        "intermediate_size": 2048, "num_hidden_layers": 18,
        "num_attention_heads": 4, "num_key_value_heads": 1,
        "sliding_window": 512}},
      "decoder": {"vocab_size": 262144, "hidden_size": 640,
        "intermediate_size": 2048, "num_hidden_layers": 18,
        "num_attention_heads": 4, "num_key_value_heads": 1,
        "sliding_window": 512}})"},
};

}  // namespace

std::string ShapeNames() {
  return absl::StrJoin(kShapes, "|", [](std::string* out, const Shape& shape) {
    absl::StrAppend(out, shape.name);
  });
}

absl::StatusOr<ModelDescription> DescribeShape(absl::string_view name) {
  for (const Shape& shape : kShapes) {
    if (shape.name != name) continue;
    absl::StatusOr<ConfigFiles> files =
        ParseConfigFiles(shape.config, /*generation_json=*/std::nullopt, name);
    if (!files.ok()) return files.status();
    absl::StatusOr<ModelDescription> description =
        DescribeModel(*std::move(files));
    if (description.ok()) description->architecture.is_tied = shape.is_tied;
    return description;
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("--shape is \"%s\"; it may be %s", name, ShapeNames()));
}

StepWork WorkOfStep(const Architecture& architecture, const StepShape& step) {
  const StackShape& shape = architecture.decoder;
  const int64_t layers = shape.num_layers;
  const int64_t q_columns = shape.q_columns();
  const int64_t self_kv = 2 * shape.kv_columns();
  const int64_t cross_kv = 2 * architecture.cross_kv_columns();
  const int64_t feed_forward =
      int64_t{architecture.is_gated ? 3 : 2} * shape.d_ff;
  // In a layer: q, k, v and o of self-attention, and unless attention is
  // merged, q and o of cross-attention.
  const int64_t columns =
      (architecture.has_merged_attention ? 2 : 4) * q_columns + self_kv +
      feed_forward;
  const int64_t weights =
      shape.d_model * (layers * columns + architecture.vocab_size);
  int64_t self_tokens = 0;  // of all layers
  for (int64_t layer = 0; layer < layers; ++layer) {
    const bool has_window =
        !shape.windows.empty() && shape.windows[layer].has_value();
    self_tokens += has_window
                       ? std::min<int64_t>(step.self_tokens,
                                           shape.windows[layer]->back + 1)
                       : step.self_tokens;
  }
  const int64_t cross_tokens = layers * step.cross_tokens;
  StepWork work;
  work.kv_bytes =
      step.batch * step.kv_element_bytes *
      (step.beam_size * self_tokens * self_kv + cross_tokens * cross_kv);
  work.flops = step.batch * step.beam_size *
               (2 * weights + 4 * q_columns * (self_tokens + cross_tokens));
  return work;
}

}  // namespace sheaf
