#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace sheaf {

// A tensor of the file to write.
struct TensorToWrite {
  std::string name;   // printable ASCII without quotes and backslashes
  std::string dtype;  // as the format spells it: "BF16"
  std::vector<int64_t> shape;
  uint64_t num_bytes;
};

// Writes a safetensors file: a length (u64, little endian), a JSON header of
// that length, the data. The same tensors give the same bytes: they lie in the
// order of the list, without gaps, after a header that is padded to a multiple
// of 8 bytes.
//
//   SafetensorsWriter writer(path, tensors);
//   for each tensor in order: writer.Append(bytes...), in any pieces
//   if (!writer.Finish()) report writer.error();
//
// Knows nothing but the standard library, so that the trainer builds alone.
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::string& path,
                    const std::vector<TensorToWrite>& tensors);
  ~SafetensorsWriter();
  SafetensorsWriter(const SafetensorsWriter&) = delete;
  SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

  void Append(const void* bytes, uint64_t num_bytes);

  // Writes all to the disk. False, with error() set, if a write failed or the
  // number of bytes appended is not what the header says.
  bool Finish();
  const std::string& error() const { return error_; }

 private:
  void Fail(const std::string& what);

  std::string path_;
  std::string error_;  // empty: none so far
  std::FILE* file_ = nullptr;
  uint64_t bytes_left_ = 0;
};

}  // namespace sheaf
