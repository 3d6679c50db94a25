// SPDX-License-Identifier: Apache-2.0

#include "server/model_dir.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ModelDirTest : public ::testing::Test {
 protected:
  fs::path MakeModel(const std::string& path) {
    fs::create_directories(root_ / path);
    std::ofstream(root_ / path / "config.json") << "{}";
    return root_ / path;
  }

  const TempDir dir_;
  const fs::path root_ = dir_.path();
};

TEST_F(ModelDirTest, TheNameIsTheDirectorysHoweverItIsWritten) {
  const std::string dir = MakeModel("tiny-t5").string();
  MakeModel("tiny-t5/sub");
  for (const char* tail :
       {"", "/", "///", "/.", "/./", "/sub/..", "/sub/../"}) {
    EXPECT_EQ(ModelName(dir + tail), "tiny-t5") << tail;
  }
}

TEST_F(ModelDirTest, ADotIsTheDirectoryThatItMeans) {
  const fs::path before = fs::current_path();
  fs::current_path(MakeModel("tiny-t5/sub"));
  EXPECT_EQ(ModelName("."), "sub");
  EXPECT_EQ(ModelName("./"), "sub");
  EXPECT_EQ(ModelName(".."), "tiny-t5");
  EXPECT_EQ(ModelName("../sub/"), "sub");
  fs::current_path(before);
}

TEST_F(ModelDirTest, ASymbolicLinkKeepsItsName) {
  MakeModel("0123abcd");
  MakeModel("elsewhere/sub");
  fs::create_directory_symlink(root_ / "0123abcd", root_ / "readable");
  fs::create_directory_symlink(root_ / "elsewhere/sub", root_ / "link");
  EXPECT_EQ(ModelName((root_ / "readable").string()), "readable");
  EXPECT_EQ(ModelName((root_ / "readable/").string()), "readable");
  EXPECT_EQ(ModelName((root_ / "link/..").string()), "elsewhere");
}

TEST_F(ModelDirTest, InTheHubsCacheTheNameIsTheRepositorys) {
  for (const char* repository :
       {"models--acme--tiny-t5", "models--tiny-t5", "models--a-b--tiny-t5"}) {
    const fs::path dir =
        MakeModel(absl::StrCat(repository, "/snapshots/0123abcd"));
    EXPECT_EQ(ModelName(dir.string()), "tiny-t5");
    EXPECT_EQ(ModelName(dir.string() + "/"), "tiny-t5");
    const auto resolved = ResolveModelDir((root_ / repository).string());
    ASSERT_TRUE(resolved.ok()) << resolved.status();
    EXPECT_EQ(ModelName(*resolved), "tiny-t5");
  }
  // Only the cache has this form.
  EXPECT_EQ(ModelName("/data/models--acme--tiny-t5/other/v1"), "v1");
  EXPECT_EQ(ModelName("/data/experiments/snapshots/v1"), "v1");
}

TEST_F(ModelDirTest, OfSeveralSnapshotsNoneIsTaken) {
  MakeModel("models--acme--tiny-t5/snapshots/0123abcd");
  MakeModel("models--acme--tiny-t5/snapshots/4567cdef");
  EXPECT_THAT(
      std::string(ResolveModelDir((root_ / "models--acme--tiny-t5").string())
                      .status()
                      .message()),
      HasSubstr("more than one"));
}

TEST(CheckModelNameTest, ANameIsShortPrintableUtf8) {
  for (const std::string& name :
       {std::string("tiny-t5"), std::string("acme/tiny t5"),
        std::string("m\xc3\xbcnchen"), std::string(255, 'a')}) {
    EXPECT_TRUE(CheckModelName("name", name).ok()) << name;
  }
  for (const std::string& name :
       {std::string(), std::string(256, 'a'), std::string("a\nb"),
        std::string("a\0b", 3), std::string("\x7f"), std::string("\xff"),
        std::string("\xc2\x85")}) {
    const absl::Status status = CheckModelName("--model_name", name);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("allowed is a name of 1 to 255 bytes"));
  }
}

}  // namespace
}  // namespace sheaf
