// SPDX-License-Identifier: Apache-2.0

#include "engine/model/linear_panels.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/bf16.h"
#include "base/check.h"
#include "base/round_up.h"
#include "engine/model/aligned_buffer.h"
#include "engine/model/int4_rounding.h"

namespace sheaf {
namespace {

constexpr int64_t kPanel = kernels::kPanel;

template <typename T>
void Grow(int64_t n, std::vector<T>& values) {
  if (static_cast<int64_t>(values.size()) < n) values.resize(n);
}

// Room for n words from a cache line on, which tiles of AMX load fastest.
int32_t* RoomFor(int64_t n, std::vector<int32_t>& words) {
  constexpr int64_t kLineWords = 16;
  Grow(n + kLineWords, words);
  constexpr uintptr_t kLineBytes = kLineWords * sizeof(int32_t);
  const uintptr_t past = reinterpret_cast<uintptr_t>(words.data()) % kLineBytes;
  return words.data() + (kLineBytes - past) % kLineBytes / sizeof(int32_t);
}

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

  void Run(const LinearInput& input, int32_t num_rows, float* y, int64_t ldy,
           bool accumulate, const float* bias,
           kernels::ReadAhead* /*ahead*/) override {
    kernels_.gemm({.x = input.x,
                   .ldx = input.ldx,
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

  void Run(const LinearInput& input, int32_t num_rows, float* y, int64_t ldy,
           bool accumulate, const float* bias,
           kernels::ReadAhead* /*ahead*/) override {
    const int32_t step = kernels_.rows_at_once;
    thread_local std::vector<int32_t> room;
    int32_t* const words = RoomFor(step * num_pairs_, room);
    for (int32_t row = 0; row < num_rows; row += step) {
      kernels_.gemm_bf16({.x = input.x + row * input.ldx,
                          .ldx = input.ldx,
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
        padded_K_(RoundUp<int64_t>(K, 4)),
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

  void Run(const LinearInput& input, int32_t num_rows, float* y, int64_t ldy,
           bool accumulate, const float* bias,
           kernels::ReadAhead* ahead) override {
    const int64_t ldq = QuantizedRows::RowWords(kernels_, K_);
    const int32_t step = kernels_.rows_at_once;
    thread_local std::vector<int32_t> room;
    float own_scales[kernels::kMaxRowsAtOnce];
    for (int32_t row = 0; row < num_rows; row += step) {
      const int32_t n = std::min(step, num_rows - row);
      const int32_t* words;
      const float* scales;
      if (input.quantized != nullptr) {
        words = input.quantized->words() + row * ldq;
        scales = input.quantized->scales() + row;
      } else {
        int32_t* const own_words = RoomFor(step * ldq, room);
        kernels_.quantize_rows(input.x + row * input.ldx, input.ldx, n,
                               static_cast<int32_t>(K_), own_words, ldq,
                               own_scales);
        words = own_words;
        scales = own_scales;
      }
      kernels_.gemm_int8({.x = words,
                          .ldx = ldq,
                          .x_scales = scales,
                          .num_rows = n,
                          .K = static_cast<int32_t>(padded_K_),
                          .w = weights_.data(),
                          .w_scales = scales_.data(),
                          .w_sums = sums_.data(),
                          .num_columns = static_cast<int32_t>(num_columns_),
                          .y = y + row * ldy,
                          .ldy = ldy,
                          .accumulate = accumulate,
                          .bias = bias,
                          .ahead = ahead});
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

  void Run(const LinearInput& input, int32_t num_rows, float* y, int64_t ldy,
           bool accumulate, const float* bias,
           kernels::ReadAhead* /*ahead*/) override {
    const int64_t ldq = padded_K_ / kernels_.int8_group;
    const int64_t num_groups = padded_K_ / kGroup;
    const int32_t step = kernels_.rows_at_once;
    thread_local std::vector<int32_t> words, starts;
    thread_local std::vector<int8_t> bytes;
    Grow(step * ldq, words);
    Grow(step * padded_K_, bytes);
    Grow(step * num_groups, starts);
    float x_scales[kernels::kMaxRowsAtOnce];
    for (int32_t row = 0; row < num_rows; row += step) {
      const int32_t n = std::min(step, num_rows - row);
      kernels_.quantize_rows(input.x + row * input.ldx, input.ldx, n,
                             static_cast<int32_t>(K_), words.data(), ldq,
                             x_scales);
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

}  // namespace sheaf
