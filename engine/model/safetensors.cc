// SPDX-License-Identifier: Apache-2.0

#include "engine/model/safetensors.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"
#include "engine/model/little_endian.h"
#include "engine/model/safetensors_header.h"

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

}  // namespace

absl::StatusOr<TensorFile> OpenSafetensors(const std::string& path) {
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
  absl::StatusOr<std::vector<TensorInfo>> tensors = ParseSafetensorsHeader(
      header, kLengthBytes + header_bytes, rest_bytes - header_bytes, path);
  if (!tensors.ok()) return tensors.status();
  return TensorFile(*std::move(file), *std::move(tensors));
}

}  // namespace sheaf
