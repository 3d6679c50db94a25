// SPDX-License-Identifier: Apache-2.0

#include "bench/one_dnn_linear.h"

#include <omp.h>

#include <algorithm>
#include <utility>

#include "engine/model/aligned_buffer.h"
#include "engine/model/linear.h"
#include "oneapi/dnnl/dnnl.hpp"

namespace sheaf {
namespace {

// Longer inputs go through in pieces: so there are few primitives.
constexpr int32_t kMaxRows = 64;

dnnl::engine& Engine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

}  // namespace

// oneDNN asks for one primitive per number of rows; the layout is that of one
// row, which it packs alike for any number.
class OneDnnLinear::Slice {
 public:
  Slice(const float* weights, int64_t K, Linear::Slice columns)
      : K_(K), columns_(columns), dense_(kMaxRows * columns.num_columns) {
    using dnnl::memory;
    const int64_t num_columns = columns.num_columns;
    const memory::desc any({K, num_columns}, memory::data_type::f32,
                           memory::format_tag::any);
    weights_ =
        memory(MakePrimitive(/*num_rows=*/1, any).weights_desc(), Engine());
    const memory::desc plain({K, num_columns}, memory::data_type::f32,
                             memory::format_tag::ba);
    memory from(plain, Engine(), const_cast<float*>(weights));
    dnnl::stream stream(Engine());
    dnnl::reorder(from, weights_).execute(stream, from, weights_);
    stream.wait();
  }

  int64_t bytes() const {
    return static_cast<int64_t>(weights_.get_desc().get_size());
  }

  void Run(const float* x, int32_t num_rows, float* y, int64_t ldy) {
    // oneDNN's own threads stay out of it: the team's members are the threads.
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
    dnnl::memory x, y, scratchpad;
    std::vector<uint8_t> scratch;
  };

  dnnl::matmul::primitive_desc MakePrimitive(
      int64_t num_rows, const dnnl::memory::desc& weights) const {
    using dnnl::memory;
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const memory::desc x({num_rows, K_}, memory::data_type::f32, {K_, 1});
    const memory::desc y({num_rows, columns_.num_columns},
                         memory::data_type::f32, {columns_.num_columns, 1});
    return dnnl::matmul::primitive_desc(dnnl::matmul::desc(x, weights, y), attr,
                                        Engine());
  }

  // Through dense rows: for rows of y that are apart, as a slice's are,
  // oneDNN has nothing but its reference loops, a thousand times slower.
  void RunRows(const float* x, int32_t num_rows, float* y, int64_t ldy) {
    Primitive& primitive = PrimitiveFor(num_rows);
    primitive.x.set_data_handle(const_cast<float*>(x));
    primitive.y.set_data_handle(dense_.data());
    dnnl::stream stream(Engine());
    primitive.matmul.execute(stream,
                             {{DNNL_ARG_SRC, primitive.x},
                              {DNNL_ARG_WEIGHTS, weights_},
                              {DNNL_ARG_DST, primitive.y},
                              {DNNL_ARG_SCRATCHPAD, primitive.scratchpad}});
    for (int32_t row = 0; row < num_rows; ++row) {
      std::copy_n(dense_.data() + row * columns_.num_columns,
                  columns_.num_columns, y + row * ldy);
    }
  }

  // Made at its first use; a slice has one user at a time, so no lock.
  Primitive& PrimitiveFor(int32_t num_rows) {
    for (const auto& primitive : primitives_) {
      if (primitive->num_rows == num_rows) return *primitive;
    }
    const auto desc = MakePrimitive(num_rows, weights_.get_desc());
    auto primitive = std::make_unique<Primitive>();
    primitive->num_rows = num_rows;
    primitive->matmul = dnnl::matmul(desc);
    primitive->x = dnnl::memory(desc.src_desc(), Engine(), nullptr);
    primitive->y = dnnl::memory(desc.dst_desc(), Engine(), nullptr);
    primitive->scratch.resize(desc.scratchpad_desc().get_size() + 1);
    primitive->scratchpad = dnnl::memory(desc.scratchpad_desc(), Engine(),
                                         primitive->scratch.data());
    primitives_.push_back(std::move(primitive));
    return *primitives_.back();
  }

  const int64_t K_;
  const Linear::Slice columns_;
  AlignedBuffer<float> dense_;  // [kMaxRows, num_columns]
  dnnl::memory weights_;
  std::vector<std::unique_ptr<Primitive>> primitives_;
};

OneDnnLinear::OneDnnLinear(const std::vector<float>& weights, int64_t K,
                           int64_t num_columns, int32_t num_slices) {
  for (const Linear::Slice& columns : EvenSlices(num_columns, num_slices)) {
    slices_.push_back(std::make_unique<Slice>(
        weights.data() + columns.first_column * K, K, columns));
  }
}

OneDnnLinear::OneDnnLinear(OneDnnLinear&&) noexcept = default;
OneDnnLinear::~OneDnnLinear() = default;

int64_t OneDnnLinear::bytes() const {
  int64_t sum = 0;
  for (const auto& slice : slices_) sum += slice->bytes();
  return sum;
}

void OneDnnLinear::Run(const ThreadTeam::Member& member, const float* x,
                       int32_t num_rows, float* y, int64_t ldy) const {
  for (size_t i = member.index(); i < slices_.size(); i += member.count()) {
    slices_[i]->Run(x, num_rows, y, ldy);
  }
}

}  // namespace sheaf
