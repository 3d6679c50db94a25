// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>
#include <string>
#include <utility>

#include "engine/model/checkpoint.h"
#include "engine/model/loaded_model.h"
#include "engine/model/tensor_match.h"
#include "engine/thread_team.h"
#include "gtest/gtest.h"

namespace sheaf {

// A model directory of the tests, ready to run.
struct TestModel {
  struct Options {
    int32_t num_threads = 2;
    WeightType type = WeightType::kF32;
    kernels::KvType kv_type = kernels::KvType::kF32;
    kernels::Isa isa = kernels::DetectIsa();
    int64_t kv_bytes = 8 << 20;
    RunnerSizes sizes = {};
    std::shared_ptr<const Shortlist> shortlist = nullptr;
    AlignmentHeads alignment = {};  // no head: those of the directory
  };

  static std::unique_ptr<TestModel> Load(const std::string& directory,
                                         const Options& options) {
    auto model = std::make_unique<TestModel>(options);
    absl::StatusOr<ModelDescription> description = ReadDescription(directory);
    const absl::StatusOr<Checkpoint> checkpoint = Checkpoint::Open(directory);
    EXPECT_TRUE(description.ok()) << description.status();
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
    EXPECT_EQ(MatchTensors(*checkpoint, *description), absl::OkStatus());
    if (!options.alignment.heads.empty()) {
      description->architecture.alignment = options.alignment;
    }
    absl::StatusOr<std::unique_ptr<LoadedModel>> loaded = LoadedModel::Load(
        *description, *checkpoint, model->team, *model->kernels,
        {.weight_type = options.type,
         .kv_type = options.kv_type,
         .kv_cache_bytes = options.kv_bytes,
         .sizes = options.sizes,
         .shortlist = options.shortlist});
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    model->loaded = *std::move(loaded);
    model->description = *std::move(description);
    model->storage = &model->loaded->storage();
    model->runner = &model->loaded->runner();
    return model;
  }

  explicit TestModel(const Options& options)
      : kernels(&kernels::KernelsFor(options.isa)), team(options.num_threads) {}

  const Architecture& architecture() const { return loaded->architecture(); }
  const Weights& weights() const { return loaded->weights(); }

  const kernels::Kernels* kernels;
  ThreadTeam team;
  ModelDescription description;
  std::unique_ptr<LoadedModel> loaded;
  const KvStorage* storage = nullptr;   // of `loaded`
  TransformerRunner* runner = nullptr;  // of `loaded`
};

}  // namespace sheaf
