// sheaf-server: joins a model to the engine and serves it.

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"
#include "engine/model/checkpoint.h"
#include "engine/model/t5_config.h"
#include "engine/model/t5_runner.h"
#include "engine/model/t5_weights.h"
#include "engine/thread_team.h"
#include "server/flags.h"
#include "server/model_dir.h"
#include "server/server.h"

namespace sheaf {
namespace {

enum ExitCode { kServed = 0, kFailed = 1, kWrongFlags = 2, kWrongModel = 3 };

constexpr int32_t kDefaultMaxSourceTokens = 512;
constexpr int32_t kMaxEncodeTokens = 2048;  // in one pass, of short sources

// One line, whatever is in it.
ExitCode Complain(ExitCode code, const absl::Status& status) {
  std::string line(status.message());
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  std::fprintf(stderr, "sheaf-server: %s\n", line.c_str());
  return code;
}

absl::StatusOr<kernels::Isa> ChooseIsa(const std::string& name) {
  const kernels::Isa best = kernels::DetectIsa();
  if (name == "auto") return best;
  const kernels::Isa asked = kernels::ParseIsa(name).value();
  if (asked <= best) return asked;
  return absl::InvalidArgumentError(
      absl::StrFormat("--isa is \"%s\"; the most that this processor has is "
                      "\"%s\"",
                      name, kernels::IsaName(best)));
}

// A model in memory, ready to run. Not movable: its parts point to one another.
class LoadedModel {
 public:
  static absl::StatusOr<std::unique_ptr<LoadedModel>> Load(
      const std::string& dir, const ServerFlags& flags, kernels::Isa isa) {
    std::unique_ptr<LoadedModel> model(new LoadedModel(flags, isa));
    for (const absl::Status& status :
         {model->LoadWeights(dir, flags), model->LoadText(dir, flags)}) {
      if (!status.ok()) return status;
    }
    return model;
  }

  const ServedModel& served() const { return served_; }
  EngineParts parts() {
    return {storage_->shape(), runner_.get(), &team_, &kernels_};
  }

 private:
  LoadedModel(const ServerFlags& flags, kernels::Isa isa)
      : kernels_(kernels::KernelsFor(isa)), team_(flags.num_threads) {}

  absl::Status LoadWeights(const std::string& dir, const ServerFlags& flags);
  absl::Status LoadText(const std::string& dir, const ServerFlags& flags);

  const kernels::Kernels& kernels_;
  ThreadTeam team_;
  std::unique_ptr<T5Weights> weights_;
  std::unique_ptr<KvStorage> storage_;
  std::unique_ptr<T5Runner> runner_;
  std::unique_ptr<Tokenizer> tokenizer_;  // null: none in the directory
  TaskSet tasks_;
  ServedModel served_;
};

absl::Status LoadedModel::LoadWeights(const std::string& dir,
                                      const ServerFlags& flags) {
  absl::StatusOr<T5Config> config = LoadT5Config(dir);
  if (!config.ok()) return config.status();
  absl::StatusOr<Checkpoint> checkpoint = Checkpoint::Open(dir);
  if (!checkpoint.ok()) return checkpoint.status();
  absl::StatusOr<T5Weights> weights =
      T5Weights::Load(*config, *checkpoint,
                      {.kernels = &kernels_, .num_slices = team_.size()});
  if (!weights.ok()) return weights.status();
  weights_ = std::make_unique<T5Weights>(*std::move(weights));
  absl::StatusOr<KvStorage> storage =
      KvStorage::Create(KvDimsOf(*config), flags.kv_cache_bytes);
  if (!storage.ok()) return storage.status();
  storage_ = std::make_unique<KvStorage>(*std::move(storage));

  const int32_t max_source_tokens =
      flags.max_source_tokens > 0
          ? flags.max_source_tokens
          : config->n_positions.value_or(kDefaultMaxSourceTokens);
  T5RunnerLimits limits;
  limits.max_sequences = flags.max_sequences;
  limits.max_encode_tokens = std::max(kMaxEncodeTokens, max_source_tokens);
  limits.max_source_tokens = max_source_tokens;
  limits.max_new_tokens = flags.max_new_tokens;
  runner_ = std::make_unique<T5Runner>(*weights_, *storage_, team_, kernels_,
                                       limits);

  served_.name = ModelName(dir);
  served_.architecture = config->architecture;
  served_.num_parameters = NumParameters(*config);
  served_.num_query_heads = config->num_heads;
  served_.num_kv_heads = config->num_kv_heads;
  served_.num_cross_kv_heads = config->num_cross_kv_heads;
  served_.weight_type = flags.weight_type;
  served_.kv_type = flags.kv_type;
  served_.weight_bytes = weights_->bytes();
  served_.kv_bytes_per_token = storage_->bytes_per_token(Attention::kSelf);
  served_.cross_kv_bytes_per_token =
      storage_->bytes_per_token(Attention::kCross);
  served_.max_source_tokens = max_source_tokens;
  served_.vocab_size = config->vocab_size;
  return absl::OkStatus();
}

}  // namespace
}  // namespace sheaf
