// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/input_file.h"
#include "engine/model/safetensors_header.h"

namespace sheaf {

// A file of named tensors in the safetensors format: a length (u64, little
// endian), a JSON header of that length, the data.
//
// The file is untrusted. Open() reads only the header. It refuses a file that
// breaks one of these rules, and names file, tensor and rule:
//   1. The header is one JSON object of at most 8 MiB, in valid UTF-8, with
//      nothing but white space after it; no key occurs twice at any level.
//   2. Each tensor has exactly dtype (one of Dtype's), shape and data_offsets;
//      `__metadata__`, the only other key, maps strings to strings.
//   3. end - begin is the shape's number of elements times the dtype's size.
//   4. The tensors tile the data: no overlap, no hole, nothing after the last.
// Therefore a file that opens has every byte of every tensor, unless it changes
// afterwards, which a read reports.
//
// Thread-safe after Open().
class SafetensorsFile {
 public:
  static absl::StatusOr<SafetensorsFile> Open(const std::string& path);

  const std::string& path() const { return file_.path(); }

  // Ordered by name. Their addresses stay valid as long as this object, or the
  // object that it was moved to.
  absl::Span<const TensorInfo> tensors() const { return tensors_; }

  // Null if there is no such tensor.
  const TensorInfo* Find(absl::string_view name) const;

  // Elements [first_element, first_element + out.size()) of `tensor`, in
  // row-major order, each widened exactly to f32 (infinities and NaNs too).
  // InvalidArgument if some are outside the tensor, or if its dtype is not F32,
  // F16 or BF16; DataLoss if the file cannot be read. After an error `out` may
  // be partly written. REQUIRES: `tensor` belongs to this file.
  absl::Status ReadAsFloat(const TensorInfo& tensor, int64_t first_element,
                           absl::Span<float> out) const;

 private:
  SafetensorsFile(InputFile file, std::vector<TensorInfo> tensors,
                  uint64_t data_offset)
      : file_(std::move(file)),
        tensors_(std::move(tensors)),
        data_offset_(data_offset) {}

  InputFile file_;
  std::vector<TensorInfo> tensors_;
  uint64_t data_offset_;  // of the data's first byte in the file
};

}  // namespace sheaf
