// SPDX-License-Identifier: Apache-2.0

#include "engine/model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/bf16.h"

namespace sheaf {
namespace {

// The largest known models have headers of 0.2 MB; a sparse file can claim any
// size.
constexpr uint64_t kMaxHeaderBytes = uint64_t{8} << 20;
constexpr uint64_t kLengthBytes = 8;
// Other formats under the name of a safetensors file, by their first bytes.
constexpr size_t kMagicBytes = 4;
struct Format {
  char magic[kMagicBytes + 1];
  absl::string_view name;
};
constexpr Format kOtherFormats[] = {
    {"PK\3\4", "a PyTorch file or another ZIP archive"},
    {"GGUF", "a GGUF file"},
    {"\x89HDF", "an HDF5 file"}};

constexpr size_t kReadBytes = size_t{256} << 10;

// Reads byte by byte, so that the byte order of the machine does not matter;
// compilers turn it into one load where possible.
uint16_t LoadU16(const uint8_t* p) {
  return static_cast<uint16_t>(p[0] | p[1] << 8);
}
uint32_t LoadU32(const uint8_t* p) {
  return LoadU16(p) | static_cast<uint32_t>(LoadU16(p + 2)) << 16;
}
uint64_t LoadU64(const uint8_t* p) {
  return LoadU32(p) | static_cast<uint64_t>(LoadU32(p + 4)) << 32;
}

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

}  // namespace

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  if (file->size() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is empty"));
  }
  if (file->size() < kLengthBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s has %d bytes; the header's length alone takes %d",
                        path, file->size(), kLengthBytes));
  }
  uint8_t length[kLengthBytes];
  absl::Status status = file->ReadAt(0, absl::MakeSpan(length));
  if (!status.ok()) return status;
  const uint64_t header_bytes = LoadU64(length);
  const uint64_t rest_bytes = file->size() - kLengthBytes;
  if (header_bytes > kMaxHeaderBytes || header_bytes > rest_bytes) {
    for (const Format& format : kOtherFormats) {
      if (std::memcmp(length, format.magic, kMagicBytes) != 0) continue;
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s is %s, not a safetensors file", path, format.name));
    }
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: header of %d bytes; at most %d are allowed, and the file has %d",
        path, header_bytes, kMaxHeaderBytes, rest_bytes));
  }

  std::string header(header_bytes, '\0');
  status = file->ReadAt(
      kLengthBytes,
      absl::MakeSpan(reinterpret_cast<uint8_t*>(header.data()), header.size()));
  if (!status.ok()) return status;
  absl::StatusOr<std::vector<TensorInfo>> tensors =
      ParseSafetensorsHeader(header, rest_bytes - header_bytes, path);
  if (!tensors.ok()) return tensors.status();
  return SafetensorsFile(*std::move(file), *std::move(tensors),
                         kLengthBytes + header_bytes);
}

const TensorInfo* SafetensorsFile::Find(absl::string_view name) const {
  const auto place = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const TensorInfo& a, absl::string_view b) { return a.name < b; });
  return place != tensors_.end() && place->name == name ? &*place : nullptr;
}

absl::Status SafetensorsFile::ReadAsFloat(const TensorInfo& tensor,
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

  const size_t element_bytes = DtypeBytes(tensor.dtype);
  std::vector<uint8_t> buffer(std::min(kReadBytes, out.size() * element_bytes));
  uint64_t offset = data_offset_ + tensor.begin +
                    static_cast<uint64_t>(first_element) * element_bytes;
  while (!out.empty()) {
    const size_t count = std::min(out.size(), kReadBytes / element_bytes);
    absl::Status status = file_.ReadAt(
        offset, absl::MakeSpan(buffer).first(count * element_bytes));
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
    offset += count * element_bytes;
    out.remove_prefix(count);
  }
  return absl::OkStatus();
}

}  // namespace sheaf
