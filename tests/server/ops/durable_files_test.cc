// SPDX-License-Identifier: Apache-2.0

#include "server/ops/durable_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/input_file.h"
#include "tests/support/temp_dir.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;

TEST(DurableFilesTest, AFileHasWhatWasWrittenLast) {
  const TempDir dir;
  const auto files = DurableFiles::Open(dir.path());
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_TRUE((*files)->Write("a", "first").ok());
  EXPECT_TRUE((*files)->Write("a", "2").ok());
  EXPECT_EQ(*ReadTextFile((*files)->PathOf("a"), 100), "2");
  EXPECT_TRUE((*files)->Remove("a").ok());
  EXPECT_TRUE((*files)->Remove("a").ok());
  EXPECT_FALSE(std::filesystem::exists((*files)->PathOf("a")));
}

TEST(DurableFilesTest, WhatACrashHasLeftIsRemoved) {
  const TempDir dir;
  const std::string left = dir.Write("a.unfinished", "fir");
  const std::string whole = dir.Write("b", "second");
  ASSERT_TRUE(DurableFiles::Open(dir.path()).ok());
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(whole));
}

TEST(DurableFilesTest, AFileThatCannotBeWrittenStaysAsItIs) {
  const TempDir dir;
  const auto files = DurableFiles::Open(dir.path());
  ASSERT_TRUE(files.ok()) << files.status();
  // A file cannot replace a directory.
  std::filesystem::create_directories(dir.PathOf("a/b"));
  const absl::Status status = (*files)->Write("a", "text");
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(dir.PathOf("a")));
  EXPECT_TRUE(std::filesystem::is_directory(dir.PathOf("a")));
  EXPECT_FALSE(std::filesystem::exists(dir.PathOf("a.unfinished")));
}

TEST(DurableFilesTest, ADirectoryIsOpenOnce) {
  const TempDir dir;
  auto files = DurableFiles::Open(dir.path());
  ASSERT_TRUE(files.ok()) << files.status();
  const absl::Status second = DurableFiles::Open(dir.path()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second)) << second;
  EXPECT_THAT(std::string(second.message()), HasSubstr("in use"));
  files->reset();
  EXPECT_TRUE(DurableFiles::Open(dir.path()).ok());
  EXPECT_TRUE(
      absl::IsNotFound(DurableFiles::Open(dir.PathOf("none")).status()));
}

TEST(DurableFilesTest, ADirectoryIsCheckedWithoutOpeningIt) {
  const TempDir dir;
  const auto files = DurableFiles::Open(dir.path());
  EXPECT_TRUE(DurableFiles::CheckDirectory(dir.path()).ok());
  for (const std::string& path : {dir.PathOf("none"), dir.PathOf("lock")}) {
    EXPECT_TRUE(absl::IsNotFound(DurableFiles::CheckDirectory(path))) << path;
  }
}

}  // namespace
}  // namespace sheaf
