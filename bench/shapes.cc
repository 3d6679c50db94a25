// SPDX-License-Identifier: Apache-2.0

#include "bench/shapes.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "engine/model/families/registry.h"

namespace sheaf {
namespace {

struct Shape {
  absl::string_view name;
  int32_t d_model, d_ff, num_heads, num_layers;
};

// All heads have 64 columns. Together they have d_model columns in xl and xxl,
// but not in small.
constexpr Shape kShapes[] = {
    {"t5-small", 512, 1024, 6, 8},    {"t5-base", 768, 2048, 12, 12},
    {"t5-large", 1024, 2816, 16, 24}, {"t5-xl", 2048, 5120, 32, 24},
    {"t5-xxl", 4096, 10240, 64, 24},
};

}  // namespace

absl::StatusOr<ModelDescription> DescribeShape(absl::string_view name) {
  for (const Shape& shape : kShapes) {
    if (shape.name != name) continue;
    ModelDescription description;
    const FoundFamily found = FindFamily("t5");
    description.family = found.family;
    Architecture& architecture = description.architecture;
    architecture.family = std::string(found.type->name);
    architecture.label = std::string(found.type->label);
    architecture.vocab_size = 32128;
    architecture.encoder = {.num_layers = shape.num_layers,
                            .d_model = shape.d_model,
                            .d_ff = shape.d_ff,
                            .num_heads = shape.num_heads,
                            .num_kv_heads = shape.num_heads,
                            .head_dim = 64};
    architecture.decoder = architecture.encoder;
    architecture.num_cross_kv_heads = shape.num_heads;
    architecture.is_gated = true;
    architecture.activation = Activation::kGeluTanh;
    architecture.is_tied = false;
    architecture.tokens.eos_ids = {1};
    return description;
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "--shape is \"%s\"; it may be t5-small, t5-base, t5-large, t5-xl or "
      "t5-xxl",
      name));
}

StepWork WorkOfStep(const Architecture& architecture, const StepShape& step) {
  const StackShape& shape = architecture.decoder;
  const int64_t layers = shape.num_layers;
  const int64_t q_columns = shape.q_columns();
  const int64_t self_kv = 2 * shape.kv_columns();
  const int64_t cross_kv = 2 * architecture.cross_kv_columns();
  const int64_t feed_forward =
      int64_t{architecture.is_gated ? 3 : 2} * shape.d_ff;
  // In a layer: q, k, v and o of self-attention, q and o of cross-attention.
  const int64_t columns = 4 * q_columns + self_kv + feed_forward;
  const int64_t weights =
      shape.d_model * (layers * columns + architecture.vocab_size);
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
