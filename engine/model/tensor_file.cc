// SPDX-License-Identifier: Apache-2.0

#include "engine/model/tensor_file.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/bf16.h"
#include "engine/model/little_endian.h"

namespace sheaf {
namespace {

struct DtypeEntry {
  absl::string_view name;
  Dtype dtype;
  uint32_t bytes;  // of an element
};

constexpr DtypeEntry kDtypes[] = {
    {"BOOL", Dtype::kBool, 1},      {"U8", Dtype::kU8, 1},
    {"I8", Dtype::kI8, 1},          {"F8_E4M3", Dtype::kF8E4M3, 1},
    {"F8_E5M2", Dtype::kF8E5M2, 1}, {"F8_E8M0", Dtype::kF8E8M0, 1},
    {"I16", Dtype::kI16, 2},        {"U16", Dtype::kU16, 2},
    {"F16", Dtype::kF16, 2},        {"BF16", Dtype::kBF16, 2},
    {"I32", Dtype::kI32, 4},        {"U32", Dtype::kU32, 4},
    {"F32", Dtype::kF32, 4},        {"I64", Dtype::kI64, 8},
    {"U64", Dtype::kU64, 8},        {"F64", Dtype::kF64, 8},
    {"C64", Dtype::kC64, 8},
};

const DtypeEntry& EntryOf(Dtype dtype) {
  return *std::find_if(std::begin(kDtypes), std::end(kDtypes),
                       [&](const DtypeEntry& e) { return e.dtype == dtype; });
}

// A piece of a tensor in row-major order stays in the second level of caches.
// For a tensor that is saved transposed, a piece has many rows, so that each
// read along a column gets many elements.
constexpr int64_t kElementsAtOnce = 1 << 16;
constexpr int64_t kStridedElementsAtOnce = 1 << 19;
constexpr int64_t kReadBytes = int64_t{256} << 10;

float WidenF16(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = half >> 10 & 0x1f;
  const uint32_t fraction = half & 0x3ff;
  if (exponent == 0x1f) {  // infinity, NaN
    return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  }
  if (exponent != 0) {  // the biases are 15 and 127
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  }
  // Zero or a subnormal, fraction * 2^-24: exact in f32, where it is normal.
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

// Elements in the file: `count` of them, `stride` elements apart.
struct Run {
  uint64_t offset;  // in bytes
  int64_t count;
  int64_t stride;
};

// Reads elements of one size, either in a row or some distance apart.
class ElementReader {
 public:
  ElementReader(const InputFile& file, uint32_t element_bytes)
      : file_(file), bytes_(element_bytes) {}

  // Writes element i of the run to `out` + i * `out_step` elements.
  absl::Status Read(const Run& run, uint8_t* out, int64_t out_step) {
    if (run.stride == 1 && out_step == 1) {
      return file_.ReadAt(run.offset, absl::MakeSpan(out, run.count * bytes_));
    }
    // The elements that one read gets, with what lies between them.
    const int64_t step = run.stride * bytes_;
    const int64_t at_once = std::max<int64_t>(1, kReadBytes / step);
    for (int64_t done = 0; done < run.count;) {
      const int64_t n = std::min(at_once, run.count - done);
      buffer_.resize((n - 1) * step + bytes_);
      absl::Status read =
          file_.ReadAt(run.offset + done * step, absl::MakeSpan(buffer_));
      if (!read.ok()) return read;
      for (int64_t i = 0; i < n; ++i) {
        std::memcpy(out + (done + i) * out_step * bytes_,
                    buffer_.data() + i * step, bytes_);
      }
      done += n;
    }
    return absl::OkStatus();
  }

 private:
  const InputFile& file_;
  const int64_t bytes_;
  std::vector<uint8_t> buffer_;
};

// A tensor as a row of matrices: its last two dimensions, for each index of the
// others.
struct Matrices {
  explicit Matrices(const TensorInfo& tensor) : info(tensor) {
    const size_t rank = tensor.shape.size();
    cols = tensor.shape[rank - 1];
    col_stride = tensor.strides[rank - 1];
    if (rank == 1) return;
    rows = tensor.shape[rank - 2];
    row_stride = tensor.strides[rank - 2];
  }

  // The distance in elements from the first element to that of a matrix.
  int64_t Start(int64_t matrix) const {
    int64_t start = 0;
    for (int64_t i = static_cast<int64_t>(info.shape.size()) - 3; i >= 0; --i) {
      start += matrix % info.shape[i] * info.strides[i];
      matrix /= info.shape[i];
    }
    return start;
  }

  const TensorInfo& info;
  int64_t rows = 1, cols = 1;
  int64_t row_stride = 1, col_stride = 1;
};

// Reads elements [first, first + count) of a tensor that has strides, block by
// block: whole rows of a matrix together, or a part of one row. A block is read
// along the dimension with the smaller stride, because a tensor that was saved
// transposed has its columns in a row.
absl::Status ReadStrided(const InputFile& file, const TensorInfo& tensor,
                         int64_t first, int64_t count, uint8_t* out) {
  const int64_t bytes = DtypeBytes(tensor.dtype);
  const Matrices matrices(tensor);
  ElementReader reader(file, DtypeBytes(tensor.dtype));
  while (count > 0) {
    const int64_t row = first / matrices.cols % matrices.rows;
    const int64_t col = first % matrices.cols;
    int64_t num_rows = 1, num_cols = std::min(count, matrices.cols - col);
    if (num_cols == matrices.cols) {
      num_rows = std::min(count / matrices.cols, matrices.rows - row);
    }
    const int64_t start =
        matrices.Start(first / matrices.cols / matrices.rows) +
        row * matrices.row_stride + col * matrices.col_stride;
    const uint64_t offset = tensor.offset + start * bytes;
    absl::Status read;
    if (num_rows > 1 &&
        (num_cols == 1 || matrices.row_stride < matrices.col_stride)) {
      for (int64_t i = 0; i < num_cols && read.ok(); ++i) {
        read = reader.Read({offset + i * matrices.col_stride * bytes, num_rows,
                            matrices.row_stride},
                           out + i * bytes, num_cols);
      }
    } else {
      for (int64_t i = 0; i < num_rows && read.ok(); ++i) {
        read = reader.Read({offset + i * matrices.row_stride * bytes, num_cols,
                            matrices.col_stride},
                           out + i * num_cols * bytes, 1);
      }
    }
    if (!read.ok()) return read;
    first += num_rows * num_cols;
    count -= num_rows * num_cols;
    out += num_rows * num_cols * bytes;
  }
  return absl::OkStatus();
}

int64_t ElementsAtOnce(const TensorInfo& tensor, int64_t num_elements) {
  return std::min(
      tensor.strides.empty() ? kElementsAtOnce : kStridedElementsAtOnce,
      num_elements);
}

absl::Status ReadElements(const InputFile& file, const TensorInfo& tensor,
                          int64_t first, int64_t count, uint8_t* out) {
  if (!tensor.strides.empty()) {
    return ReadStrided(file, tensor, first, count, out);
  }
  const uint64_t bytes = DtypeBytes(tensor.dtype);
  return file.ReadAt(tensor.offset + first * bytes,
                     absl::MakeSpan(out, count * bytes));
}

}  // namespace

absl::string_view DtypeName(Dtype dtype) { return EntryOf(dtype).name; }

uint32_t DtypeBytes(Dtype dtype) { return EntryOf(dtype).bytes; }

std::string AllDtypeNames() {
  return absl::StrJoin(kDtypes, ", ",
                       [](std::string* out, const DtypeEntry& entry) {
                         out->append(entry.name.data(), entry.name.size());
                       });
}

bool ParseDtype(absl::string_view name, Dtype& dtype) {
  for (const DtypeEntry& entry : kDtypes) {
    if (entry.name != name) continue;
    dtype = entry.dtype;
    return true;
  }
  return false;
}

const TensorInfo* TensorFile::Find(absl::string_view name) const {
  const auto place = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const TensorInfo& a, absl::string_view b) { return a.name < b; });
  return place != tensors_.end() && place->name == name ? &*place : nullptr;
}

absl::Status TensorFile::ReadAsFloat(const TensorInfo& tensor,
                                     int64_t first_element,
                                     absl::Span<float> out) const {
  const auto refuse = [&](absl::string_view rule) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: tensor %s: %s", path(), Quoted(tensor.name), rule));
  };
  if (tensor.dtype != Dtype::kF32 && tensor.dtype != Dtype::kF16 &&
      tensor.dtype != Dtype::kBF16) {
    return refuse(
        absl::StrFormat("dtype is %s; weights are read from F32, F16 and BF16",
                        DtypeName(tensor.dtype)));
  }
  if (first_element < 0 || first_element > tensor.num_elements ||
      out.size() > static_cast<uint64_t>(tensor.num_elements - first_element)) {
    return refuse(
        absl::StrFormat("%d elements from element %d are asked for; it has %d",
                        out.size(), first_element, tensor.num_elements));
  }

  const size_t at_once =
      ElementsAtOnce(tensor, static_cast<int64_t>(out.size()));
  std::vector<uint8_t> buffer(at_once * DtypeBytes(tensor.dtype));
  while (!out.empty()) {
    const size_t count = std::min(at_once, out.size());
    absl::Status status =
        ReadElements(file_, tensor, first_element, static_cast<int64_t>(count),
                     buffer.data());
    if (!status.ok()) return status;
    const uint8_t* bytes = buffer.data();
    switch (tensor.dtype) {
      case Dtype::kF32:
        for (size_t i = 0; i < count; ++i) {
          out[i] = std::bit_cast<float>(LoadU32(bytes + 4 * i));
        }
        break;
      case Dtype::kF16:
        for (size_t i = 0; i < count; ++i) {
          out[i] = WidenF16(LoadU16(bytes + 2 * i));
        }
        break;
      default:
        for (size_t i = 0; i < count; ++i) {
          out[i] = FromBf16(LoadU16(bytes + 2 * i));
        }
    }
    first_element += static_cast<int64_t>(count);
    out.remove_prefix(count);
  }
  return absl::OkStatus();
}

absl::Status TensorFile::ReadBytes(
    const TensorInfo& tensor,
    absl::FunctionRef<void(absl::Span<const uint8_t>)> take) const {
  std::vector<uint8_t> buffer;
  for (int64_t first = 0; first < tensor.num_elements;) {
    const int64_t count = ElementsAtOnce(tensor, tensor.num_elements - first);
    buffer.resize(count * DtypeBytes(tensor.dtype));
    absl::Status read =
        ReadElements(file_, tensor, first, count, buffer.data());
    if (!read.ok()) return read;
    take(buffer);
    first += count;
  }
  return absl::OkStatus();
}

}  // namespace sheaf
