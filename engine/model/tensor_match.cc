// SPDX-License-Identifier: Apache-2.0

#include "engine/model/tensor_match.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/input_file.h"
#include "engine/model/architecture_check.h"
#include "engine/model/position_table.h"

namespace sheaf {
namespace {

constexpr size_t kMaxNamesShown = 5;
constexpr int64_t kMaxStoredPositions = 1 << 20;

std::vector<int64_t> ShapeOf(const TensorSpec& tensor) {
  if (tensor.columns == 0) return {tensor.rows};
  return {tensor.rows, tensor.columns};
}

absl::Status Refuse(absl::string_view tensor, absl::string_view rule) {
  return absl::InvalidArgumentError(
      absl::StrCat("tensor ", Quoted(tensor), " ", rule));
}

absl::Status CheckTensor(const WeightSource& source, absl::string_view name,
                         const TensorSpec& tensor) {
  const absl::StatusOr<std::vector<int64_t>> shape = source.Shape(name);
  if (!shape.ok()) return shape.status();
  if (const std::vector<int64_t> expected = ShapeOf(tensor);
      *shape != expected) {
    return Refuse(name, absl::StrFormat("is [%s]; config.json asks for [%s]",
                                        absl::StrJoin(*shape, ", "),
                                        absl::StrJoin(expected, ", ")));
  }
  return source.ReadRows(name, 0, 0, {});  // Refuses types that are not read.
}

// Whether two tensors of that shape have the same values. Reads a part of both
// at a time and stops at the first difference.
absl::StatusOr<bool> AreEqual(const WeightSource& source, absl::string_view a,
                              absl::string_view b, const TensorSpec& tensor) {
  if (source.IsAlias(a, b)) return true;
  constexpr int64_t kFloatsAtOnce = 1 << 18;
  const int64_t rows = tensor.rows, cols = tensor.columns;
  const int64_t rows_at_once =
      std::min(rows, std::max<int64_t>(1, kFloatsAtOnce / cols));
  std::vector<float> from_a(rows_at_once * cols), from_b(rows_at_once * cols);
  for (int64_t row = 0; row < rows; row += rows_at_once) {
    const int64_t n = std::min(rows_at_once, rows - row);
    const auto a_rows = absl::MakeSpan(from_a).first(n * cols);
    const auto b_rows = absl::MakeSpan(from_b).first(n * cols);
    absl::Status read = source.ReadRows(a, row, n, a_rows);
    if (read.ok()) read = source.ReadRows(b, row, n, b_rows);
    if (!read.ok()) return read;
    if (a_rows != b_rows) return false;
  }
  return true;
}

class Matcher {
 public:
  Matcher(const WeightSource& source, ModelDescription& description)
      : source_(source),
        description_(description),
        architecture_(description.architecture),
        names_(source.Names()) {
    architecture_.is_tied = true;
    description_.tensors.clear();
    is_without_head_ = IsWithoutHead();
  }

  absl::Status Match() {
    const std::vector<TensorSpec> tensors = ListTensors(architecture_);
    absl::Status status = FindTable(tensors.front());
    for (size_t i = 1; i < tensors.size() && status.ok(); ++i) {
      const std::string name = NameOf(tensors[i].place);
      if (tensors[i].place.slot == Slot::kLogitBias && !source_.Has(name)) {
        architecture_.has_logit_bias = false;  // As in the reference: zeros.
        continue;
      }
      Take(tensors[i].place, name);
      status = CheckTensor(source_, name, tensors[i]);
    }
    for (const Stack stack : {Stack::kEncoder, Stack::kDecoder}) {
      if (status.ok()) status = CheckComputedPositions(stack);
    }
    const TensorSpec head = {
        {Slot::kHead}, tensors.front().rows, tensors.front().columns};
    if (status.ok()) status = CheckOthers(head.place);
    if (status.ok()) status = FindHead(head);
    if (status.ok()) status = CheckSupported(architecture_);
    return status;
  }

 private:
  const std::string& table() const {
    return description_.tensors.at({Slot::kEmbedding});
  }

  absl::string_view base_prefix() const {
    return description_.family->base_prefix;
  }

  // Whether the checkpoint was saved without a head, by its names.
  bool IsWithoutHead() const {
    for (const std::string& name : names_) {
      if (absl::StartsWith(name, base_prefix())) return false;
    }
    for (const std::string& name :
         description_.family->names(architecture_, {Slot::kEmbedding})) {
      if (source_.Has(absl::StripPrefix(name, base_prefix()))) return true;
    }
    return false;
  }

  // The names that this checkpoint may use for the tensor at `place`.
  std::vector<std::string> NamesOf(const TensorPlace& place) const {
    std::vector<std::string> names =
        description_.family->names(architecture_, place);
    if (!is_without_head_) return names;
    for (std::string& name : names) {
      name = std::string(absl::StripPrefix(name, base_prefix()));
    }
    return names;
  }

  // The best of them that it has, or the best of all.
  std::string NameOf(const TensorPlace& place) const {
    const std::vector<std::string> names = NamesOf(place);
    for (const std::string& name : names) {
      if (source_.Has(name)) return name;
    }
    return names.front();
  }

  // Notes that the tensor at `place` is `name`, and which names are known.
  const std::string& Take(const TensorPlace& place, std::string name) {
    const std::string& taken =
        description_.tensors.insert_or_assign(place, std::move(name))
            .first->second;
    known_.insert(taken);
    return taken;
  }

  // The table, and that all of its copies are equal.
  absl::Status FindTable(const TensorSpec& table_spec) {
    const std::vector<std::string> candidates = NamesOf(table_spec.place);
    for (const std::string& name : candidates) {
      known_.insert(name);
      if (!source_.Has(name)) continue;
      absl::Status status = CheckTensor(source_, name, table_spec);
      if (!status.ok()) return status;
      if (description_.tensors.empty()) {
        Take(table_spec.place, name);
        continue;
      }
      const absl::StatusOr<bool> is_copy =
          AreEqual(source_, table(), name, table_spec);
      if (!is_copy.ok()) return is_copy.status();
      if (!*is_copy) {
        return Refuse(name, absl::StrCat("differs from ", Quoted(table()),
                                         "; one table serves both stacks, and "
                                         "allowed is a copy of it or none"));
      }
    }
    if (!description_.tensors.empty()) return absl::OkStatus();
    return RefuseAbsentTable(candidates);
  }

  // Some checkpoints hold the vectors of positions that follow from a formula.
  // They must be those of the formula, up to the rounding of bfloat16.
  absl::Status CheckComputedPositions(Stack stack) {
    const Positions& positions = architecture_.positions;
    if (!positions.is_computed()) return absl::OkStatus();
    const std::string name = NameOf({Slot::kPositions, stack});
    if (!source_.Has(name)) return absl::OkStatus();
    known_.insert(name);
    const int32_t d_model = stack == Stack::kEncoder
                                ? architecture_.encoder.d_model
                                : architecture_.decoder.d_model;
    const absl::StatusOr<std::vector<int64_t>> shape = source_.Shape(name);
    if (!shape.ok()) return shape.status();
    if (shape->size() != 2 || (*shape)[1] != d_model ||
        (*shape)[0] > kMaxStoredPositions) {
      return Refuse(name, absl::StrFormat("is [%s]; allowed is [1..%d, %d]",
                                          absl::StrJoin(*shape, ", "),
                                          kMaxStoredPositions, d_model));
    }
    std::vector<float> stored(d_model), computed(d_model);
    for (int32_t row = 0; row < (*shape)[0]; ++row) {
      absl::Status read =
          source_.ReadRows(name, row, 1, absl::MakeSpan(stored));
      if (!read.ok()) return read;
      ComputePosition(positions, row, d_model, computed.data());
      for (int32_t i = 0; i < d_model; ++i) {
        const float allowed = std::abs(computed[i]) / 256 + 1e-5f;
        if (std::abs(stored[i] - computed[i]) <= allowed) continue;
        return Refuse(
            name, absl::StrFormat("differs from the positions that the model "
                                  "computes, in row %d; allowed is a copy of "
                                  "these or none",
                                  row));
      }
    }
    return absl::OkStatus();
  }

  // Some programs save models within modules of their own: "model." of
  // "model.shared.weight" is the prefix of such a module.
  absl::Status RefuseAbsentTable(const std::vector<std::string>& candidates) {
    for (const std::string& name : names_) {
      for (const std::string& candidate : candidates) {
        if (!absl::EndsWith(name, absl::StrCat(".", candidate))) continue;
        return absl::InvalidArgumentError(absl::StrFormat(
            "there is no tensor %s: the names begin with %s, so the checkpoint "
            "is that of a module around the model; save the model itself",
            Quoted(candidates.front()),
            Quoted(name.substr(0, name.size() - candidate.size()))));
      }
    }
    return source_.Shape(candidates.front()).status();
  }

  // The head, if the checkpoint has one that differs from the table.
  absl::Status FindHead(const TensorSpec& head) {
    const std::string name = NameOf(head.place);
    if (!source_.Has(name)) return absl::OkStatus();
    absl::Status status = CheckTensor(source_, name, head);
    if (!status.ok()) return status;
    const absl::StatusOr<bool> is_copy = AreEqual(source_, table(), name, head);
    if (!is_copy.ok()) return is_copy.status();
    if (*is_copy) return absl::OkStatus();
    architecture_.is_tied = false;
    Take(head.place, name);
    const auto warning_of = description_.family->own_head_warning;
    const std::string warning =
        warning_of == nullptr ? "" : warning_of(architecture_, name, table());
    if (!warning.empty()) description_.warnings.push_back(warning);
    return absl::OkStatus();
  }

  // Tensors that nothing reads.
  absl::Status CheckOthers(const TensorPlace& head) {
    for (std::string& name : NamesOf(head)) {
      known_.insert(std::move(name));
    }
    std::vector<std::string> unused;
    for (const std::string& name : names_) {
      if (known_.contains(name)) continue;
      const std::string whole_name =
          absl::StrCat(is_without_head_ ? base_prefix() : "", name);
      if (description_.family->is_ignored(whole_name)) continue;
      if (HasModelPrefix(whole_name)) return RefuseUnknown(name);
      unused.push_back(Quoted(name));
    }
    if (unused.empty()) return absl::OkStatus();
    const size_t num_unused = unused.size();
    unused.resize(std::min(num_unused, kMaxNamesShown));
    description_.warnings.push_back(
        absl::StrFormat("%d tensors of the checkpoint are not used: %s%s",
                        num_unused, absl::StrJoin(unused, ", "),
                        num_unused > kMaxNamesShown ? ", ..." : ""));
    return absl::OkStatus();
  }

  bool HasModelPrefix(absl::string_view name) const {
    for (const absl::string_view prefix : description_.family->prefixes) {
      if (absl::StartsWith(name, prefix)) return true;
    }
    return false;
  }

  absl::Status RefuseUnknown(absl::string_view name) const {
    return Refuse(
        name,
        absl::StrFormat("has no place in the model that config.json describes "
                        "(%s, %d + %d layers), which would not be the one that "
                        "was saved",
                        architecture_.family, architecture_.encoder.num_layers,
                        architecture_.decoder.num_layers));
  }

  const WeightSource& source_;
  ModelDescription& description_;
  Architecture& architecture_;
  const std::vector<std::string> names_;    // of the checkpoint
  bool is_without_head_ = false;            // so that base_prefix() is left out
  absl::flat_hash_set<std::string> known_;  // that the model may have
};

}  // namespace

absl::Status MatchTensors(const WeightSource& source,
                          ModelDescription& description) {
  return Matcher(source, description).Match();
}

}  // namespace sheaf
