#pragma once

#include <memory>
#include <string>
#include <utility>

#include "engine/kv_storage.h"
#include "engine/model/checkpoint.h"
#include "engine/model/runner.h"
#include "engine/model/t5_config.h"
#include "engine/model/t5_tensors.h"
#include "engine/model/weights.h"
#include "engine/thread_team.h"
#include "gtest/gtest.h"

namespace sheaf {

// A model directory of the tests, loaded and ready to run.
struct TestModel {
  struct Options {
    int32_t num_threads = 2;
    WeightType type = WeightType::kF32;
    kernels::KvType kv_type = kernels::KvType::kF32;
    kernels::Isa isa = kernels::DetectIsa();
    int64_t kv_bytes = 8 << 20;
    RunnerSizes limits = {};
  };

  static std::unique_ptr<TestModel> Load(const std::string& directory,
                                         const Options& options) {
    auto model = std::make_unique<TestModel>(options);
    absl::StatusOr<T5Config> config = LoadT5Config(directory);
    absl::StatusOr<Checkpoint> checkpoint = Checkpoint::Open(directory);
    EXPECT_TRUE(config.ok()) << config.status();
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
    EXPECT_EQ(MatchT5Tensors(*checkpoint, *config), absl::OkStatus());
    absl::StatusOr<Weights> weights =
        Weights::Load(*config, *checkpoint,
                      {model->kernels, options.num_threads, options.type});
    EXPECT_TRUE(weights.ok()) << weights.status();
    model->weights = *std::move(weights);
    absl::StatusOr<KvStorage> storage =
        KvStorage::Create(KvDimsOf(*config, options.kv_type), options.kv_bytes);
    EXPECT_TRUE(storage.ok()) << storage.status();
    model->storage = std::make_unique<KvStorage>(*std::move(storage));
    model->runner = std::make_unique<TransformerRunner>(
        model->weights, *model->storage, model->team, *model->kernels,
        options.limits);
    return model;
  }

  explicit TestModel(const Options& options)
      : kernels(&kernels::KernelsFor(options.isa)), team(options.num_threads) {}

  const kernels::Kernels* kernels;
  ThreadTeam team;
  Weights weights;
  std::unique_ptr<KvStorage> storage;
  std::unique_ptr<TransformerRunner> runner;
};

}  // namespace sheaf
