// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/model/description.h"
#include "engine/model/tensor_list.h"
#include "engine/model/weight_source.h"

namespace sheaf {

// All tensors of a model by their best names, with the value 1 everywhere,
// except those that are given.
class FlatWeights : public WeightSource {
 public:
  explicit FlatWeights(const ModelDescription& description)
      : table_shape_{description.architecture.vocab_size,
                     description.architecture.encoder.d_model} {
    const Architecture& architecture = description.architecture;
    for (const TensorSpec& spec : ListTensors(architecture)) {
      std::vector<int64_t> shape = {spec.rows};
      if (spec.columns > 0) shape.push_back(spec.columns);
      Add(description.family->names(architecture, spec.place).front(),
          std::move(shape));
    }
  }

  void Add(const std::string& name, std::vector<int64_t> shape,
           float value = 1) {
    const int64_t row = shape.back();
    tensors_[name] =
        std::pair(std::move(shape), std::vector<float>(row, value));
  }
  // A tensor with the shape of the embedding.
  void AddTable(const std::string& name, float value) {
    Add(name, table_shape_, value);
  }
  // Rows that differ; the first is `values`' first row.
  void AddRows(const std::string& name, int64_t columns,
               const std::vector<float>& values) {
    const int64_t rows = static_cast<int64_t>(values.size()) / columns;
    tensors_[name] = {{rows, columns}, values};
  }
  void Remove(const std::string& name) { tensors_.erase(name); }
  void Rename(const std::string& name, const std::string& new_name) {
    auto tensor = tensors_.extract(name);
    tensor.key() = new_name;
    tensors_.insert(std::move(tensor));
  }

  std::vector<std::string> Names() const override {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : tensors_) names.push_back(name);
    return names;
  }
  bool Has(absl::string_view name) const override {
    return tensors_.contains(std::string(name));
  }
  absl::StatusOr<std::vector<int64_t>> Shape(
      absl::string_view name) const override {
    if (Has(name)) return tensors_.at(std::string(name)).first;
    return absl::NotFoundError(absl::StrCat("no tensor ", name));
  }
  absl::Status ReadRows(absl::string_view name, int64_t first_row, int64_t,
                        absl::Span<float> out) const override {
    const auto& [shape, values] = tensors_.at(std::string(name));
    const size_t begin = first_row * shape.back();
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = values[(begin + i) % values.size()];
    }
    return absl::OkStatus();
  }

 private:
  const std::vector<int64_t> table_shape_;
  std::map<std::string, std::pair<std::vector<int64_t>, std::vector<float>>>
      tensors_;
};

}  // namespace sheaf
