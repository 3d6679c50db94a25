// SPDX-License-Identifier: Apache-2.0

#include "engine/model/linear.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "base/bf16.h"
#include "base/check.h"
#include "base/enum_names.h"
#include "base/round_up.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/int4_rounding.h"

namespace sheaf {
namespace {

constexpr int64_t kPanel = kernels::kPanel;

// Rows of a tensor that are read, and then packed, at a time: few, so that the
// copy between the two is small.
constexpr int64_t kPackRows = 256;

int64_t NumPanels(int64_t num_columns) {
  return (num_columns + kPanel - 1) / kPanel;
}

// Room for n words from a cache line on, which tiles of AMX load fastest.
int32_t* RoomFor(int64_t n, std::vector<int32_t>& words) {
  constexpr int64_t kLineWords = 16;
  if (static_cast<int64_t>(words.size()) < n + kLineWords) {
    words.resize(n + kLineWords);
  }
  constexpr uintptr_t kLineBytes = kLineWords * sizeof(int32_t);
  const uintptr_t past = reinterpret_cast<uintptr_t>(words.data()) % kLineBytes;
  return words.data() + (kLineBytes - past) % kLineBytes / sizeof(int32_t);
}

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

// The weights of one slice, [K, num_columns], in the layout of its code.
class Linear::Packed {
 public:
  virtual ~Packed() = default;
  virtual int64_t bytes() const = 0;
  // rows [num_rows, K] become the columns from first_column on.
  virtual void Pack(int64_t first_column, int64_t num_rows,
                    const float* rows) = 0;
  // `bias` has the slice's columns, or is null.
  virtual void Run(const float* x, int64_t ldx, int32_t num_rows, float* y,
                   int64_t ldy, bool accumulate, const float* bias) = 0;
  virtual void ReadColumn(int64_t column, float* out) const = 0;
  // For subsets: the number of columns may change up to the first one, and a
  // column become a copy of another's, which has the same class and K.
  virtual void Resize(int64_t num_columns) = 0;
  virtual void CopyColumn(int64_t column, const Packed& from,
                          int64_t from_column) = 0;
};

namespace {

// Copies a column between panels in which it has a Unit of each row of 16.
template <typename Unit>
void CopyUnits(const void* from, int64_t num_units, void* to) {
  const auto* source = static_cast<const char*>(from);
  auto* target = static_cast<char*>(to);
  constexpr int64_t kStride = kPanel * sizeof(Unit);
  for (int64_t i = 0; i < num_units; ++i) {
    std::memcpy(target + i * kStride, source + i * kStride, sizeof(Unit));
  }
}

}  // namespace

// Panels of 16 columns for our kernels (kernels::Gemm).
class Linear::F32Panels : public Packed {
 public:
  F32Panels(const kernels::Kernels& kernels, int64_t K, int64_t num_columns)
      : kernels_(kernels),
        K_(K),
        num_columns_(num_columns),
        panels_(NumPanels(num_columns) * kPanel * K) {}

  int64_t bytes() const override { return panels_.bytes(); }

  void Pack(int64_t first_column, int64_t num_rows,
            const float* rows) override {
    for (int64_t j = 0; j < num_rows; ++j) {
      float* lane = panels_.data() + At(first_column + j);
      for (int64_t k = 0; k < K_; ++k) lane[k * kPanel] = rows[j * K_ + k];
    }
  }

  void Run(const float* x, int64_t ldx, int32_t num_rows, float* y, int64_t ldy,
           bool accumulate, const float* bias) override {
    kernels_.gemm({.x = x,
                   .ldx = ldx,
                   .num_rows = num_rows,
                   .K = static_cast<int32_t>(K_),
                   .w = panels_.data(),
                   .num_columns = static_cast<int32_t>(num_columns_),
                   .y = y,
                   .ldy = ldy,
                   .accumulate = accumulate,
                   .bias = bias});
  }

  void ReadColumn(int64_t column, float* out) const override {
    const float* lane = panels_.data() + At(column);
    for (int64_t k = 0; k < K_; ++k) out[k] = lane[k * kPanel];
  }

  void Resize(int64_t num_columns) override { num_columns_ = num_columns; }
  void CopyColumn(int64_t column, const Packed& from,
                  int64_t from_column) override {
    const auto& panels = static_cast<const F32Panels&>(from);
    CopyUnits<float>(panels.panels_.data() + At(from_column), K_,
                     panels_.data() + At(column));
  }

 private:
  int64_t At(int64_t column) const {
    return column / kPanel * kPanel * K_ + column % kPanel;
  }

  const kernels::Kernels& kernels_;
  const int64_t K_;
  int64_t num_columns_;
  AlignedBuffer<float> panels_;
};

namespace {

// Where weight (column, k) lies in panels of `group` k side by side:
// [num_columns / 16][K / group][16][group].
int64_t GroupedAt(int64_t column, int64_t k, int64_t K, int64_t group) {
  return (column / kPanel * (K / group) + k / group) * kPanel * group +
         column % kPanel * group + k % group;
}

}  // namespace

// Panels of 16 columns and pairs of k in bfloat16 (kernels::GemmBf16).
class Linear::Bf16Panels : public Packed {
 public:
  Bf16Panels(const kernels::Kernels& kernels, int64_t K, int64_t num_columns)
      : kernels_(kernels),
        K_(K),
        num_pairs_((K + 1) / 2),
        num_columns_(num_columns),
        weights_(NumPanels(num_columns) * num_pairs_ * kPanel * 2) {}

  int64_t bytes() const override { return weights_.bytes(); }

  void Pack(int64_t first_column, int64_t num_rows,
            const float* rows) override {
    for (int64_t j = 0; j < num_rows; ++j) {
      for (int64_t k = 0; k < 2 * num_pairs_; ++k) {
        weights_.data()[Index(first_column + j, k)] =
            k < K_ ? ToBf16(rows[j * K_ + k]) : uint16_t{0};
      }
    }
  }

  void Run(const float* x, int64_t ldx, int32_t num_rows, float* y, int64_t ldy,
           bool accumulate, const float* bias) override {
    const int32_t step = kernels_.rows_at_once;
    thread_local std::vector<int32_t> room;
    int32_t* const words = RoomFor(step * num_pairs_, room);
    for (int32_t row = 0; row < num_rows; row += step) {
      kernels_.gemm_bf16({.x = x + row * ldx,
                          .ldx = ldx,
                          .num_rows = std::min(step, num_rows - row),
                          .K = static_cast<int32_t>(K_),
                          .w = weights_.data(),
                          .num_columns = static_cast<int32_t>(num_columns_),
                          .y = y + row * ldy,
                          .ldy = ldy,
                          .accumulate = accumulate,
                          .words = words,
                          .bias = bias});
    }
  }

  void ReadColumn(int64_t column, float* out) const override {
    for (int64_t k = 0; k < K_; ++k) {
      out[k] = FromBf16(weights_.data()[Index(column, k)]);
    }
  }

  void Resize(int64_t num_columns) override { num_columns_ = num_columns; }
  void CopyColumn(int64_t column, const Packed& from,
                  int64_t from_column) override {
    const auto& panels = static_cast<const Bf16Panels&>(from);
    CopyUnits<uint16_t[2]>(panels.weights_.data() + Index(from_column, 0),
                           num_pairs_, weights_.data() + Index(column, 0));
  }

 private:
  int64_t Index(int64_t column, int64_t k) const {
    return GroupedAt(column, k, 2 * num_pairs_, 2);
  }

  const kernels::Kernels& kernels_;
  const int64_t K_, num_pairs_;
  int64_t num_columns_;
  AlignedBuffer<uint16_t> weights_;
};

// Panels of 16 columns and groups of k in 8 bits (kernels::GemmInt8).
class Linear::Int8Panels : public Packed {
 public:
  Int8Panels(const kernels::Kernels& kernels, int64_t K, int64_t num_columns)
      : kernels_(kernels),
        K_(K),
        padded_K_((K + 3) / 4 * 4),
        num_columns_(num_columns),
        weights_(NumPanels(num_columns) * kPanel * padded_K_),
        scales_(num_columns),
        sums_(NumPanels(num_columns) * kPanel) {}

  int64_t bytes() const override {
    return weights_.bytes() +
           static_cast<int64_t>(scales_.size() * sizeof(float) +
                                sums_.size() * sizeof(int32_t));
  }

  // The portable kernel quantizes, because its words are pairs of 16 bits.
  void Pack(int64_t first_column, int64_t num_rows,
            const float* rows) override {
    const kernels::Kernels& portable =
        kernels::KernelsFor(kernels::Isa::kPortable);
    SHEAF_CHECK(portable.int8_group == 2);
    std::vector<int32_t> words(padded_K_ / 2);
    std::vector<int16_t> quantized(padded_K_);
    for (int64_t j = 0; j < num_rows; ++j) {
      const int64_t column = first_column + j;
      portable.quantize_rows(rows + j * K_, K_, 1, static_cast<int32_t>(K_),
                             words.data(), padded_K_ / 2, &scales_[column]);
      std::memcpy(quantized.data(), words.data(), padded_K_ * sizeof(int16_t));
      for (int64_t k = 0; k < padded_K_; ++k) {
        weights_.data()[Index(column, k)] = static_cast<int8_t>(quantized[k]);
        sums_[column] += quantized[k];
      }
    }
  }

  void Run(const float* x, int64_t ldx, int32_t num_rows, float* y, int64_t ldy,
           bool accumulate, const float* bias) override {
    // Each member of the team quantizes the rows for itself, which is cheaper
    // than waiting for another member.
    const int64_t ldq = padded_K_ / kernels_.int8_group;
    const int32_t step = kernels_.rows_at_once;
    thread_local std::vector<int32_t> room;
    int32_t* const quantized = RoomFor(step * ldq, room);
    float x_scales[kernels::kMaxRowsAtOnce];
    for (int32_t row = 0; row < num_rows; row += step) {
      const int32_t n = std::min(step, num_rows - row);
      kernels_.quantize_rows(x + row * ldx, ldx, n, static_cast<int32_t>(K_),
                             quantized, ldq, x_scales);
      kernels_.gemm_int8({.x = quantized,
                          .ldx = ldq,
                          .x_scales = x_scales,
                          .num_rows = n,
                          .K = static_cast<int32_t>(padded_K_),
                          .w = weights_.data(),
                          .w_scales = scales_.data(),
                          .w_sums = sums_.data(),
                          .num_columns = static_cast<int32_t>(num_columns_),
                          .y = y + row * ldy,
                          .ldy = ldy,
                          .accumulate = accumulate,
                          .bias = bias});
    }
  }

  void ReadColumn(int64_t column, float* out) const override {
    for (int64_t k = 0; k < K_; ++k) {
      out[k] = static_cast<float>(weights_.data()[Index(column, k)]) *
               scales_[column];
    }
  }

  void Resize(int64_t num_columns) override { num_columns_ = num_columns; }
  void CopyColumn(int64_t column, const Packed& from,
                  int64_t from_column) override {
    const auto& panels = static_cast<const Int8Panels&>(from);
    const int8_t* source = panels.weights_.data() + Index(from_column, 0);
    int8_t* target = weights_.data() + Index(column, 0);
    const int64_t num_units = padded_K_ / kernels_.int8_group;
    if (kernels_.int8_group == 4) {
      CopyUnits<int8_t[4]>(source, num_units, target);
    } else {
      SHEAF_CHECK(kernels_.int8_group == 2);
      CopyUnits<int8_t[2]>(source, num_units, target);
    }
    scales_[column] = panels.scales_[from_column];
    sums_[column] = panels.sums_[from_column];
  }

 private:
  int64_t Index(int64_t column, int64_t k) const {
    return GroupedAt(column, k, padded_K_, kernels_.int8_group);
  }

  const kernels::Kernels& kernels_;
  const int64_t K_, padded_K_;
  int64_t num_columns_;
  AlignedBuffer<int8_t> weights_;
  std::vector<float> scales_;  // [num_columns]
  std::vector<int32_t> sums_;  // [num_columns rounded up to 16]
};

// Panels of 16 columns and units of two groups of k in 4 bits
// (kernels::GemmInt4).
class Linear::Int4Panels : public Packed {
 public:
  Int4Panels(const kernels::Kernels& kernels, int64_t K, int64_t num_columns)
      : kernels_(kernels),
        K_(K),
        padded_K_(RoundUp<int64_t>(K, kernels::kInt4Unit)),
        num_columns_(num_columns),
        units_(NumPanels(num_columns) * padded_K_ / kernels::kInt4Unit *
               kernels::kInt4UnitBytes) {
    std::fill_n(units_.data(), units_.size(), uint8_t{0});
  }

  int64_t bytes() const override { return units_.bytes(); }

  void Pack(int64_t first_column, int64_t num_rows,
            const float* rows) override {
    for (int64_t j = 0; j < num_rows; ++j) {
      for (int64_t k = 0; k < K_; k += kGroup) {
        float weights[kGroup] = {};
        std::copy_n(rows + j * K_ + k, std::min(kGroup, K_ - k), weights);
        PutGroup(first_column + j, k, RoundToInt4(weights));
      }
    }
  }

  void Run(const float* x, int64_t ldx, int32_t num_rows, float* y, int64_t ldy,
           bool accumulate, const float* bias) override {
    const int64_t ldq = padded_K_ / kernels_.int8_group;
    const int64_t num_groups = padded_K_ / kGroup;
    const int32_t step = kernels_.rows_at_once;
    thread_local std::vector<int32_t> words, starts;
    thread_local std::vector<int8_t> bytes;
    if (static_cast<int64_t>(bytes.size()) < step * padded_K_) {
      words.resize(step * ldq);
      bytes.resize(step * padded_K_);
      starts.resize(step * num_groups);
    }
    float x_scales[kernels::kMaxRowsAtOnce];
    for (int32_t row = 0; row < num_rows; row += step) {
      const int32_t n = std::min(step, num_rows - row);
      kernels_.quantize_rows(x + row * ldx, ldx, n, static_cast<int32_t>(K_),
                             words.data(), ldq, x_scales);
      kernels_.int4_inputs(words.data(), ldq, n,
                           static_cast<int32_t>(padded_K_), bytes.data(),
                           padded_K_, starts.data(), num_groups);
      kernels_.gemm_int4({.x = bytes.data(),
                          .ldx = padded_K_,
                          .starts = starts.data(),
                          .ld_starts = num_groups,
                          .x_scales = x_scales,
                          .num_rows = n,
                          .K = static_cast<int32_t>(padded_K_),
                          .w = units_.data(),
                          .num_columns = static_cast<int32_t>(num_columns_),
                          .y = y + row * ldy,
                          .ldy = ldy,
                          .accumulate = accumulate,
                          .bias = bias});
    }
  }

  void ReadColumn(int64_t column, float* out) const override {
    for (int64_t k = 0; k < K_; ++k) {
      const int64_t unit = UnitAt(column, k);
      uint16_t scale;
      std::memcpy(&scale, units_.data() + unit + ScaleAt(column, k),
                  sizeof(scale));
      const int byte = units_.data()[unit + ByteAt(column, k)];
      out[k] =
          FromBf16(scale) * static_cast<float>((byte >> ShiftOf(k) & 15) - 8);
    }
  }

  void Resize(int64_t num_columns) override { num_columns_ = num_columns; }
  // A column has 4 bytes of each line of 64 in a unit: both of its scales, or 8
  // weights.
  void CopyColumn(int64_t column, const Packed& from,
                  int64_t from_column) override {
    constexpr int64_t kBytes = 4;
    const auto& panels = static_cast<const Int4Panels&>(from);
    CopyUnits<uint8_t[kBytes]>(
        panels.units_.data() + UnitAt(from_column, 0) +
            from_column % kPanel * kBytes,
        padded_K_ / kUnit * (kernels::kInt4UnitBytes / (kPanel * kBytes)),
        units_.data() + UnitAt(column, 0) + column % kPanel * kBytes);
  }

 private:
  static constexpr int64_t kGroup = kernels::kInt4Group;
  static constexpr int64_t kUnit = kernels::kInt4Unit;

  // Where the unit of weight (column, k) begins, and where in it the scale and
  // the byte of the weight lie.
  int64_t UnitAt(int64_t column, int64_t k) const {
    return (column / kPanel * (padded_K_ / kUnit) + k / kUnit) *
           kernels::kInt4UnitBytes;
  }
  static int64_t ScaleAt(int64_t column, int64_t k) {
    return (column % kPanel * 2 + k / kGroup % 2) *
           static_cast<int64_t>(sizeof(uint16_t));
  }
  static int64_t ByteAt(int64_t column, int64_t k) {
    return kPanel * 4 + k % kUnit / 8 * kPanel * 4 + column % kPanel * 4 +
           k % 4;
  }
  static int ShiftOf(int64_t k) { return k % 8 < 4 ? 0 : 4; }

  void PutGroup(int64_t column, int64_t first_k, const Int4Weights& group) {
    uint8_t* unit = units_.data() + UnitAt(column, first_k);
    std::memcpy(unit + ScaleAt(column, first_k), &group.scale,
                sizeof(group.scale));
    for (int64_t i = 0; i < kGroup; ++i) {
      const int64_t k = first_k + i;
      unit[ByteAt(column, k)] |=
          static_cast<uint8_t>((group.values[i] + 8) << ShiftOf(k));
    }
  }

  const kernels::Kernels& kernels_;
  const int64_t K_, padded_K_;
  int64_t num_columns_;
  AlignedBuffer<uint8_t> units_;
};

Linear::Linear() = default;
Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;
Linear::~Linear() = default;

std::vector<Linear::Slice> EvenSlices(int64_t n, int32_t num_slices) {
  const int64_t num_panels = (n + kPanel - 1) / kPanel;
  std::vector<Linear::Slice> slices;
  for (int64_t i = 0; i < num_slices; ++i) {
    const int64_t begin = std::min(n, num_panels * i / num_slices * kPanel);
    const int64_t end = std::min(n, num_panels * (i + 1) / num_slices * kPanel);
    slices.push_back({begin, end - begin});
  }
  return slices;
}

std::unique_ptr<Linear::Packed> Linear::MakePanels(const LinearOptions& options,
                                                   int64_t K,
                                                   int64_t num_columns) {
  const kernels::Kernels& kernels = *options.kernels;
  switch (options.type) {
    case WeightType::kF32:
      return std::make_unique<F32Panels>(kernels, K, num_columns);
    case WeightType::kBf16:
      return std::make_unique<Bf16Panels>(kernels, K, num_columns);
    case WeightType::kInt8:
      return std::make_unique<Int8Panels>(kernels, K, num_columns);
    case WeightType::kInt4:
      return std::make_unique<Int4Panels>(kernels, K, num_columns);
  }
  return nullptr;
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

void Linear::Run(const ThreadTeam::Member& member, const float* x, int64_t ldx,
                 int32_t num_rows, float* y, int64_t ldy,
                 bool accumulate) const {
  for (size_t i = member.index(); i < slices_.size(); i += member.count()) {
    if (packed_[i] == nullptr) continue;
    const int64_t first = slices_[i].first_column;
    packed_[i]->Run(x, ldx, num_rows, y + first, ldy, accumulate,
                    bias_.empty() ? nullptr : bias_.data() + first);
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
