// SPDX-License-Identifier: Apache-2.0

#include "bench/one_dnn_linear.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/bf16.h"
#include "base/check.h"
#include "engine/kernels/kernels.h"
#include "engine/model/aligned_buffer.h"
#include "oneapi/dnnl/dnnl.hpp"

namespace sheaf {
namespace {

using dnnl::memory;

// Longer inputs go through in pieces, so that there are few primitives.
constexpr int32_t kMaxRows = 256;

dnnl::engine& Engine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// The types of a product.
struct Types {
  memory::data_type x, weights, y;
};

Types TypesOf(WeightType type) {
  switch (type) {
    case WeightType::kBf16:
      return {memory::data_type::bf16, memory::data_type::bf16,
              memory::data_type::f32};
    case WeightType::kInt8:
      return {memory::data_type::u8, memory::data_type::s8,
              memory::data_type::s32};
    default:
      return {memory::data_type::f32, memory::data_type::f32,
              memory::data_type::f32};
  }
}

// Compiled for each of these instruction sets, because the time of these loops
// counts.
#define SHEAF_FOR_EACH_ISA \
  __attribute__((target_clones("avx512f", "avx2", "default")))

SHEAF_FOR_EACH_ISA void RoundToBf16(const float* x, int64_t size,
                                    uint16_t* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = ToBf16(x[i]);
}

SHEAF_FOR_EACH_ISA void ScaleSums(const int32_t* sums, const int32_t* offsets,
                                  float row_scale, const float* column_scales,
                                  int64_t size, float* y) {
  for (int64_t i = 0; i < size; ++i) {
    y[i] =
        static_cast<float>(sums[i] + offsets[i]) * row_scale * column_scales[i];
  }
}

}  // namespace

// oneDNN needs one primitive per number of rows. The layout is that of one row,
// which is the same for any number.
class OneDnnLinear::Slice {
 public:
  Slice(const float* weights, int64_t K, Linear::Slice columns, WeightType type)
      : type_(type),
        K_(K),
        columns_(columns),
        x_(kMaxRows * K),
        scales_(kMaxRows),
        dense_(kMaxRows * columns.num_columns) {
    const memory::desc any({K, columns.num_columns}, TypesOf(type).weights,
                           memory::format_tag::any);
    weights_ =
        memory(MakePrimitive(/*num_rows=*/1, any).weights_desc(), Engine());
    Pack(weights);
  }

  int64_t bytes() const {
    return static_cast<int64_t>(weights_.get_desc().get_size());
  }

  std::string implementation() const {
    return MakePrimitive(/*num_rows=*/32, weights_.get_desc()).impl_info_str();
  }

  void Run(const float* x, int32_t num_rows, float* y, int64_t ldy) {
    // oneDNN uses no threads of its own, because the members are the threads.
    thread_local const bool is_single = (omp_set_num_threads(1), true);
    (void)is_single;
    for (int32_t row = 0; row < num_rows; row += kMaxRows) {
      RunRows(x + row * K_, std::min(kMaxRows, num_rows - row),
              y + row * ldy + columns_.first_column, ldy);
    }
  }

 private:
  struct Primitive {
    int32_t num_rows;
    dnnl::matmul matmul;
    memory x, y, scratchpad;
    std::vector<uint8_t> scratch;
  };

  // Copies the weights to weights_, in its type and layout.
  void Pack(const float* weights) {
    const int64_t num_columns = columns_.num_columns;
    std::vector<int8_t> quantized;
    memory::data_type from_type = memory::data_type::f32;
    void* from_data = const_cast<float*>(weights);
    if (type_ == WeightType::kInt8) {
      quantized.resize(num_columns * K_);
      for (int64_t column = 0; column < num_columns; ++column) {
        QuantizeColumn(weights + column * K_, quantized.data() + column * K_);
      }
      from_type = memory::data_type::s8;
      from_data = quantized.data();
    }
    memory from({{K_, num_columns}, from_type, memory::format_tag::ba},
                Engine(), from_data);
    dnnl::stream stream(Engine());
    dnnl::reorder(from, weights_).execute(stream, from, weights_);
    stream.wait();
  }

  void QuantizeColumn(const float* column, int8_t* out) {
    float largest = 0;
    for (int64_t k = 0; k < K_; ++k) {
      largest = std::max(largest, std::abs(column[k]));
    }
    const float scale = largest / 127;
    int32_t sum = 0;
    for (int64_t k = 0; k < K_; ++k) {
      out[k] = static_cast<int8_t>(std::lrint(column[k] / scale));
      sum += out[k];
    }
    column_scales_.push_back(scale);
    column_offsets_.push_back(-128 * sum);
  }

  dnnl::matmul::primitive_desc MakePrimitive(
      int64_t num_rows, const memory::desc& weights) const {
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const Types types = TypesOf(type_);
    const memory::desc x({num_rows, K_}, types.x, {K_, 1});
    const memory::desc y({num_rows, columns_.num_columns}, types.y,
                         {columns_.num_columns, 1});
    return dnnl::matmul::primitive_desc(dnnl::matmul::desc(x, weights, y), attr,
                                        Engine());
  }

  // Results go through dense rows. For rows of y that are apart, as those of a
  // slice are, oneDNN has only its reference loops, which are a thousand times
  // slower.
  void RunRows(const float* x, int32_t num_rows, float* y, int64_t ldy) {
    Primitive& primitive = PrimitiveFor(num_rows);
    primitive.x.set_data_handle(ConvertRows(x, num_rows));
    primitive.y.set_data_handle(dense_.data());
    dnnl::stream stream(Engine());
    primitive.matmul.execute(stream,
                             {{DNNL_ARG_SRC, primitive.x},
                              {DNNL_ARG_WEIGHTS, weights_},
                              {DNNL_ARG_DST, primitive.y},
                              {DNNL_ARG_SCRATCHPAD, primitive.scratchpad}});
    for (int32_t row = 0; row < num_rows; ++row) StoreRow(row, y + row * ldy);
  }

  // The inputs in the type of the product.
  void* ConvertRows(const float* x, int32_t num_rows) {
    if (type_ == WeightType::kInt8) {
      kernels_.quantize_rows(x, K_, num_rows, static_cast<int32_t>(K_),
                             reinterpret_cast<int32_t*>(x_.data()), K_ / 4,
                             scales_.data());
      return x_.data();
    }
    if (type_ == WeightType::kBf16) {
      RoundToBf16(x, num_rows * K_, reinterpret_cast<uint16_t*>(x_.data()));
      return x_.data();
    }
    return const_cast<float*>(x);
  }

  void StoreRow(int32_t row, float* y) const {
    const int64_t num_columns = columns_.num_columns;
    const float* from = dense_.data() + row * num_columns;
    if (type_ != WeightType::kInt8) {
      std::copy_n(from, num_columns, y);
      return;
    }
    ScaleSums(reinterpret_cast<const int32_t*>(from), column_offsets_.data(),
              scales_.data()[row], column_scales_.data(), num_columns, y);
  }

  // Made at its first use. A slice has one user at a time, so there is no lock.
  Primitive& PrimitiveFor(int32_t num_rows) {
    for (const auto& primitive : primitives_) {
      if (primitive->num_rows == num_rows) return *primitive;
    }
    const auto desc = MakePrimitive(num_rows, weights_.get_desc());
    auto primitive = std::make_unique<Primitive>();
    primitive->num_rows = num_rows;
    primitive->matmul = dnnl::matmul(desc);
    primitive->x = memory(desc.src_desc(), Engine(), nullptr);
    primitive->y = memory(desc.dst_desc(), Engine(), nullptr);
    primitive->scratch.resize(desc.scratchpad_desc().get_size() + 1);
    primitive->scratchpad =
        memory(desc.scratchpad_desc(), Engine(), primitive->scratch.data());
    primitives_.push_back(std::move(primitive));
    return *primitives_.back();
  }

  const kernels::Kernels& kernels_ = kernels::KernelsFor(kernels::DetectIsa());
  const WeightType type_;
  const int64_t K_;
  const Linear::Slice columns_;
  AlignedBuffer<float> x_;            // [kMaxRows, K], converted
  AlignedBuffer<float> scales_;       // [kMaxRows], of int8
  AlignedBuffer<float> dense_;        // [kMaxRows, num_columns]
  std::vector<float> column_scales_;  // of int8
  std::vector<int32_t> column_offsets_;
  memory weights_;
  std::vector<std::unique_ptr<Primitive>> primitives_;
};

OneDnnLinear::OneDnnLinear(const std::vector<float>& weights, int64_t K,
                           int64_t num_columns, WeightType type,
                           int32_t num_slices) {
  SHEAF_CHECK(type != WeightType::kInt4);
  SHEAF_CHECK(type != WeightType::kInt8 ||
              kernels::KernelsFor(kernels::DetectIsa()).int8_group == 4);
  for (const Linear::Slice& columns : EvenSlices(num_columns, num_slices)) {
    slices_.push_back(std::make_unique<Slice>(
        weights.data() + columns.first_column * K, K, columns, type));
  }
}

OneDnnLinear::OneDnnLinear(OneDnnLinear&&) noexcept = default;
OneDnnLinear::~OneDnnLinear() = default;

int64_t OneDnnLinear::bytes() const {
  int64_t sum = 0;
  for (const auto& slice : slices_) sum += slice->bytes();
  return sum;
}

std::string OneDnnLinear::implementation() const {
  return slices_.front()->implementation();
}

void OneDnnLinear::Run(const ThreadTeam::Member& member, const float* x,
                       int32_t num_rows, float* y, int64_t ldy) const {
  for (size_t i = member.index(); i < slices_.size(); i += member.count()) {
    slices_[i]->Run(x, num_rows, y, ldy);
  }
}

}  // namespace sheaf
