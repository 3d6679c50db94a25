#include "engine/model/linear.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "engine/bf16.h"
#include "engine/check.h"
#include "engine/model/aligned_buffer.h"
#include "oneapi/dnnl/dnnl.hpp"

namespace sheaf {
namespace {

constexpr int64_t kPanel = kernels::kPanel;

int64_t NumPanels(int64_t num_columns) {
  return (num_columns + kPanel - 1) / kPanel;
}

}  // namespace

absl::string_view WeightTypeName(WeightType type) {
  switch (type) {
    case WeightType::kF32:
      return "f32";
    case WeightType::kBf16:
      return "bf16";
    case WeightType::kInt8:
      return "int8";
  }
  return "";
}

std::optional<WeightType> ParseWeightType(absl::string_view name) {
  for (WeightType type :
       {WeightType::kF32, WeightType::kBf16, WeightType::kInt8}) {
    if (name == WeightTypeName(type)) return type;
  }
  return std::nullopt;
}

int64_t BytesPerWeight(WeightType type) {
  switch (type) {
    case WeightType::kF32:
      return 4;
    case WeightType::kBf16:
      return 2;
    case WeightType::kInt8:
      return 1;
  }
  return 0;
}

// The weights of one slice, [K, num_columns], in the layout of its code.
class Linear::Packed {
 public:
  virtual ~Packed() = default;
  virtual int64_t bytes() const = 0;
  // rows [num_rows, K] become the columns from first_column on.
  virtual void Pack(int64_t first_column, int64_t num_rows,
                    const float* rows) = 0;
  virtual void Run(const float* x, int64_t ldx, int32_t num_rows, float* y,
                   int64_t ldy, bool accumulate) = 0;
  virtual void ReadColumn(int64_t column, float* out) const = 0;
};

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
           bool accumulate) override {
    kernels_.gemm({x, ldx, num_rows, static_cast<int32_t>(K_), panels_.data(),
                   static_cast<int32_t>(num_columns_), y, ldy, accumulate});
  }

  void ReadColumn(int64_t column, float* out) const override {
    const float* lane = panels_.data() + At(column);
    for (int64_t k = 0; k < K_; ++k) out[k] = lane[k * kPanel];
  }

 private:
  int64_t At(int64_t column) const {
    return column / kPanel * kPanel * K_ + column % kPanel;
  }

  const kernels::Kernels& kernels_;
  const int64_t K_, num_columns_;
  AlignedBuffer panels_;
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
        panels_(NumPanels(num_columns) * num_pairs_ * kPanel) {}

  int64_t bytes() const override { return panels_.bytes(); }

  void Pack(int64_t first_column, int64_t num_rows,
            const float* rows) override {
    for (int64_t j = 0; j < num_rows; ++j) {
      for (int64_t k = 0; k < 2 * num_pairs_; ++k) {
        weights()[Index(first_column + j, k)] =
            k < K_ ? ToBf16(rows[j * K_ + k]) : uint16_t{0};
      }
    }
  }

  void Run(const float* x, int64_t ldx, int32_t num_rows, float* y, int64_t ldy,
           bool accumulate) override {
    kernels_.gemm_bf16({x, ldx, num_rows, static_cast<int32_t>(K_), weights(),
                        static_cast<int32_t>(num_columns_), y, ldy,
                        accumulate});
  }

  void ReadColumn(int64_t column, float* out) const override {
    const auto* from = reinterpret_cast<const uint16_t*>(panels_.data());
    for (int64_t k = 0; k < K_; ++k) out[k] = FromBf16(from[Index(column, k)]);
  }

 private:
  uint16_t* weights() { return reinterpret_cast<uint16_t*>(panels_.data()); }
  int64_t Index(int64_t column, int64_t k) const {
    return GroupedAt(column, k, 2 * num_pairs_, 2);
  }

  const kernels::Kernels& kernels_;
  const int64_t K_, num_pairs_, num_columns_;
  AlignedBuffer panels_;  // two bfloat16 in the room of a float
};

// Panels of 16 columns and groups of k in 8 bits (kernels::GemmInt8).
class Linear::Int8Panels : public Packed {
 public:
  Int8Panels(const kernels::Kernels& kernels, int64_t K, int64_t num_columns)
      : kernels_(kernels),
        K_(K),
        padded_K_((K + 3) / 4 * 4),
        num_columns_(num_columns),
        panels_(NumPanels(num_columns) * kPanel * padded_K_ / 4),
        scales_(num_columns),
        sums_(NumPanels(num_columns) * kPanel) {}

  int64_t bytes() const override {
    return panels_.bytes() +
           static_cast<int64_t>(scales_.size() * sizeof(float) +
                                sums_.size() * sizeof(int32_t));
  }

  // Quantized by the portable code, whose words are pairs of 16 bits.
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
        weights()[Index(column, k)] = static_cast<int8_t>(quantized[k]);
        sums_[column] += quantized[k];
      }
    }
  }

  void Run(const float* x, int64_t ldx, int32_t num_rows, float* y, int64_t ldy,
           bool accumulate) override {
    // Each member of the team quantizes the rows for itself: that is cheaper
    // than to wait for another.
    const int64_t ldq = padded_K_ / kernels_.int8_group;
    thread_local std::vector<int32_t> quantized;
    if (static_cast<int64_t>(quantized.size()) < kRowsAtOnce * ldq) {
      quantized.resize(kRowsAtOnce * ldq);
    }
    float x_scales[kRowsAtOnce];
    for (int32_t row = 0; row < num_rows; row += kRowsAtOnce) {
      const int32_t n = std::min(kRowsAtOnce, num_rows - row);
      kernels_.quantize_rows(x + row * ldx, ldx, n, static_cast<int32_t>(K_),
                             quantized.data(), ldq, x_scales);
      kernels_.gemm_int8({.x = quantized.data(),
                          .ldx = ldq,
                          .x_scales = x_scales,
                          .num_rows = n,
                          .K = static_cast<int32_t>(padded_K_),
                          .w = weights(),
                          .w_scales = scales_.data(),
                          .w_sums = sums_.data(),
                          .num_columns = static_cast<int32_t>(num_columns_),
                          .y = y + row * ldy,
                          .ldy = ldy,
                          .accumulate = accumulate});
    }
  }

  void ReadColumn(int64_t column, float* out) const override {
    const auto* from = reinterpret_cast<const int8_t*>(panels_.data());
    for (int64_t k = 0; k < K_; ++k) {
      out[k] = static_cast<float>(from[Index(column, k)]) * scales_[column];
    }
  }

 private:
  // Rows that are quantized, and then multiplied, at a time.
  static constexpr int32_t kRowsAtOnce = 64;

  int8_t* weights() { return reinterpret_cast<int8_t*>(panels_.data()); }
  int64_t Index(int64_t column, int64_t k) const {
    return GroupedAt(column, k, padded_K_, kernels_.int8_group);
  }

  const kernels::Kernels& kernels_;
  const int64_t K_, padded_K_, num_columns_;
  AlignedBuffer panels_;       // four weights in the room of a float
  std::vector<float> scales_;  // [num_columns]
  std::vector<int32_t> sums_;  // [num_columns rounded up to 16]
};

// oneDNN's own blocked layout. It asks for one primitive per number of rows;
// the layout is that of one row, which oneDNN packs alike for any number.
class Linear::OneDnnPacked : public Packed {
 public:
  OneDnnPacked(int64_t K, int64_t num_columns)
      : K_(K), num_columns_(num_columns) {}

  // REQUIRES: all rows at once. Throws dnnl::error.
  void Pack(int64_t first_column, int64_t num_rows,
            const float* rows) override {
    SHEAF_CHECK(first_column == 0 && num_rows == num_columns_);
    using dnnl::memory;
    const int64_t K = K_, num_columns = num_columns_;
    const memory::desc any({K, num_columns}, memory::data_type::f32,
                           memory::format_tag::any);
    weights_ = memory(MakePrimitive(/*num_rows=*/1, any, K, num_columns,
                                    /*accumulate=*/false)
                          .weights_desc(),
                      Engine());
    const memory::desc plain({K, num_columns}, memory::data_type::f32,
                             memory::format_tag::ba);
    memory from(plain, Engine(), const_cast<float*>(rows));
    dnnl::stream stream(Engine());
    dnnl::reorder(from, weights_).execute(stream, from, weights_);
    stream.wait();
  }

  int64_t bytes() const override {
    return static_cast<int64_t>(weights_.get_desc().get_size());
  }

  void Run(const float* x, int64_t ldx, int32_t num_rows, float* y, int64_t ldy,
           bool accumulate) override {
    // oneDNN's own threads stay out of it: the team's members are the threads.
    thread_local const bool is_single = (omp_set_num_threads(1), true);
    (void)is_single;
    for (int32_t row = 0; row < num_rows; row += kMaxRows) {
      RunRows(x + row * ldx, ldx, std::min(kMaxRows, num_rows - row),
              y + row * ldy, ldy, accumulate);
    }
  }

  void ReadColumn(int64_t, float*) const override {
    SHEAF_CHECK(false);  // oneDNN's layout is its own secret.
  }

 private:
  // Longer inputs go through in pieces: so there are few primitives.
  static constexpr int32_t kMaxRows = 64;

  struct Primitive {
    dnnl::matmul matmul;
    dnnl::memory x, y, scratchpad;
    std::vector<uint8_t> scratch;
  };

  static dnnl::engine& Engine() {
    static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    return engine;
  }

  dnnl::matmul::primitive_desc MakePrimitive(int64_t num_rows,
                                             const dnnl::memory::desc& weights,
                                             int64_t ldx, int64_t ldy,
                                             bool accumulate) const {
    using dnnl::memory;
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (accumulate) {
      dnnl::post_ops ops;
      ops.append_sum(1.0f);
      attr.set_post_ops(ops);
    }
    const memory::desc x({num_rows, K_}, memory::data_type::f32, {ldx, 1});
    const memory::desc y({num_rows, num_columns_}, memory::data_type::f32,
                         {ldy, 1});
    return dnnl::matmul::primitive_desc(dnnl::matmul::desc(x, weights, y), attr,
                                        Engine());
  }

  void RunRows(const float* x, int64_t ldx, int32_t num_rows, float* y,
               int64_t ldy, bool accumulate) {
    Primitive& primitive = PrimitiveFor(num_rows, ldx, ldy, accumulate);
    primitive.x.set_data_handle(const_cast<float*>(x));
    primitive.y.set_data_handle(y);
    dnnl::stream stream(Engine());
    primitive.matmul.execute(stream,
                             {{DNNL_ARG_SRC, primitive.x},
                              {DNNL_ARG_WEIGHTS, weights_},
                              {DNNL_ARG_DST, primitive.y},
                              {DNNL_ARG_SCRATCHPAD, primitive.scratchpad}});
  }

  // Made at its first use; a slice has one user at a time, so no lock.
  Primitive& PrimitiveFor(int32_t num_rows, int64_t ldx, int64_t ldy,
                          bool accumulate) {
    for (auto& [key, primitive] : primitives_) {
      if (key == Key{num_rows, ldx, ldy, accumulate}) return *primitive;
    }
    const auto desc =
        MakePrimitive(num_rows, weights_.get_desc(), ldx, ldy, accumulate);
    auto primitive = std::make_unique<Primitive>();
    primitive->matmul = dnnl::matmul(desc);
    primitive->x = dnnl::memory(desc.src_desc(), Engine(), nullptr);
    primitive->y = dnnl::memory(desc.dst_desc(), Engine(), nullptr);
    primitive->scratch.resize(desc.scratchpad_desc().get_size() + 1);
    primitive->scratchpad = dnnl::memory(desc.scratchpad_desc(), Engine(),
                                         primitive->scratch.data());
    primitives_.emplace_back(Key{num_rows, ldx, ldy, accumulate},
                             std::move(primitive));
    return *primitives_.back().second;
  }

  struct Key {
    int32_t num_rows;
    int64_t ldx, ldy;
    bool accumulate;
    bool operator==(const Key&) const = default;
  };

  const int64_t K_, num_columns_;
  dnnl::memory weights_;
  std::vector<std::pair<Key, std::unique_ptr<Primitive>>> primitives_;
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
  }
  return nullptr;
}

absl::StatusOr<Linear> Linear::LoadSlices(
    const WeightSource& source, int64_t K,
    absl::Span<const std::vector<WeightRows>> slices,
    const LinearOptions& options) {
  SHEAF_CHECK(static_cast<int32_t>(slices.size()) == options.num_slices);
  const bool is_one_dnn = options.backend == GemmBackend::kOneDnn;
  SHEAF_CHECK(!is_one_dnn || options.type == WeightType::kF32);
  Linear linear;
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
    std::unique_ptr<Packed> packed =
        is_one_dnn ? std::make_unique<OneDnnPacked>(K, num_columns)
                   : MakePanels(options, K, num_columns);
    // oneDNN wants all rows of the slice at once; for the panels a few rows
    // at a time keep the detour small.
    const int64_t rows_at_once = is_one_dnn ? num_columns : 256;
    std::vector<float> rows(std::min(rows_at_once, num_columns) * K);
    int64_t column = 0;  // the next to be packed
    int64_t held = 0;    // rows read and not yet packed
    try {
      for (const WeightRows& part : parts) {
        for (int64_t done = 0; done < part.num_rows;) {
          const int64_t n = std::min(rows_at_once - held, part.num_rows - done);
          const absl::Status status =
              source.ReadRows(part.tensor, part.first_row + done, n,
                              absl::MakeSpan(rows).subspan(held * K, n * K));
          if (!status.ok()) return status;
          done += n;
          held += n;
          if (held == rows_at_once || column + held == num_columns) {
            packed->Pack(column, held, rows.data());
            column += held;
            held = 0;
          }
        }
      }
    } catch (const dnnl::error& error) {
      return absl::InternalError(absl::StrFormat(
          "oneDNN cannot lay out %s: %s", parts.front().tensor, error.what()));
    }
    linear.bytes_ += packed->bytes();
    linear.packed_.push_back(std::move(packed));
  }
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
            {part.tensor, part.first_row + begin - at, end - begin});
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
    packed_[i]->Run(x, ldx, num_rows, y + slices_[i].first_column, ldy,
                    accumulate);
  }
}

void Linear::ReadColumn(int64_t column, float* out) const {
  for (size_t i = 0; i < slices_.size(); ++i) {
    const int64_t at = column - slices_[i].first_column;
    if (at >= 0 && at < slices_[i].num_columns) {
      return packed_[i]->ReadColumn(at, out);
    }
  }
  SHEAF_CHECK(false);  // The caller checks ids against the vocabulary.
}

}  // namespace sheaf
