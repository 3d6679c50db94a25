// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/config_files.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/kernels.h"
#include "engine/model/description.h"
#include "engine/model/loaded_model.h"
#include "engine/model/shortlist.h"
#include "engine/thread_team.h"
#include "server/flags.h"
#include "server/served_model.h"
#include "server/server.h"

namespace sheaf {

// A model in memory with what the server needs to run it. Not movable, because
// its parts refer to one another.
class ServerModel {
 public:
  // Reads the directory `dir` and checks that the machine has the memory that
  // the model needs. Errors are those of the files, which they name, or
  // RESOURCE_EXHAUSTED (server/ops/memory_limit.h).
  static absl::StatusOr<std::unique_ptr<ServerModel>> Load(
      const std::string& dir, const ProgramOptions& flags, kernels::Isa isa);

  const ServedModel& served() const { return served_; }
  int64_t max_queued_bytes() const { return max_queued_bytes_; }
  EngineParts parts() {
    return {model_->storage().shape(), &model_->runner(), &team_, &kernels_};
  }

 private:
  ServerModel(const ProgramOptions& flags, kernels::Isa isa)
      : kernels_(kernels::KernelsFor(isa)), team_(flags.num_threads) {}

  absl::Status SetName(const std::string& dir, const ProgramOptions& flags);
  absl::Status LoadWeights(const std::string& dir, const ProgramOptions& flags,
                           ModelDescription& description);
  void DescribeServedModel(const ModelDescription& description,
                           const ProgramOptions& flags);
  absl::Status LoadTokenizers(const ModelDescription& description);
  // Reads the shortlist if the flags ask for it. REQUIRES: LoadTokenizers().
  absl::Status LoadShortlist(const std::string& dir,
                             const ModelDescription& description,
                             const ProgramOptions& flags);
  absl::Status LoadText(const ProgramOptions& flags, const ConfigFiles& files);

  const kernels::Kernels& kernels_;
  ThreadTeam team_;
  std::shared_ptr<const Shortlist> shortlist_;  // null: none
  std::unique_ptr<LoadedModel> model_;
  ServedModel served_;
  int64_t max_queued_bytes_ = 0;
};

}  // namespace sheaf
