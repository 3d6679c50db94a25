// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "tests/support/temp_dir.h"

namespace sheaf {

inline std::string FileBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  SHEAF_CHECK(file.good());
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

inline std::string TestdataDir(const std::string& model) {
  return std::string(SHEAF_TESTDATA_DIR) + "/" + model;
}

// The fixtures: the directories of tests/testdata.
inline std::vector<std::string> TestdataModels() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(SHEAF_TESTDATA_DIR)) {
    if (entry.is_directory()) names.push_back(entry.path().filename());
  }
  return names;
}

// A safetensors file whose header claims to have `header_bytes` bytes.
inline std::string SafetensorsBytes(uint64_t header_bytes,
                                    absl::string_view header,
                                    absl::string_view data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) {
    bytes.push_back(static_cast<char>(header_bytes >> (8 * i) & 0xff));
  }
  bytes.append(header.data(), header.size());
  bytes.append(data.data(), data.size());
  return bytes;
}

inline std::string SafetensorsBytes(absl::string_view header,
                                    absl::string_view data) {
  return SafetensorsBytes(header.size(), header, data);
}

// The values as the little-endian bytes of a file. T's own byte order is that
// of the machine, which for tests is little-endian.
template <typename T>
std::string BytesOf(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

}  // namespace sheaf
