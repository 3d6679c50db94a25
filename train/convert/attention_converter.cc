// SPDX-License-Identifier: Apache-2.0

#include "train/convert/attention_converter.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/hash.h"
#include "engine/model/tensor_list.h"
#include "train/convert/grouping.h"
#include "train/convert/stored_tensor.h"

namespace sheaf {
namespace {

// The dtype of a tensor that the checkpoint has.
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

// Moments of (x, 1) that count x only.
Matrix WithoutConstant(const Matrix& moments) {
  Matrix result = moments;
  result.rightCols(1).setZero();
  result.bottomRows(1).setZero();
  return result;
}

// One of the two factors of HeadPairs, and how it is stored: with its bias as
// its last column, or transposed and without its bias.
struct Factor {
  const Projection& names;
  bool is_transposed;
  int64_t rows, columns;  // of the weight as a factor

  bool has_bias_column() const { return !is_transposed && !names.bias.empty(); }
};

class AttentionConverter {
 public:
  AttentionConverter(const Architecture& architecture,
                     const ConvertOptions& options,
                     const Checkpoint& checkpoint,
                     const DecoderAttention& attention)
      : decoder_(architecture.decoder),
        kv_columns_(attention.is_cross ? architecture.cross_kv_columns()
                                       : decoder_.kv_columns()),
        kv_inputs_(attention.is_cross ? architecture.encoder.d_model
                                      : decoder_.d_model),
        num_kv_heads_(attention.KvHeads(options)),
        options_(options),
        checkpoint_(checkpoint),
        attention_(attention) {}

  absl::StatusOr<NewTensors> Convert(ConvertedAttention& report) {
    report.layer = attention_.layer;
    report.is_cross = attention_.is_cross;
    const absl::StatusOr<double> key_error = ConvertKeys();
    if (!key_error.ok()) return key_error.status();
    const absl::StatusOr<double> value_error = ConvertValues();
    if (!value_error.ok()) return value_error.status();
    report.key_error = *key_error;
    report.value_error = *value_error;
    report.saved_weight_bytes = saved_bytes_;
    return std::move(tensors_);
  }

 private:
  // The grouped tensors, rounded to the types that they are stored in.
  struct Rounded {
    NewTensors tensors;
    double error;
  };

  Factor KvFactor(const Projection& names) const {
    return {names, /*is_transposed=*/false, kv_columns_, kv_inputs_};
  }

  // The moments of what the keys and values are computed from.
  Matrix KvMoments() const {
    return attention_.is_cross
               ? options_.calibration->encoder_output
               : options_.calibration->self_input[attention_.layer];
  }

  absl::StatusOr<double> ConvertKeys() {
    const Factor left = {attention_.q, /*is_transposed=*/false,
                         decoder_.q_columns(), decoder_.d_model};
    const Factor right = KvFactor(attention_.k);
    Metric metric;
    if (options_.calibration != nullptr) {
      metric.left = attention_.is_cross
                        ? options_.calibration->cross_input[attention_.layer]
                        : options_.calibration->self_input[attention_.layer];
      metric.right = KvMoments();
    } else if (right.has_bias_column()) {
      metric.right = Matrix::Identity(kv_inputs_ + 1, kv_inputs_ + 1);
    }
    if (right.has_bias_column()) metric.right = WithoutConstant(metric.right);
    absl::StatusOr<HeadPairs> pairs = ReadPairs(left, right);
    if (!pairs.ok()) return pairs.status();
    return ConvertPairs(*pairs, left, right, metric);
  }

  absl::StatusOr<double> ConvertValues() {
    const Factor left = {attention_.o, /*is_transposed=*/true,
                         decoder_.q_columns(), decoder_.d_model};
    const Factor right = KvFactor(attention_.v);
    Metric metric;
    if (options_.calibration != nullptr) metric.right = KvMoments();
    absl::StatusOr<HeadPairs> pairs = ReadPairs(left, right);
    if (!pairs.ok()) return pairs.status();
    if (!attention_.o.bias.empty()) {
      absl::Status status = ConvertOutputBias(right.has_bias_column(), *pairs);
      if (!status.ok()) return status;
    }
    return ConvertPairs(*pairs, left, right, metric);
  }

  // Moves the bias of the values to that of the output, if kSvd changes them.
  absl::Status ConvertOutputBias(bool has_value_bias, HeadPairs& pairs) {
    absl::StatusOr<Matrix> bias = ReadMatrix(checkpoint_, attention_.o.bias);
    if (!bias.ok()) return bias.status();
    if (has_value_bias && options_.method == GroupingMethod::kSvd &&
        num_kv_heads_ * decoder_.head_dim != kv_columns_) {
      const int64_t share = decoder_.q_columns() / kv_columns_;
      const int64_t dim = decoder_.head_dim;
      auto value_bias = pairs.right.rightCols(1);
      for (int64_t head = 0; head < decoder_.num_heads; ++head) {
        *bias += pairs.left.middleRows(head * dim, dim).transpose() *
                 value_bias.middleRows(head / share * dim, dim);
      }
      value_bias.setZero();
    }
    return Store(attention_.o.bias, *bias, tensors_);
  }

  absl::StatusOr<Matrix> Read(const Factor& factor) const {
    absl::StatusOr<Matrix> weight =
        ReadMatrix(checkpoint_, factor.names.weight);
    if (!weight.ok()) return weight.status();
    if (factor.is_transposed) weight = Matrix(weight->transpose());
    absl::Status shape =
        CheckShape(factor.names.weight, *weight, factor.rows, factor.columns);
    if (!shape.ok()) return shape;
    if (!factor.has_bias_column()) return weight;
    const absl::StatusOr<Matrix> bias =
        ReadMatrix(checkpoint_, factor.names.bias);
    if (!bias.ok()) return bias.status();
    shape = CheckShape(factor.names.bias, *bias, factor.rows, 1);
    if (!shape.ok()) return shape;
    Matrix both(factor.rows, factor.columns + 1);
    both << *weight, *bias;
    return both;
  }

  absl::StatusOr<HeadPairs> ReadPairs(const Factor& left,
                                      const Factor& right) const {
    absl::StatusOr<Matrix> left_matrix = Read(left);
    if (!left_matrix.ok()) return left_matrix.status();
    absl::StatusOr<Matrix> right_matrix = Read(right);
    if (!right_matrix.ok()) return right_matrix.status();
    return HeadPairs{*std::move(left_matrix), *std::move(right_matrix),
                     decoder_.head_dim};
  }

  // Rounds `matrix` to the type in which the tensor `name` is stored.
  absl::Status Store(const std::string& name, Matrix& matrix,
                     NewTensors& tensors) const {
    const absl::StatusOr<Dtype> dtype = DtypeOf(checkpoint_, name);
    if (!dtype.ok()) return dtype.status();
    absl::StatusOr<std::vector<uint8_t>> bytes = ToStored(matrix, *dtype, name);
    if (!bytes.ok()) return bytes.status();
    matrix = FromStored(*bytes, *dtype, matrix.rows(), matrix.cols());
    tensors[name] = {*dtype, *std::move(bytes)};
    return absl::OkStatus();
  }

  absl::Status Store(const Factor& factor, Matrix& matrix,
                     NewTensors& tensors) const {
    Matrix weight = matrix.leftCols(factor.columns);
    if (factor.is_transposed) weight = Matrix(weight.transpose());
    absl::Status status = Store(factor.names.weight, weight, tensors);
    if (!status.ok()) return status;
    if (factor.is_transposed) weight = Matrix(weight.transpose());
    matrix.leftCols(factor.columns) = weight;
    if (!factor.has_bias_column()) return absl::OkStatus();
    Matrix bias = matrix.rightCols(1);
    status = Store(factor.names.bias, bias, tensors);
    matrix.rightCols(1) = bias;
    return status;
  }

  absl::StatusOr<Rounded> Group(const HeadPairs& pairs, const Factor& left,
                                const Factor& right, GroupingMethod method,
                                const Metric& metric) const {
    // Each tensor has its own seed.
    const uint64_t seed =
        Fnv1a(right.names.weight, kFnv1aStart ^ options_.seed);
    HeadPairs grouped = GroupHeads(pairs, num_kv_heads_, method, metric, seed);
    if (method == GroupingMethod::kRandom && right.has_bias_column() &&
        grouped.right.rows() != pairs.right.rows()) {
      grouped.right.rightCols(1).setZero();
    }
    Rounded rounded;
    absl::Status status = Store(left, grouped.left, rounded.tensors);
    if (status.ok()) status = Store(right, grouped.right, rounded.tensors);
    if (!status.ok()) return status;
    rounded.error = RelativeError(pairs, grouped, metric);
    return rounded;
  }

  // Returns the error.
  absl::StatusOr<double> ConvertPairs(const HeadPairs& pairs,
                                      const Factor& left, const Factor& right,
                                      const Metric& metric) {
    absl::StatusOr<Rounded> best =
        Group(pairs, left, right, options_.method, metric);
    if (!best.ok()) return best.status();
    if (options_.method == GroupingMethod::kSvd) {
      absl::StatusOr<Rounded> mean =
          Group(pairs, left, right, GroupingMethod::kMean, metric);
      if (!mean.ok()) return mean.status();
      if (mean->error <= best->error) best = std::move(mean);
    }
    for (const std::string* name : {&right.names.weight, &right.names.bias}) {
      const auto tensor = best->tensors.find(*name);
      if (tensor == best->tensors.end()) continue;
      const int64_t bytes = static_cast<int64_t>(tensor->second.bytes.size());
      saved_bytes_ +=
          bytes / (num_kv_heads_ * decoder_.head_dim) * kv_columns_ - bytes;
    }
    tensors_.merge(std::move(best->tensors));
    return best->error;
  }

  const StackShape& decoder_;
  const int64_t kv_columns_;  // before the conversion
  const int64_t kv_inputs_;
  const int32_t num_kv_heads_;  // after it
  const ConvertOptions& options_;
  const Checkpoint& checkpoint_;
  const DecoderAttention& attention_;
  NewTensors tensors_;
  int64_t saved_bytes_ = 0;
};

}  // namespace

std::vector<std::string> DecoderAttention::Names() const {
  std::vector<std::string> names;
  for (const Projection* projection : {&q, &k, &v, &o}) {
    names.push_back(projection->weight);
    if (!projection->bias.empty()) names.push_back(projection->bias);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<DecoderAttention> AttentionsOf(
    const ModelDescription& description) {
  std::vector<DecoderAttention> attentions;
  const int32_t num_layers = description.architecture.decoder.num_layers;
  for (int32_t layer = 0; layer < num_layers; ++layer) {
    for (const Sublayer sublayer :
         {Sublayer::kSelfAttention, Sublayer::kCrossAttention}) {
      const auto name = [&](Slot slot, bool is_bias) {
        const auto found = description.tensors.find(
            {slot, Stack::kDecoder, sublayer, layer, is_bias});
        return found == description.tensors.end() ? "" : found->second;
      };
      const auto projection = [&](Slot slot) {
        return Projection{name(slot, false), name(slot, true)};
      };
      const Projection q = projection(Slot::kQuery);
      if (q.weight.empty()) continue;
      attentions.push_back({layer, sublayer == Sublayer::kCrossAttention, q,
                            projection(Slot::kKey), projection(Slot::kValue),
                            projection(Slot::kOutput)});
    }
  }
  return attentions;
}

absl::StatusOr<NewTensors> ConvertAttention(const Architecture& architecture,
                                            const ConvertOptions& options,
                                            const Checkpoint& checkpoint,
                                            const DecoderAttention& attention,
                                            ConvertedAttention& report) {
  return AttentionConverter(architecture, options, checkpoint, attention)
      .Convert(report);
}

}  // namespace sheaf
