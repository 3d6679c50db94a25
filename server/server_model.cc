// SPDX-License-Identifier: Apache-2.0

#include "server/server_model.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/cgroup.h"
#include "base/program.h"
#include "base/start_guard.h"
#include "engine/kv_storage.h"
#include "engine/model/architecture.h"
#include "engine/model/checkpoint.h"
#include "engine/model/linear.h"
#include "engine/model/short_head.h"
#include "engine/model/tensor_list.h"
#include "engine/model/tensor_match.h"
#include "server/model_dir.h"
#include "server/ops/memory_limit.h"
#include "server/ops/signals.h"
#include "server/request_reader.h"
#include "text/vocabulary_fingerprint.h"

namespace sheaf {
namespace {

constexpr int32_t kDefaultMaxSourceTokens = 512;

// The size of one encoder pass in tokens: several short sources, or one of the
// longest.
int32_t MaxEncodeTokens(int32_t max_source_tokens) {
  return std::max(2048, max_source_tokens);
}

absl::StatusOr<int32_t> MaxSourceTokens(const Architecture& architecture,
                                        const ProgramOptions& flags) {
  if (flags.max_source_tokens == 0) {
    return std::min(
        architecture.trained_source_tokens.value_or(kDefaultMaxSourceTokens),
        kMaxSourceTokens);
  }
  if (architecture.max_positions > 0 &&
      flags.max_source_tokens > architecture.max_positions) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--max_source_tokens is %d; the model has %d positions and allows "
        "1..%d, or 0",
        flags.max_source_tokens, architecture.max_positions,
        architecture.max_positions));
  }
  return flags.max_source_tokens;
}

int32_t MaxNewTokens(const Architecture& architecture,
                     const ProgramOptions& flags) {
  const int32_t asked = flags.server.limits.max_new_tokens;
  return architecture.max_positions > 0
             ? std::min(asked, architecture.max_positions)
             : asked;
}

// Warns of defaults that are longer than the model's positions.
void WarnOfLengths(ServedModel& model) {
  const auto warn = [&](absl::string_view whose,
                        const DecodingDefaults& defaults) {
    const int32_t asked = defaults.max_new_tokens.value_or(0);
    if (model.max_positions == 0 || asked <= model.max_positions) return;
    model.warnings.push_back(absl::StrFormat(
        "%s: outputs have up to %d tokens by default; the model has %d "
        "positions, so they have %d at most",
        whose, asked, model.max_positions, model.max_positions));
  };
  warn("the model", model.tasks.defaults);
  for (const Task& task : model.tasks.tasks) warn(task.name, task.defaults);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerModel>> ServerModel::Load(
    const std::string& dir, const ProgramOptions& flags, kernels::Isa isa) {
  std::unique_ptr<ServerModel> model(new ServerModel(flags, isa));
  // The team's threads have started by now. A check that is ended by a signal
  // has failed.
  const EndsAtSignal ends_at_signal(flags.is_check_only ? kExitFailed
                                                        : kExitDone);
  absl::Status status = model->SetName(dir, flags);
  if (!status.ok()) return status;
  absl::StatusOr<ModelDescription> description = ReadDescription(dir);
  if (!description.ok()) return description.status();
  status = model->LoadTokenizers(*description);
  if (status.ok()) status = model->LoadShortlist(dir, *description, flags);
  if (status.ok()) status = model->LoadWeights(dir, flags, *description);
  if (status.ok()) status = model->LoadText(flags, description->files);
  if (!status.ok()) return status;
  return model;
}

absl::Status ServerModel::SetName(const std::string& dir,
                                  const ProgramOptions& flags) {
  served_.name = flags.model_name;
  if (!served_.name.empty()) return absl::OkStatus();
  served_.name = ModelName(dir);
  return CheckModelName(
      absl::StrFormat("the model's name, which directory \"%s\" gives it "
                      "without --model_name,",
                      absl::CHexEscape(dir)),
      served_.name);
}

absl::Status ServerModel::LoadWeights(const std::string& dir,
                                      const ProgramOptions& flags,
                                      ModelDescription& description) {
  const Architecture& architecture = description.architecture;
  const absl::StatusOr<int32_t> max_source_tokens =
      MaxSourceTokens(architecture, flags);
  if (!max_source_tokens.ok()) return max_source_tokens.status();
  const ModelOptions options = {
      .weight_type = ParseWeightType(flags.weight_type).value(),
      .kv_type = ParseKvType(flags.kv_type).value(),
      .kv_cache_bytes = flags.kv_cache_bytes,
      .sizes = {.max_sequences = flags.max_sequences,
                .max_encode_tokens = MaxEncodeTokens(*max_source_tokens),
                .max_source_tokens = *max_source_tokens,
                .max_new_tokens = MaxNewTokens(architecture, flags)},
      .shortlist = shortlist_};
  absl::StatusOr<Checkpoint> checkpoint = Checkpoint::Open(dir);
  if (!checkpoint.ok()) return checkpoint.status();
  absl::Status matched = MatchTensors(*checkpoint, description);
  if (!matched.ok()) return matched;
  const MemoryNeeds needs = {
      .weight_bytes = LeastWeightBytes(architecture, options.weight_type),
      .activation_bytes =
          ActivationBytes(architecture, options.sizes) +
          (shortlist_ == nullptr
               ? 0
               : ShortHead::Bytes(architecture, *shortlist_,
                                  options.weight_type, flags.max_sequences)),
      .kv_cache_bytes = flags.kv_cache_bytes,
      .max_queued_bytes = flags.server.max_queued_bytes,
      .transport_bytes = TransportBytes(flags.server),
      .http_bytes = HttpBytes(flags.server)};
  absl::Status fits = CheckMemoryFits(needs, MemoryLimits());
  if (!fits.ok()) return fits;
  max_queued_bytes_ =
      flags.server.max_queued_bytes > 0
          ? flags.server.max_queued_bytes
          : DerivedQueuedBytes(needs,
                               CgroupMemoryLimit().value_or(PhysicalMemory()));
  const StartGuard guard(
      kProgram,
      absl::StrFormat("weights take %d bytes or more, activations %d, "
                      "--kv_cache_bytes is %d",
                      needs.weight_bytes, needs.activation_bytes,
                      needs.kv_cache_bytes),
      kExitWrongModel);
  absl::StatusOr<std::unique_ptr<LoadedModel>> model =
      LoadedModel::Load(description, *checkpoint, team_, kernels_, options);
  if (!model.ok()) return model.status();
  model_ = *std::move(model);
  served_.max_source_tokens = *max_source_tokens;
  DescribeServedModel(description, flags);
  return absl::OkStatus();
}

// Fills served_ with what the loaded model says of itself.
void ServerModel::DescribeServedModel(const ModelDescription& description,
                                      const ProgramOptions& flags) {
  const Architecture& architecture = description.architecture;
  served_.architecture = architecture.label;
  served_.num_parameters = NumParameters(architecture);
  served_.num_query_heads = architecture.decoder.num_heads;
  served_.num_kv_heads = architecture.decoder.num_kv_heads;
  served_.num_cross_kv_heads = architecture.num_cross_kv_heads;
  served_.weight_type = flags.weight_type;
  served_.kv_type = flags.kv_type;
  served_.weight_bytes = model_->weights().bytes();
  served_.kv_bytes_per_token =
      model_->storage().bytes_per_token(Attention::kSelf);
  served_.cross_kv_bytes_per_token =
      model_->storage().bytes_per_token(Attention::kCross);
  served_.max_positions = architecture.max_positions;
  served_.source_vocab_size = architecture.source_vocab_size;
  served_.vocab_size = architecture.vocab_size;
  served_.warnings = description.warnings;
  served_.start_token_id = architecture.tokens.start_id;
  served_.no_output_ids = architecture.tokens.eos_ids;
  served_.no_output_ids.push_back(architecture.tokens.start_id);
}

absl::Status ServerModel::LoadTokenizers(const ModelDescription& description) {
  const absl::StatusOr<const TextFamily*> family =
      FindTextFamily(description.files);
  if (!family.ok()) return family.status();
  absl::StatusOr<Tokenizers> tokenizers = (*family)->load(
      description.files, description.architecture.source_vocab_size,
      description.architecture.vocab_size);
  if (tokenizers.ok()) {
    served_.tokenizers = *std::move(tokenizers);
    served_.text_family = *family;
  } else if (!absl::IsNotFound(tokenizers.status())) {
    return tokenizers.status();
  }
  return absl::OkStatus();
}

absl::Status ServerModel::LoadShortlist(const std::string& dir,
                                        const ModelDescription& description,
                                        const ProgramOptions& flags) {
  if (!flags.has_shortlist) return absl::OkStatus();
  if (served_.tokenizers.source == nullptr) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--shortlist is true; \"%s\" has no tokenizer, by which a shortlist is "
        "known to be the model's",
        absl::CHexEscape(dir)));
  }
  absl::StatusOr<Shortlist> shortlist =
      Shortlist::Read(absl::StrCat(dir, "/", kShortlistFile));
  if (!shortlist.ok()) return shortlist.status();
  const Architecture& architecture = description.architecture;
  const absl::Status fits = shortlist->CheckFits(
      {.source_size = architecture.source_vocab_size,
       .size = architecture.vocab_size,
       .fingerprint = VocabularyFingerprint(served_.tokenizers)},
      architecture.tokens.eos_ids);
  if (!fits.ok()) return fits;
  shortlist_ = std::make_shared<const Shortlist>(*std::move(shortlist));
  served_.has_shortlist = true;
  return absl::OkStatus();
}

absl::Status ServerModel::LoadText(const ProgramOptions& flags,
                                   const ConfigFiles& files) {
  if (served_.tokenizers.source != nullptr) {
    const std::vector<std::string> warnings = served_.tokenizers.warnings();
    served_.warnings.insert(served_.warnings.end(), warnings.begin(),
                            warnings.end());
  }
  const absl::StatusOr<const TextFamily*> family = FindTextFamily(files);
  if (!family.ok()) return family.status();
  const absl::StatusOr<std::string> tasks_json = ReadTasksFile(flags.tasks);
  if (!tasks_json.ok()) return tasks_json.status();
  const std::string model_name = ModelName(files.directory);
  absl::StatusOr<ModelTasks> tasks =
      ReadModelTasks(files, {.tasks_json = *tasks_json,
                             .pairs = flags.languages,
                             .family = *family,
                             .tokenizers = &served_.tokenizers,
                             .model_name = model_name,
                             .vocab_size = served_.vocab_size});
  if (!tasks.ok()) return tasks.status();
  served_.tasks = *std::move(tasks);
  served_.warnings.insert(served_.warnings.end(),
                          served_.tasks.warnings.begin(),
                          served_.tasks.warnings.end());
  WarnOfLengths(served_);
  return CheckTasks(served_);
}

}  // namespace sheaf
