// SPDX-License-Identifier: Apache-2.0

#include "engine/model/linear.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/enum_names.h"
#include "engine/model/linear_panels.h"

namespace sheaf {
namespace {

constexpr int64_t kPanel = kernels::kPanel;

// Rows of a tensor that are read, and then packed, at a time: few, so that the
// copy between the two is small.
constexpr int64_t kPackRows = 256;

constexpr EnumNames<WeightType, 4> kWeightTypes = {
    {{{WeightType::kF32, "f32"},
      {WeightType::kBf16, "bf16"},
      {WeightType::kInt8, "int8"},
      {WeightType::kInt4, "int4"}}}};

}  // namespace

absl::string_view WeightTypeName(WeightType type) {
  return kWeightTypes.Name(type);
}

std::optional<WeightType> ParseWeightType(absl::string_view name) {
  return kWeightTypes.Parse(name);
}

Linear::Linear() = default;
Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;
Linear::~Linear() = default;

std::vector<Linear::Slice> EvenSlices(int64_t n, int32_t num_slices) {
  const int64_t num_panels = NumPanels(n);
  std::vector<Linear::Slice> slices;
  for (int64_t i = 0; i < num_slices; ++i) {
    const int64_t begin = std::min(n, num_panels * i / num_slices * kPanel);
    const int64_t end = std::min(n, num_panels * (i + 1) / num_slices * kPanel);
    slices.push_back({begin, end - begin});
  }
  return slices;
}

absl::StatusOr<Linear> Linear::LoadSlices(
    const WeightSource& source, int64_t K,
    absl::Span<const std::vector<WeightRows>> slices,
    const LinearOptions& options) {
  SHEAF_CHECK(static_cast<int32_t>(slices.size()) == options.num_slices);
  if (options.type == WeightType::kInt8 && K > kernels::kMaxInt8K) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "weights in int8 may have %d values per row; this model's have %d",
        kernels::kMaxInt8K, K));
  }
  Linear linear;
  linear.options_ = options;
  linear.K_ = K;
  for (const std::vector<WeightRows>& parts : slices) {
    int64_t num_columns = 0;
    for (const WeightRows& part : parts) num_columns += part.num_rows;
    linear.slices_.push_back({linear.num_columns_, num_columns});
    linear.num_columns_ += num_columns;
    if (num_columns == 0) {
      linear.packed_.push_back(nullptr);
      continue;
    }
    std::unique_ptr<Packed> packed = MakePanels(options, K, num_columns);
    std::vector<float> rows(std::min(kPackRows, num_columns) * K);
    int64_t column = 0;  // the next to be packed
    for (const WeightRows& part : parts) {
      if (!part.bias.empty()) {
        const auto values = part.bias.subspan(part.first_row, part.num_rows);
        linear.bias_.insert(linear.bias_.end(), values.begin(), values.end());
      }
      for (int64_t done = 0; done < part.num_rows;) {
        const int64_t n = std::min(kPackRows, part.num_rows - done);
        const absl::Status status =
            source.ReadRows(part.tensor, part.first_row + done, n,
                            absl::MakeSpan(rows).subspan(0, n * K));
        if (!status.ok()) return status;
        packed->Pack(column, n, rows.data());
        done += n;
        column += n;
      }
    }
    linear.bytes_ += packed->bytes();
    linear.packed_.push_back(std::move(packed));
  }
  SHEAF_CHECK(linear.bias_.empty() ||
              static_cast<int64_t>(linear.bias_.size()) == linear.num_columns_);
  linear.bytes_ += static_cast<int64_t>(linear.bias_.size() * sizeof(float));
  return linear;
}

absl::StatusOr<Linear> Linear::Load(const WeightSource& source, int64_t K,
                                    absl::Span<const WeightRows> rows,
                                    const LinearOptions& options) {
  int64_t num_columns = 0;
  for (const WeightRows& part : rows) num_columns += part.num_rows;
  std::vector<std::vector<WeightRows>> slices;
  for (const Slice& slice : EvenSlices(num_columns, options.num_slices)) {
    std::vector<WeightRows>& parts = slices.emplace_back();
    int64_t at = 0;  // the first column of `part`
    for (const WeightRows& part : rows) {
      const int64_t begin = std::max(slice.first_column, at);
      const int64_t end =
          std::min(slice.first_column + slice.num_columns, at + part.num_rows);
      if (begin < end) {
        parts.push_back(
            {part.tensor, part.first_row + begin - at, end - begin, part.bias});
      }
      at += part.num_rows;
    }
  }
  return LoadSlices(source, K, slices, options);
}

void Linear::Run(const ThreadTeam::Member& member, const LinearInput& input,
                 int32_t num_rows, float* y, int64_t ldy, bool accumulate,
                 kernels::ReadAhead* ahead) const {
  for (size_t i = member.index(); i < slices_.size(); i += member.count()) {
    if (packed_[i] == nullptr) continue;
    const int64_t first = slices_[i].first_column;
    packed_[i]->Run(input, num_rows, y + first, ldy, accumulate,
                    bias_.empty() ? nullptr : bias_.data() + first, ahead);
  }
}

// The slice that has the column.
int64_t Linear::SliceOf(int64_t column) const {
  for (size_t i = 0; i < slices_.size(); ++i) {
    const int64_t at = column - slices_[i].first_column;
    if (at >= 0 && at < slices_[i].num_columns) return static_cast<int64_t>(i);
  }
  SHEAF_CHECK(false);  // The caller checks ids against the vocabulary.
  return -1;
}

void Linear::ReadColumn(int64_t column, float* out) const {
  const int64_t i = SliceOf(column);
  packed_[i]->ReadColumn(column - slices_[i].first_column, out);
}

int64_t Linear::BytesOf(int64_t num_columns) const {
  int64_t num_panels = 0;
  for (const Slice& slice : slices_) num_panels += NumPanels(slice.num_columns);
  return num_panels == 0 ? 0 : bytes_ / (num_panels * kPanel) * num_columns;
}

Linear Linear::MakeSubset(int64_t max_columns) const {
  Linear subset;
  subset.options_ = options_;
  subset.K_ = K_;
  for (const Slice& slice : EvenSlices(max_columns, options_.num_slices)) {
    // Any smaller number of columns has smaller slices, up to a panel.
    subset.packed_.push_back(
        MakePanels(options_, K_, slice.num_columns + kPanel));
    subset.bytes_ += subset.packed_.back()->bytes();
  }
  if (!bias_.empty()) subset.bias_.reserve(max_columns);
  return subset;
}

void Linear::CopyColumns(const Linear& from, absl::Span<const int32_t> columns,
                         ThreadTeam& team) {
  num_columns_ = static_cast<int64_t>(columns.size());
  slices_ = EvenSlices(num_columns_, options_.num_slices);
  bias_.clear();
  if (!from.bias_.empty()) {
    for (int32_t column : columns) bias_.push_back(from.bias_[column]);
  }
  team.Run([&](const ThreadTeam::Member& member) {
    for (size_t i = member.index(); i < slices_.size(); i += member.count()) {
      const Slice& slice = slices_[i];
      packed_[i]->Resize(slice.num_columns);
      for (int64_t j = 0; j < slice.num_columns; ++j) {
        const int64_t column = columns[slice.first_column + j];
        const int64_t source = from.SliceOf(column);
        packed_[i]->CopyColumn(j, *from.packed_[source],
                               column - from.slices_[source].first_column);
      }
    }
  });
}

}  // namespace sheaf
