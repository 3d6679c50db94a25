// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"
#include "engine/model/description.h"
#include "engine/model/linear.h"
#include "engine/model/runner.h"
#include "engine/model/shortlist.h"
#include "engine/model/weight_source.h"
#include "engine/model/weights.h"
#include "engine/thread_team.h"

namespace sheaf {

struct ModelOptions {
  WeightType weight_type = WeightType::kF32;
  kernels::KvType kv_type = kernels::KvType::kF32;
  int64_t kv_cache_bytes = 0;
  RunnerSizes sizes = {};
  // Restricts outputs; null: to the whole vocabulary. It fits the model.
  std::shared_ptr<const Shortlist> shortlist = nullptr;
};

// A model that is ready to run: its weights, KV storage and runner. Immutable,
// except that the runner computes; see ModelRunner for its thread.
class LoadedModel {
 public:
  // The team and the kernels are the caller's and outlive the model. Neither
  // the description nor the source is kept. Errors name a tensor that cannot be
  // read, or are those of KvStorage::Create(). REQUIRES: MatchTensors() has
  // matched `description` with `source`.
  static absl::StatusOr<std::unique_ptr<LoadedModel>> Load(
      const ModelDescription& description, const WeightSource& source,
      ThreadTeam& team, const kernels::Kernels& kernels,
      const ModelOptions& options);

  LoadedModel(const LoadedModel&) = delete;  // the runner refers to its parts
  LoadedModel& operator=(const LoadedModel&) = delete;

  const Architecture& architecture() const { return weights_.architecture; }
  const Weights& weights() const { return weights_; }
  const KvStorage& storage() const { return storage_; }
  TransformerRunner& runner() { return runner_; }

 private:
  LoadedModel(Weights weights, KvStorage storage, ThreadTeam& team,
              const kernels::Kernels& kernels, const ModelOptions& options);

  const Weights weights_;
  const std::shared_ptr<const Shortlist> shortlist_;  // may be null
  KvStorage storage_;
  TransformerRunner runner_;
};

}  // namespace sheaf
