// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "train/common/result.h"

namespace sheaf {

// A tensor of the file to write.
struct TensorToWrite {
  std::string name;   // UTF-8
  std::string dtype;  // as the format spells it: "BF16"
  std::vector<int64_t> shape;
  uint64_t num_bytes;
};

// Writes a safetensors file: a length (u64, little endian), a JSON header of
// that length, the data. The same tensors give the same bytes: they follow in
// the order of the list, without gaps, after a header that is padded to a
// multiple of 8 bytes.
//
//   SafetensorsWriter writer(path, tensors);
//   for each tensor in order: writer.Append(bytes...), in any pieces
//   Result<void> written = writer.Finish();
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::string& path,
                    const std::vector<TensorToWrite>& tensors);
  ~SafetensorsWriter();
  SafetensorsWriter(const SafetensorsWriter&) = delete;
  SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

  void Append(const void* bytes, uint64_t num_bytes);

  // Flushes to the disk. Returns an error that names the file if a write
  // failed, or if the number of bytes appended is not that of the header.
  Result<void> Finish();

 private:
  void Fail(const std::string& what);

  std::string path_;
  std::string error_;  // the first one; empty if there is none
  std::FILE* file_ = nullptr;
  uint64_t bytes_left_ = 0;
};

}  // namespace sheaf
