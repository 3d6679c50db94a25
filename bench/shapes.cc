#include "bench/shapes.h"

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

namespace sheaf {
namespace {

struct Shape {
  absl::string_view name;
  int32_t d_model, d_ff, num_heads, num_layers;
};

// A head is 64 wide in all; xl's and xxl's make up d_model, small's do not.
constexpr Shape kShapes[] = {
    {"t5-small", 512, 1024, 6, 8},    {"t5-base", 768, 2048, 12, 12},
    {"t5-large", 1024, 2816, 16, 24}, {"t5-xl", 2048, 5120, 32, 24},
    {"t5-xxl", 4096, 10240, 64, 24},
};

}  // namespace

absl::StatusOr<T5Config> ConfigOfShape(absl::string_view name) {
  for (const Shape& shape : kShapes) {
    if (shape.name != name) continue;
    T5Config config;
    config.model_type = "t5";
    config.architecture = "T5ForConditionalGeneration";
    config.vocab_size = 32128;
    config.d_model = shape.d_model;
    config.head_dim = 64;
    config.d_ff = shape.d_ff;
    config.num_heads = shape.num_heads;
    config.num_kv_heads = shape.num_heads;
    config.num_cross_kv_heads = shape.num_heads;
    config.num_encoder_layers = shape.num_layers;
    config.num_decoder_layers = shape.num_layers;
    config.is_gated = true;
    config.activation = Activation::kGeluTanh;
    config.scales_output = false;
    config.table_tensor = "shared.weight";
    config.head_tensor = "lm_head.weight";
    config.eos_token_ids = {1};
    return config;
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "--shape is \"%s\"; it may be t5-small, t5-base, t5-large, t5-xl or "
      "t5-xxl",
      name));
}

StepWork WorkOfStep(const T5Config& config, const StepShape& step) {
  const int64_t layers = config.num_decoder_layers;
  const int64_t q_columns = int64_t{config.num_heads} * config.head_dim;
  const int64_t self_kv = int64_t{2} * config.num_kv_heads * config.head_dim;
  const int64_t cross_kv =
      int64_t{2} * config.num_cross_kv_heads * config.head_dim;
  const int64_t feed_forward = int64_t{config.is_gated ? 3 : 2} * config.d_ff;
  // In a layer: q, k, v and o of self-attention, q and o of cross-attention.
  const int64_t columns = 4 * q_columns + self_kv + feed_forward;
  const int64_t weights =
      config.d_model * (layers * columns + config.vocab_size);
  StepWork work;
  work.kv_bytes = step.batch * layers * step.kv_element_bytes *
                  (step.beam_size * step.self_tokens * self_kv +
                   step.cross_tokens * cross_kv);
  work.flops = step.batch * step.beam_size *
               (2 * weights + layers * 4 * q_columns *
                                  (step.self_tokens + step.cross_tokens));
  return work;
}

}  // namespace sheaf
