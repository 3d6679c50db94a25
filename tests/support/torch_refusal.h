// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/status/status.h"
#include "engine/model/torch_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"
#include "tests/support/torch_bytes.h"

namespace sheaf {

// The message with which a file is refused, without its path; "" if it opens.
inline std::string RefusalOf(const std::string& bytes) {
  const TempDir dir;
  const std::string path = dir.Write("m.bin", bytes);
  const auto file = OpenTorchFile(path);
  if (file.ok()) return "";
  EXPECT_THAT(std::string(file.status().message()),
              ::testing::StartsWith(path + ": "));
  EXPECT_TRUE(absl::IsInvalidArgument(file.status()) ||
              absl::IsDataLoss(file.status()))
      << file.status();
  return std::string(file.status().message().substr(path.size() + 2));
}

inline const std::string& SixFloats() {
  static const std::string bytes = BytesOf<float>({0, 1, 2, 3, 4, 5});
  return bytes;
}

// A tensor "t" of storage "0", which has six floats.
inline std::string OneTensor(const std::string& tensor) {
  return torch_bytes::Pickle(
      torch_bytes::OrderedDict({torch_bytes::Str("t"), tensor}));
}

}  // namespace sheaf
