// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/model/architecture.h"
#include "engine/model/description.h"

namespace sheaf {

// A published model's shape by name, with one KV head per query head; those of
// T5 are the sizes of T5 1.1. INVALID_ARGUMENT lists the names.
absl::StatusOr<ModelDescription> DescribeShape(absl::string_view name);

// All names, with "|" between them.
std::string ShapeNames();

// A decode step of `batch` sources with `beam_size` sequences each, which have
// `self_tokens` tokens in self-attention and `cross_tokens` in cross-attention.
struct StepShape {
  int64_t batch;
  int64_t beam_size;
  int64_t self_tokens;
  int64_t cross_tokens;
  int64_t kv_element_bytes;
};

// The least work of such a step: it reads every decoder weight once, and each
// sequence's and each source's keys and values.
struct StepWork {
  int64_t kv_bytes = 0;  // of all sequences
  int64_t flops = 0;     // a multiply-add is two
};
StepWork WorkOfStep(const Architecture& architecture, const StepShape& step);

}  // namespace sheaf
