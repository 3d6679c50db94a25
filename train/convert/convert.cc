// SPDX-License-Identifier: Apache-2.0

#include "train/convert/convert.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/model/checkpoint.h"
#include "engine/model/tensor_match.h"
#include "train/common/safetensors_writer.h"
#include "train/convert/attention_converter.h"
#include "train/convert/stored_tensor.h"

namespace sheaf {
namespace {

namespace fs = std::filesystem;

constexpr char kPartialSuffix[] = ".partial";

// Removes the further names of tensors, which PyTorch's files have where the
// model has one tensor in several places. A safetensors file would hold each
// copy.
void RemoveAliases(const Checkpoint& checkpoint,
                   const ModelDescription& description,
                   std::map<std::string, StoredTensor>& stored) {
  std::set<std::string> used;
  for (const auto& [place, name] : description.tensors) used.insert(name);
  const auto is_alias = [&](const std::string& name) {
    return !used.contains(name) &&
           std::any_of(used.begin(), used.end(), [&](const std::string& other) {
             return checkpoint.IsAlias(name, other);
           });
  };
  std::erase_if(stored, [&](const auto& each) { return is_alias(each.first); });
}

// The tensors of the new file: the unchanged ones first, then those of each
// attention, whose keys and values have fewer rows.
struct Plan {
  std::vector<StoredTensor> unchanged;
  std::vector<TensorToWrite> all;
};

absl::StatusOr<Plan> MakePlan(const Checkpoint& checkpoint,
                              const ModelDescription& description,
                              const std::vector<DecoderAttention>& attentions,
                              const ConvertOptions& options) {
  const StackShape& decoder = description.architecture.decoder;
  std::map<std::string, StoredTensor> stored;
  for (const StoredTensor& tensor : TensorsOf(checkpoint)) {
    stored[tensor.info->name] = tensor;
  }
  RemoveAliases(checkpoint, description, stored);
  std::vector<TensorToWrite> changed;
  for (const DecoderAttention& attention : attentions) {
    const int64_t rows = int64_t{attention.KvHeads(options)} * decoder.head_dim;
    for (const std::string& name : attention.Names()) {
      const auto found = stored.find(name);
      if (found == stored.end()) {
        return absl::NotFoundError(absl::StrCat("there is no tensor ", name));
      }
      const TensorInfo& info = *found->second.info;
      std::vector<int64_t> shape = info.shape;
      for (const Projection* grouped : {&attention.k, &attention.v}) {
        if (name == grouped->weight || name == grouped->bias) shape[0] = rows;
      }
      uint64_t num_bytes = DtypeBytes(info.dtype);
      for (const int64_t n : shape) num_bytes *= n;
      changed.push_back({name, std::string(DtypeName(info.dtype)),
                         std::move(shape), num_bytes});
      stored.erase(found);
    }
  }
  Plan plan;
  for (const auto& [name, tensor] : stored) {
    plan.unchanged.push_back(tensor);
    plan.all.push_back({name, std::string(DtypeName(tensor.info->dtype)),
                        tensor.info->shape, tensor.info->num_bytes()});
  }
  plan.all.insert(plan.all.end(), changed.begin(), changed.end());
  return plan;
}

absl::Status WriteWeights(
    const std::string& directory, ModelDescription description,
    const ConvertOptions& options,
    absl::FunctionRef<void(const ConvertedAttention&)> report) {
  const absl::StatusOr<Checkpoint> checkpoint = Checkpoint::Open(options.input);
  if (!checkpoint.ok()) return checkpoint.status();
  absl::Status matched = MatchTensors(*checkpoint, description);
  if (!matched.ok()) return matched;
  const Architecture& architecture = description.architecture;
  const std::vector<DecoderAttention> attentions = AttentionsOf(description);
  const absl::StatusOr<Plan> plan =
      MakePlan(*checkpoint, description, attentions, options);
  if (!plan.ok()) return plan.status();
  SafetensorsWriter writer(directory + "/model.safetensors", plan->all);
  for (const StoredTensor& tensor : plan->unchanged) {
    absl::Status copied = CopyBytes(tensor, writer);
    if (!copied.ok()) return copied;
  }
  for (const DecoderAttention& attention : attentions) {
    ConvertedAttention converted;
    const absl::StatusOr<NewTensors> tensors = ConvertAttention(
        architecture, options, *checkpoint, attention, converted);
    if (!tensors.ok()) return tensors.status();
    for (const auto& [name, tensor] : *tensors) {
      writer.Append(tensor.bytes.data(), tensor.bytes.size());
    }
    report(converted);
  }
  const Result<void> written = writer.Finish();
  if (!written.ok()) return absl::InternalError(written.error().message);
  return absl::OkStatus();
}

absl::Status WriteConfig(const std::string& directory,
                         const ModelDescription& description,
                         const ConvertOptions& options) {
  nlohmann::json config = description.files.config;
  const std::string object(description.family->kv_heads_object);
  if (object.empty()) {
    config["num_key_value_heads"] = options.num_kv_heads;
    config["cross_num_key_value_heads"] = options.num_cross_kv_heads;
  } else {
    config[object]["num_key_value_heads"] = options.num_kv_heads;
  }
  const std::string path = directory + "/config.json";
  std::ofstream file(path, std::ios::binary);
  file << config.dump(2) << '\n';
  file.close();
  if (file) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(path, ": can not be written"));
}

bool IsWeightsOrConfig(const std::string& name) {
  for (const char* suffix :
       {".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json",
        ".h5", ".msgpack", ".ckpt", ".pt", ".onnx"}) {
    if (absl::EndsWith(name, suffix)) return true;
  }
  return name == "config.json";
}

// All small files: tokenizer, generation_config.json, card, licence.
absl::Status CopyOtherFiles(const std::string& from, const std::string& to) {
  std::error_code error;
  for (fs::directory_iterator it(from, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!it->is_regular_file() || IsWeightsOrConfig(name)) continue;
    fs::copy_file(it->path(), fs::path(to) / name, error);
    if (error) break;
  }
  if (!error) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("copying the other files of ", from, ": ", error.message()));
}

absl::Status CheckHeads(const char* flag, int32_t heads, int32_t now) {
  if (heads > 0 && heads <= now && now % heads == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, " is ", heads, "; the model has ", now,
                   ", allowed are the numbers that divide it"));
}

}  // namespace

absl::Status CheckConvertible(const ModelDescription& description,
                              const ConvertOptions& options) {
  const Architecture& architecture = description.architecture;
  absl::Status status = CheckHeads("--kv_heads", options.num_kv_heads,
                                   architecture.decoder.num_kv_heads);
  if (!status.ok()) return status;
  status = CheckHeads("--cross_kv_heads", options.num_cross_kv_heads,
                      architecture.num_cross_kv_heads);
  if (!status.ok()) return status;
  if (!description.family->kv_heads_object.empty() &&
      options.num_cross_kv_heads != options.num_kv_heads) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--cross_kv_heads is ", options.num_cross_kv_heads,
        "; allowed is the number of --kv_heads, ", options.num_kv_heads,
        ", because a model of type ", architecture.family,
        " has one number for both attentions"));
  }
  const bool is_rotary = architecture.positions.kind == PositionKind::kRotary;
  if (options.method == GroupingMethod::kSvd &&
      (is_rotary || architecture.has_qk_norm)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--method is \"svd\", which can not change the keys of a model that ",
        is_rotary ? "turns" : "norms", " them ",
        is_rotary ? "by their positions" : "by head",
        "; allowed are mean, first, random"));
  }
  return absl::OkStatus();
}

absl::Status ConvertModel(
    const ModelDescription& description, const ConvertOptions& options,
    absl::FunctionRef<void(const ConvertedAttention&)> report) {
  const std::string partial = options.output + kPartialSuffix;
  std::error_code error;
  // Existing directories are never changed: the partial one may be a model.
  for (const std::string& path : {options.output, partial}) {
    if (fs::exists(path, error)) {
      return absl::AlreadyExistsError(absl::StrCat("--output is \"",
                                                   options.output, "\"; \"",
                                                   path, "\" exists already"));
    }
  }
  fs::create_directories(partial, error);
  if (error) {
    return absl::InternalError(absl::StrCat("--output: can not make \"",
                                            partial, "\": ", error.message()));
  }
  absl::Status status = WriteWeights(partial, description, options, report);
  if (status.ok()) status = WriteConfig(partial, description, options);
  if (status.ok()) status = CopyOtherFiles(options.input, partial);
  if (status.ok()) {
    fs::rename(partial, options.output, error);
    if (error) status = absl::InternalError(error.message());
  }
  if (!status.ok()) fs::remove_all(partial, error);
  return status;
}

}  // namespace sheaf
