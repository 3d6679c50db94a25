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
// The file is a stranger's. Open() reads the header alone and refuses, naming
// file, tensor and rule, whatever does not hold:
//   1. The header is one JSON object of at most 8 MiB, in valid UTF-8, padded
//      at the end by white space at most; no key is there twice, at any level.
//   2. Each tensor has exactly dtype (one of Dtype's), shape and data_offsets;
//      `__metadata__`, the only other key, maps strings to strings.
//   3. end - begin is the shape's number of elements times the dtype's size.
//   4. The tensors tile the data: no overlap, no hole, nothing after the last.
// So a file that opens has every byte of every tensor, unless it is changed
// afterwards, which a read reports.
//
// Thread-safe after Open().
class SafetensorsFile {
 public:
  static absl::StatusOr<SafetensorsFile> Open(const std::string& path);

  const std::string& path() const { return file_.path(); }

  // Ordered by name. They live, at one address, as long as the file's object or
  // the one it was moved to.
  absl::Span<const TensorInfo> tensors() const { return tensors_; }

  // Null if there is no such tensor.
  const TensorInfo* Find(absl::string_view name) const;

  // Elements [first_element, first_element + out.size()) of `tensor`, in
  // row-major order, each widened exactly to f32 (infinities and NaNs too).
  // InvalidArgument if they are not all in the tensor, or if its dtype is none
  // of F32, F16 and BF16; DataLoss if the file cannot be read. On an error
  // `out` may be partly written. REQUIRES: `tensor` is of this file.
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
