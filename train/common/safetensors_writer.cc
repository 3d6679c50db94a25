// SPDX-License-Identifier: Apache-2.0

#include "train/common/safetensors_writer.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "train/common/json.h"

namespace sheaf {
namespace {

std::string HeaderOf(const std::vector<TensorToWrite>& tensors) {
  std::string header = R"({"__metadata__":{"format":"pt"})";
  uint64_t begin = 0;
  for (const TensorToWrite& tensor : tensors) {
    std::string shape;
    for (const int64_t n : tensor.shape) {
      if (!shape.empty()) shape += ',';
      shape += std::to_string(n);
    }
    const uint64_t end = begin + tensor.num_bytes;
    header += ',' + JsonString(tensor.name) +
              ":{\"dtype\":" + JsonString(tensor.dtype) + ",\"shape\":[" +
              shape + "],\"data_offsets\":[" + std::to_string(begin) + ',' +
              std::to_string(end) + "]}";
    begin = end;
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  return header;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::string& path,
                                     const std::vector<TensorToWrite>& tensors)
    : path_(path) {
  file_ = std::fopen(path.c_str(), "wb");
  if (file_ == nullptr) {
    Fail(std::strerror(errno));
    return;
  }
  const std::string header = HeaderOf(tensors);
  unsigned char length[8];
  for (int i = 0; i < 8; ++i) length[i] = header.size() >> (8 * i) & 0xff;
  bytes_left_ = sizeof(length) + header.size();
  for (const TensorToWrite& tensor : tensors) bytes_left_ += tensor.num_bytes;
  Append(length, sizeof(length));
  Append(header.data(), header.size());
}

SafetensorsWriter::~SafetensorsWriter() {
  if (file_ != nullptr) std::fclose(file_);
}

void SafetensorsWriter::Append(const void* bytes, uint64_t num_bytes) {
  if (!error_.empty()) return;
  if (num_bytes > bytes_left_) {
    Fail("more bytes than the tensors have");
  } else if (std::fwrite(bytes, 1, num_bytes, file_) != num_bytes) {
    Fail(std::strerror(errno));
  } else {
    bytes_left_ -= num_bytes;
  }
}

Result<void> SafetensorsWriter::Finish() {
  if (error_.empty() && bytes_left_ != 0) Fail("fewer bytes than the tensors");
  if (error_.empty() &&
      (std::fflush(file_) != 0 || fsync(fileno(file_)) != 0)) {
    Fail(std::strerror(errno));
  }
  if (file_ != nullptr && std::fclose(file_) != 0 && error_.empty()) {
    Fail(std::strerror(errno));
  }
  file_ = nullptr;
  if (!error_.empty()) return Error{error_};
  return {};
}

void SafetensorsWriter::Fail(const std::string& what) {
  if (error_.empty()) error_ = path_ + ": " + what;
}

}  // namespace sheaf
