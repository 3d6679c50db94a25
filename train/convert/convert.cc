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
#include "base/hash.h"
#include "engine/model/checkpoint.h"
#include "engine/model/tensor_list.h"
#include "engine/model/tensor_match.h"
#include "train/common/safetensors_writer.h"
#include "train/convert/stored_tensor.h"

namespace sheaf {
namespace {

namespace fs = std::filesystem;

constexpr char kPartialSuffix[] = ".partial";

// The projections of one attention of the decoder.
struct DecoderAttention {
  int32_t layer;
  bool is_cross;
  std::string q, k, v, o;  // tensor names

  int32_t KvHeads(const ConvertOptions& options) const {
    return is_cross ? options.num_cross_kv_heads : options.num_kv_heads;
  }
};

// REQUIRES: MatchTensors() has matched the description.
std::vector<DecoderAttention> AttentionsOf(
    const ModelDescription& description) {
  std::vector<DecoderAttention> attentions;
  const int32_t num_layers = description.architecture.decoder.num_layers;
  for (int32_t layer = 0; layer < num_layers; ++layer) {
    for (const bool is_cross : {false, true}) {
      const auto name = [&](Slot slot) {
        return description.tensors.at(
            {slot, Stack::kDecoder,
             is_cross ? Sublayer::kCrossAttention : Sublayer::kSelfAttention,
             layer});
      };
      attentions.push_back({layer, is_cross, name(Slot::kQuery),
                            name(Slot::kKey), name(Slot::kValue),
                            name(Slot::kOutput)});
    }
  }
  return attentions;
}

// A converted tensor as it is to be stored.
struct NewTensor {
  Dtype dtype;
  std::vector<uint8_t> bytes;
};
using NewTensors = std::map<std::string, NewTensor>;

// The dtype of a tensor that ReadMatrix() has read.
absl::StatusOr<Dtype> DtypeOf(const Checkpoint& checkpoint,
                              const std::string& name) {
  for (const TensorFile& file : checkpoint.files()) {
    if (const TensorInfo* info = file.Find(name)) return info->dtype;
  }
  return absl::NotFoundError(absl::StrCat("there is no tensor ", name));
}

absl::Status CheckShape(const std::string& name, const Matrix& matrix,
                        int64_t rows, int64_t columns) {
  if (matrix.rows() == rows && matrix.cols() == columns) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("tensor ", name, " is [", matrix.rows(), ", ", matrix.cols(),
                   "]; config.json makes it [", rows, ", ", columns, "]"));
}

// Reads, groups and rounds the tensors of one attention.
class AttentionConverter {
 public:
  AttentionConverter(const Architecture& architecture,
                     const ConvertOptions& options,
                     const Checkpoint& checkpoint,
                     const DecoderAttention& attention)
      : architecture_(architecture),
        options_(options),
        checkpoint_(checkpoint),
        attention_(attention) {}

  absl::StatusOr<NewTensors> Convert(ConvertedAttention& report) {
    report.layer = attention_.layer;
    report.is_cross = attention_.is_cross;
    Metric scores, outputs;
    if (const Calibration* calibration = options_.calibration) {
      const size_t layer = attention_.layer;
      scores.left = attention_.is_cross ? calibration->cross_input[layer]
                                        : calibration->self_input[layer];
      scores.right =
          attention_.is_cross ? calibration->encoder_output : scores.left;
      outputs.right = scores.right;
    }
    const absl::StatusOr<double> key_error =
        ConvertPair(attention_.q, attention_.k, /*transpose=*/false, scores);
    if (!key_error.ok()) return key_error.status();
    const absl::StatusOr<double> value_error =
        ConvertPair(attention_.o, attention_.v, /*transpose=*/true, outputs);
    if (!value_error.ok()) return value_error.status();
    report.key_error = *key_error;
    report.value_error = *value_error;
    report.saved_weight_bytes = saved_bytes_;
    return std::move(tensors_);
  }

 private:
  struct Rounded {
    HeadPairs pairs;  // as stored
    std::vector<uint8_t> left, right;
    double error;
  };

  // Groups the pairs by `method` and rounds the result to how it is stored.
  absl::StatusOr<Rounded> Group(const HeadPairs& pairs, bool transpose,
                                GroupingMethod method, const Metric& metric,
                                const std::string& left, Dtype left_dtype,
                                const std::string& right, Dtype right_dtype) {
    // Each tensor has its own seed.
    const uint64_t seed = Fnv1a(right, kFnv1aStart ^ options_.seed);
    Rounded rounded;
    HeadPairs grouped =
        GroupHeads(pairs, attention_.KvHeads(options_), method, metric, seed);
    const Matrix stored_left =
        transpose ? Matrix(grouped.left.transpose()) : grouped.left;
    absl::StatusOr<std::vector<uint8_t>> bytes =
        ToStored(stored_left, left_dtype, left);
    if (!bytes.ok()) return bytes.status();
    rounded.left = *std::move(bytes);
    bytes = ToStored(grouped.right, right_dtype, right);
    if (!bytes.ok()) return bytes.status();
    rounded.right = *std::move(bytes);
    grouped.left = FromStored(rounded.left, left_dtype, stored_left.rows(),
                              stored_left.cols());
    if (transpose) grouped.left = Matrix(grouped.left.transpose());
    grouped.right = FromStored(rounded.right, right_dtype, grouped.right.rows(),
                               grouped.right.cols());
    rounded.error = RelativeError(pairs, grouped, metric);
    return rounded;
  }

  // Returns the error. `transpose`: the left matrix is stored transposed.
  absl::StatusOr<double> ConvertPair(const std::string& left,
                                     const std::string& right, bool transpose,
                                     const Metric& metric) {
    absl::StatusOr<Matrix> left_matrix = ReadMatrix(checkpoint_, left);
    if (!left_matrix.ok()) return left_matrix.status();
    absl::StatusOr<Matrix> right_matrix = ReadMatrix(checkpoint_, right);
    if (!right_matrix.ok()) return right_matrix.status();
    const absl::StatusOr<Dtype> left_dtype = DtypeOf(checkpoint_, left);
    const absl::StatusOr<Dtype> right_dtype = DtypeOf(checkpoint_, right);
    if (!left_dtype.ok()) return left_dtype.status();
    if (!right_dtype.ok()) return right_dtype.status();
    if (transpose) left_matrix = Matrix(left_matrix->transpose());
    const StackShape& decoder = architecture_.decoder;
    const int64_t kv_columns = attention_.is_cross
                                   ? architecture_.cross_kv_columns()
                                   : decoder.kv_columns();
    absl::Status shape =
        CheckShape(left, *left_matrix, decoder.q_columns(), decoder.d_model);
    if (!shape.ok()) return shape;
    shape = CheckShape(right, *right_matrix, kv_columns, decoder.d_model);
    if (!shape.ok()) return shape;

    const HeadPairs pairs{*std::move(left_matrix), *std::move(right_matrix),
                          decoder.head_dim};
    absl::StatusOr<Rounded> best =
        Group(pairs, transpose, options_.method, metric, left, *left_dtype,
              right, *right_dtype);
    if (!best.ok()) return best.status();
    if (options_.method == GroupingMethod::kSvd) {
      absl::StatusOr<Rounded> mean =
          Group(pairs, transpose, GroupingMethod::kMean, metric, left,
                *left_dtype, right, *right_dtype);
      if (!mean.ok()) return mean.status();
      if (mean->error <= best->error) best = std::move(mean);
    }
    saved_bytes_ +=
        pairs.right.size() * static_cast<int64_t>(DtypeBytes(*right_dtype)) -
        static_cast<int64_t>(best->right.size());
    tensors_[left] = {*left_dtype, std::move(best->left)};
    tensors_[right] = {*right_dtype, std::move(best->right)};
    return best->error;
  }

  const Architecture& architecture_;
  const ConvertOptions& options_;
  const Checkpoint& checkpoint_;
  const DecoderAttention& attention_;
  NewTensors tensors_;
  int64_t saved_bytes_ = 0;
};

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
    // In the order in which NewTensors has them.
    for (const std::string& name :
         {attention.k, attention.o, attention.q, attention.v}) {
      const auto found = stored.find(name);
      if (found == stored.end()) {
        return absl::NotFoundError(absl::StrCat("there is no tensor ", name));
      }
      const TensorInfo& info = *found->second.info;
      std::vector<int64_t> shape = info.shape;
      if (name == attention.k || name == attention.v) {
        shape = {rows, decoder.d_model};
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
    const absl::StatusOr<NewTensors> tensors =
        AttentionConverter(architecture, options, *checkpoint, attention)
            .Convert(converted);
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

absl::Status WriteConfig(const std::string& directory, nlohmann::json config,
                         const ConvertOptions& options) {
  config["num_key_value_heads"] = options.num_kv_heads;
  config["cross_num_key_value_heads"] = options.num_cross_kv_heads;
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

absl::Status CheckConvertible(const Architecture& architecture,
                              const ConvertOptions& options) {
  absl::Status status = CheckHeads("--kv_heads", options.num_kv_heads,
                                   architecture.decoder.num_kv_heads);
  if (!status.ok()) return status;
  return CheckHeads("--cross_kv_heads", options.num_cross_kv_heads,
                    architecture.num_cross_kv_heads);
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
  if (status.ok())
    status = WriteConfig(partial, description.files.config, options);
  if (status.ok()) status = CopyOtherFiles(options.input, partial);
  if (status.ok()) {
    fs::rename(partial, options.output, error);
    if (error) status = absl::InternalError(error.message());
  }
  if (!status.ok()) fs::remove_all(partial, error);
  return status;
}

}  // namespace sheaf
