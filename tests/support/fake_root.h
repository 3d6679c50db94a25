// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace sheaf {

// A folder that stands for "/" in a test, with the files that the test writes.
class FakeRoot {
 public:
  explicit FakeRoot(const std::string& name)
      : dir_(std::filesystem::path(testing::TempDir()) / name) {
    std::filesystem::remove_all(dir_);
  }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;
  ~FakeRoot() { std::filesystem::remove_all(dir_); }

  FakeRoot& Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((dir_ / path).parent_path());
    std::ofstream(dir_ / path) << text;
    return *this;
  }
  std::string path() const { return dir_.string(); }

 private:
  const std::filesystem::path dir_;
};

}  // namespace sheaf
