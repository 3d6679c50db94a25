#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/model/t5_config.h"

namespace sheaf {

// The T5 v1.1 model of a size by name: gated GELU, head untied, 32128 tokens,
// all heads with keys and values of their own. INVALID_ARGUMENT names the
// sizes there are.
absl::StatusOr<T5Config> ConfigOfShape(absl::string_view name);

// A decode step of `batch` sources with `beam_size` sequences each, which have
// `self_tokens` tokens in self-attention and `cross_tokens` in cross-attention.
struct StepShape {
  int64_t batch;
  int64_t beam_size;
  int64_t self_tokens;
  int64_t cross_tokens;
  int64_t kv_element_bytes;
};

// What such a step must do at the least: every decoder weight is read once, so
// are each sequence's own keys and values and each source's.
struct StepWork {
  int64_t kv_bytes = 0;  // of all sequences
  int64_t flops = 0;     // a multiply-add is two
};
StepWork WorkOfStep(const T5Config& config, const StepShape& step);

}  // namespace sheaf
