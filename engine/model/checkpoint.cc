// SPDX-License-Identifier: Apache-2.0

#include "engine/model/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/input_file.h"
#include "base/strict_json.h"
#include "engine/model/safetensors.h"
#include "engine/model/torch_file.h"

namespace sheaf {
namespace {

using nlohmann::json;

// Where a format's weights are, in the order of the formats' preference.
struct Format {
  absl::string_view single_file;
  absl::string_view index_file;
  absl::string_view shard_suffix;
  absl::StatusOr<TensorFile> (*open)(const std::string& path);
};
constexpr Format kFormats[] = {
    {"model.safetensors", "model.safetensors.index.json", ".safetensors",
     OpenSafetensors},
    {"pytorch_model.bin", "pytorch_model.bin.index.json", ".bin",
     OpenTorchFile}};

constexpr absl::string_view kAdapterFile = "adapter_config.json";
constexpr size_t kMaxShards = 256;  // each holds a file descriptor

// The index's weight_map: file name of the shard by tensor name.
using WeightMap = std::map<std::string, std::string>;

bool IsPlainShardName(absl::string_view name, const Format& format) {
  return name.size() <= 255 && absl::EndsWith(name, format.shard_suffix) &&
         !absl::StartsWith(name, ".") &&
         name.find_first_of(absl::string_view("/\\\0", 3)) ==
             absl::string_view::npos;
}

absl::StatusOr<WeightMap> ReadWeightMap(const std::string& path,
                                        const Format& format) {
  absl::StatusOr<json> index = ReadStrictJson(path);
  if (!index.ok()) return index.status();
  const auto refuse = [&](absl::string_view rule) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", rule));
  };
  if (!index->is_object()) return refuse("must hold an object");
  const auto map = index->find("weight_map");
  if (map == index->end() || !map->is_object()) {
    return refuse("weight_map must be an object that maps tensors to files");
  }
  WeightMap result;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string()) {
      return refuse(absl::StrCat("weight_map: tensor ", Quoted(tensor),
                                 " must map to a file name"));
    }
    const std::string& name = shard.get_ref<const std::string&>();
    if (!IsPlainShardName(name, format)) {
      return refuse(absl::StrFormat(
          "weight_map: tensor %s maps to %s; allowed are names of %s files in "
          "the directory itself",
          Quoted(tensor), Quoted(name), format.shard_suffix));
    }
    result.emplace(tensor, name);
  }
  return result;
}

// Whether the tensor may have several names. When a model is saved, one of them
// is written and the others are dropped, but some programs make the index
// first.
bool MayBeDropped(absl::string_view tensor) {
  return tensor == "shared.weight" || tensor == "model.shared.weight" ||
         tensor == "lm_head.weight" || tensor == "lm_head.out_proj.weight" ||
         absl::EndsWith(tensor, ".embed_tokens.weight");
}

// Invariants 1 and 2. `names[i]` is the file name of `shards[i]`.
absl::Status CheckShards(const std::string& index_path, const WeightMap& map,
                         absl::Span<const std::string> names,
                         absl::Span<const TensorFile> shards) {
  const auto refuse = [&](absl::string_view tensor, absl::string_view rule) {
    return absl::InvalidArgumentError(
        absl::StrCat(index_path, ": tensor ", Quoted(tensor), " ", rule));
  };
  absl::flat_hash_map<absl::string_view, absl::string_view> shard_of;
  for (size_t i = 0; i < shards.size(); ++i) {
    for (const TensorInfo& tensor : shards[i].tensors()) {
      const auto [other, is_new] = shard_of.emplace(tensor.name, names[i]);
      if (!is_new) {
        return refuse(tensor.name,
                      absl::StrCat("is in two shards, ", Quoted(other->second),
                                   " and ", Quoted(names[i])));
      }
      if (!map.contains(tensor.name)) {
        return refuse(tensor.name, absl::StrCat("of shard ", Quoted(names[i]),
                                                " is not in weight_map"));
      }
    }
  }
  for (const auto& [tensor, shard] : map) {
    const auto found = shard_of.find(tensor);
    if (found == shard_of.end() && MayBeDropped(tensor)) continue;
    if (found == shard_of.end()) {
      return refuse(tensor, absl::StrCat("maps to ", Quoted(shard),
                                         ", but is in no shard"));
    }
    if (found->second != shard) {
      return refuse(tensor,
                    absl::StrCat("maps to ", Quoted(shard), ", but is in ",
                                 Quoted(found->second)));
    }
  }
  return absl::OkStatus();
}

bool HasFile(const std::string& directory, absl::string_view name) {
  std::error_code error;
  return std::filesystem::exists(absl::StrCat(directory, "/", name), error);
}

// Says what to do about weights in a format that is not read; "" if there are
// none.
std::string OtherWeights(const std::string& directory) {
  for (const absl::string_view name : {"tf_model.h5", "flax_model.msgpack"}) {
    if (!HasFile(directory, name)) continue;
    return absl::StrFormat(
        ", but %s, which is not read; load the model with transformers and "
        "save it as safetensors (save_pretrained)",
        name);
  }
  return "";
}

absl::StatusOr<std::vector<TensorFile>> OpenShards(
    const std::string& directory, const std::string& index_path,
    const WeightMap& map, const Format& format) {
  std::set<std::string> distinct;
  for (const auto& [tensor, shard] : map) distinct.insert(shard);
  if (distinct.empty() || distinct.size() > kMaxShards) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: weight_map names %d shards; allowed are 1..%d",
                        index_path, distinct.size(), kMaxShards));
  }
  const std::vector<std::string> names(distinct.begin(), distinct.end());
  std::vector<TensorFile> shards;
  std::vector<std::string> missing;
  for (const std::string& name : names) {
    absl::StatusOr<TensorFile> shard =
        format.open(absl::StrCat(directory, "/", name));
    if (absl::IsNotFound(shard.status())) {
      missing.push_back(Quoted(name));
      continue;
    }
    if (!shard.ok()) return shard.status();
    shards.push_back(*std::move(shard));
  }
  if (!missing.empty()) {
    return absl::NotFoundError(absl::StrFormat(
        "%s: %d of %d shards are not in the directory: %s", index_path,
        missing.size(), names.size(), absl::StrJoin(missing, ", ")));
  }
  absl::Status status = CheckShards(index_path, map, names, shards);
  if (!status.ok()) return status;
  return shards;
}

// The single file or the shards; empty if there is neither file nor index.
absl::StatusOr<std::vector<TensorFile>> OpenFormat(const std::string& directory,
                                                   const Format& format) {
  std::vector<TensorFile> files;
  absl::StatusOr<TensorFile> single =
      format.open(absl::StrCat(directory, "/", format.single_file));
  if (single.ok()) {
    files.push_back(*std::move(single));
    return files;
  }
  if (!absl::IsNotFound(single.status())) return single.status();
  const std::string index_path =
      absl::StrCat(directory, "/", format.index_file);
  const absl::StatusOr<WeightMap> map = ReadWeightMap(index_path, format);
  if (absl::IsNotFound(map.status())) return files;
  if (!map.ok()) return map.status();
  return OpenShards(directory, index_path, *map, format);
}

}  // namespace

absl::StatusOr<Checkpoint> Checkpoint::Open(const std::string& directory) {
  if (HasFile(directory, kAdapterFile)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s has %s: its weights change those of another model; merge them "
        "(merge_and_unload) and save the model whole",
        directory, kAdapterFile));
  }
  for (const Format& format : kFormats) {
    absl::StatusOr<std::vector<TensorFile>> files =
        OpenFormat(directory, format);
    if (!files.ok()) return files.status();
    if (!files->empty()) return Checkpoint(directory, *std::move(files));
  }
  return absl::NotFoundError(
      absl::StrFormat("%s has no weights: none of %s%s", directory,
                      absl::StrJoin(kFormats, ", ",
                                    [](std::string* out, const Format& format) {
                                      absl::StrAppend(out, format.single_file,
                                                      ", ", format.index_file);
                                    }),
                      OtherWeights(directory)));
}

absl::StatusOr<Checkpoint::Place> Checkpoint::Find(
    absl::string_view name) const {
  for (const TensorFile& file : files_) {
    const TensorInfo* tensor = file.Find(name);
    if (tensor != nullptr) return Place{&file, tensor};
  }
  return absl::NotFoundError(
      absl::StrFormat("%s: no tensor %s", directory_, Quoted(name)));
}

std::vector<std::string> Checkpoint::Names() const {
  std::vector<std::string> names;
  for (const TensorFile& file : files_) {
    for (const TensorInfo& tensor : file.tensors()) {
      names.push_back(tensor.name);
    }
  }
  return names;
}

bool Checkpoint::Has(absl::string_view name) const { return Find(name).ok(); }

absl::StatusOr<std::vector<int64_t>> Checkpoint::Shape(
    absl::string_view name) const {
  absl::StatusOr<Place> place = Find(name);
  if (!place.ok()) return place.status();
  return place->tensor->shape;
}

bool Checkpoint::IsAlias(absl::string_view name,
                         absl::string_view other) const {
  const absl::StatusOr<Place> a = Find(name), b = Find(other);
  return a.ok() && b.ok() && a->file == b->file &&
         a->tensor->offset == b->tensor->offset &&
         a->tensor->dtype == b->tensor->dtype &&
         a->tensor->shape == b->tensor->shape &&
         a->tensor->strides == b->tensor->strides;
}

absl::Status Checkpoint::ReadRows(absl::string_view name, int64_t first_row,
                                  int64_t num_rows,
                                  absl::Span<float> out) const {
  absl::StatusOr<Place> place = Find(name);
  if (!place.ok()) return place.status();
  const TensorFile* const file = place->file;
  const TensorInfo* const tensor = place->tensor;
  const auto refuse = [&](absl::string_view rule) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: tensor %s: %s", file->path(), Quoted(name), rule));
  };
  const std::vector<int64_t>& shape = tensor->shape;
  if (shape.empty() || shape.size() > 2) {
    return refuse(
        absl::StrFormat("shape is [%s]; weights have 1 or 2 "
                        "dimensions",
                        absl::StrJoin(shape, ", ")));
  }
  const int64_t rows = shape.size() == 2 ? shape.front() : 1;
  const int64_t cols = shape.back();
  if (first_row < 0 || num_rows < 0 || first_row > rows ||
      num_rows > rows - first_row) {
    return refuse(
        absl::StrFormat("%d rows from row %d are asked for; shape is [%s]",
                        num_rows, first_row, absl::StrJoin(shape, ", ")));
  }
  if (out.size() != static_cast<uint64_t>(num_rows * cols)) {
    return refuse(
        absl::StrFormat("%d rows of %d columns are read into room for %d",
                        num_rows, cols, out.size()));
  }
  absl::Status status = file->ReadAsFloat(*tensor, first_row * cols, out);
  if (!status.ok()) return status;
  const auto bad = std::find_if_not(
      out.begin(), out.end(), [](float value) { return std::isfinite(value); });
  if (bad != out.end()) {
    const int64_t element = first_row * cols + (bad - out.begin());
    return refuse(absl::StrFormat("element %d is %f; weights must be finite",
                                  element, *bad));
  }
  return absl::OkStatus();
}

}  // namespace sheaf
