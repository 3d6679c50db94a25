// SPDX-License-Identifier: Apache-2.0

#include "bench/random_weights.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/hash.h"
#include "engine/model/tensor_list.h"

namespace sheaf {
namespace {

// Mixes the bits of a counter (the finalizer of MurmurHash3), in 32 bits so
// that the compiler can use vectors.
inline uint32_t Mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x85ebca6b;
  x ^= x >> 13;
  x *= 0xc2b2ae35;
  return x ^ (x >> 16);
}

// 1 / sqrt(n).
float Fan(int64_t n) { return 1.0f / std::sqrt(static_cast<float>(n)); }

constexpr float kNormDeviation = 0.05f;
constexpr float kBiasDeviation = 0.5f;

}  // namespace

RandomWeights::RandomWeights(const ModelDescription& description) {
  const Architecture& architecture = description.architecture;
  for (const TensorSpec& tensor : ListTensors(architecture)) {
    const std::string name =
        description.family->names(architecture, tensor.place).front();
    const StackShape& stack = tensor.place.stack == Stack::kEncoder
                                  ? architecture.encoder
                                  : architecture.decoder;
    std::vector<int64_t> shape = {tensor.rows};
    if (tensor.columns > 0) shape.push_back(tensor.columns);
    if (tensor.place.is_bias) {
      Add(name, shape, 0, kNormDeviation);
      continue;
    }
    switch (tensor.place.slot) {
      case Slot::kEmbeddingNorm:
      case Slot::kFinalNorm:
      case Slot::kNorm:
      case Slot::kSecondNorm:
      case Slot::kQueryNorm:
      case Slot::kKeyNorm:
        Add(name, shape, architecture.norms_add_one ? 0 : 1, kNormDeviation);
        break;
      case Slot::kOwnVector:
        Add(name, shape, 0, 1);
        break;
      case Slot::kEmbedding:
      case Slot::kSourceEmbedding:
        Add(name, shape, 0, 1 / stack.embedding_scale);
        break;
      case Slot::kPositionBias:
      case Slot::kPositions:
      case Slot::kLogitBias:
        Add(name, shape, 0, kBiasDeviation);
        break;
      case Slot::kQuery:  // so that scores are of about 1
        Add(name, shape, 0,
            Fan(tensor.columns * stack.head_dim) / stack.score_scale);
        break;
      default:
        Add(name, shape, 0, Fan(tensor.columns));
    }
  }
}

void RandomWeights::Add(const std::string& name, std::vector<int64_t> shape,
                        float mean, float standard_deviation) {
  const float half = standard_deviation * std::sqrt(3.0f);
  tensors_[name] = {std::move(shape), mean - half, 2 * half, Fnv1a(name)};
}

std::vector<std::string> RandomWeights::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

bool RandomWeights::Has(absl::string_view name) const {
  return tensors_.contains(name);
}

absl::StatusOr<std::vector<int64_t>> RandomWeights::Shape(
    absl::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    return absl::NotFoundError(
        absl::StrFormat("there is no random tensor \"%s\"", name));
  }
  return found->second.shape;
}

absl::Status RandomWeights::ReadRows(absl::string_view name, int64_t first_row,
                                     int64_t num_rows,
                                     absl::Span<float> out) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return Shape(name).status();
  const Tensor& tensor = found->second;
  const bool is_vector = tensor.shape.size() == 1;
  const int64_t rows = is_vector ? 1 : tensor.shape[0];
  const int64_t cols = tensor.shape.back();
  if (first_row < 0 || num_rows < 0 || first_row > rows - num_rows ||
      static_cast<int64_t>(out.size()) != num_rows * cols) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "rows [%d, %d) of \"%s\" into %d floats; it is [%d, %d]", first_row,
        first_row + num_rows, name, out.size(), rows, cols));
  }
  const float scale = tensor.range * 0x1p-24f;
  for (int64_t row = 0; row < num_rows; ++row) {
    const uint64_t row_seed =
        tensor.seed +
        static_cast<uint64_t>(first_row + row) * 0x9e3779b97f4a7c15;
    const uint32_t low = static_cast<uint32_t>(row_seed);
    const uint32_t high = Mix(static_cast<uint32_t>(row_seed >> 32));
    float* to = out.data() + row * cols;
    for (uint32_t i = 0; i < static_cast<uint32_t>(cols); ++i) {
      const uint32_t bits = Mix((low + i) ^ high) >> 8;
      to[i] = tensor.lowest + scale * static_cast<float>(bits);
    }
  }
  return absl::OkStatus();
}

}  // namespace sheaf
