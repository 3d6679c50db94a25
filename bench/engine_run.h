// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/kernels.h"
#include "engine/model/description.h"
#include "engine/model/linear.h"
#include "engine/model/weight_source.h"

namespace sheaf {

struct EngineRunOptions {
  ModelDescription description;           // matched with `weights`
  const WeightSource* weights = nullptr;  // required
  WeightType weight_type = WeightType::kF32;
  kernels::KvType kv_type = kernels::KvType::kF32;
  kernels::Isa isa = kernels::Isa::kPortable;
  int32_t num_threads = 1;
  int32_t batch = 1;            // sources
  int32_t beam_size = 1;        // sequences of each
  int32_t source_tokens = 1;    // of each
  int32_t generate_tokens = 1;  // of each; EOS is not chosen before
  int64_t kv_cache_bytes = 0;   // 0: what the run needs
  // Tokens that an output may have, chosen evenly; 0: all. A third of them
  // belong to the source, and the others are common to all sources.
  int32_t shortlist_size = 0;
  bool wants_alignment = false;  // as in Request
};

struct EngineRunResult {
  double encode_seconds = 0;        // of all sources, in one pass
  double step_seconds = 0;          // median decode step of the whole batch
  double tokens_per_second = 0;     // of answers, by encoding and decoding time
  int64_t kv_bytes = 0;             // the most held, in whole blocks
  int64_t weight_bytes = 0;         // in memory
  int64_t decode_weight_bytes = 0;  // read by a decode step
  int64_t peak_rss_bytes = 0;       // of the process until now
};

// Runs one batch of random sources through the engine, from the first pass of
// the encoder to the last token. The sources are submitted as one request, so
// that they are encoded together and all decode from the first step on.
// INVALID_ARGUMENT if the batch does not fit in kv_cache_bytes.
absl::StatusOr<EngineRunResult> RunEngine(const EngineRunOptions& options);

}  // namespace sheaf
