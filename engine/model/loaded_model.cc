// SPDX-License-Identifier: Apache-2.0

#include "engine/model/loaded_model.h"

#include <utility>

namespace sheaf {

LoadedModel::LoadedModel(Weights weights, KvStorage storage, ThreadTeam& team,
                         const kernels::Kernels& kernels,
                         const ModelOptions& options)
    : weights_(std::move(weights)),
      shortlist_(options.shortlist),
      storage_(std::move(storage)),
      runner_(weights_, storage_, team, kernels, options.sizes,
              shortlist_.get()) {}

absl::StatusOr<std::unique_ptr<LoadedModel>> LoadedModel::Load(
    const ModelDescription& description, const WeightSource& source,
    ThreadTeam& team, const kernels::Kernels& kernels,
    const ModelOptions& options) {
  absl::StatusOr<Weights> weights =
      Weights::Load(description, source,
                    {.kernels = &kernels,
                     .num_slices = team.size(),
                     .type = options.weight_type});
  if (!weights.ok()) return weights.status();
  absl::StatusOr<KvStorage> storage = KvStorage::Create(
      KvDimsOf(weights->architecture, options.kv_type), options.kv_cache_bytes);
  if (!storage.ok()) return storage.status();
  return std::unique_ptr<LoadedModel>(new LoadedModel(
      *std::move(weights), *std::move(storage), team, kernels, options));
}

}  // namespace sheaf
