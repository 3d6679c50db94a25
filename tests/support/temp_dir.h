// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/string_view.h"
#include "base/check.h"

namespace sheaf {

// A new directory for one test, removed with all that is in it.
class TempDir {
 public:
  TempDir() {
    std::string pattern = ::testing::TempDir() + "/sheaf_XXXXXX";
    SHEAF_CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string PathOf(const std::string& name) const {
    return path_ + "/" + name;
  }

  // Writes a file and returns its path.
  std::string Write(const std::string& name, absl::string_view bytes) const {
    std::ofstream file(PathOf(name), std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    SHEAF_CHECK(file.good());
    return PathOf(name);
  }

 private:
  std::string path_;
};

}  // namespace sheaf
