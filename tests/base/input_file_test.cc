// SPDX-License-Identifier: Apache-2.0

#include "base/input_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(InputFileTest, ReadsBytesFromAnyOffset) {
  TempDir dir;
  const auto file = InputFile::Open(dir.Write("f", "abcdef"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->size(), 6u);
  std::array<uint8_t, 3> bytes;
  ASSERT_TRUE(file->ReadAt(3, absl::MakeSpan(bytes)).ok());
  EXPECT_THAT(bytes, ElementsAre('d', 'e', 'f'));
  EXPECT_TRUE(file->ReadAt(6, {}).ok());
}

TEST(InputFileTest, WhatIsNotInTheFileIsNotRead) {
  TempDir dir;
  const auto file = InputFile::Open(dir.Write("f", "abcdef"));
  ASSERT_TRUE(file.ok()) << file.status();
  std::array<uint8_t, 3> bytes;
  for (const uint64_t offset : {uint64_t{4}, uint64_t{7}, UINT64_MAX}) {
    const absl::Status status = file->ReadAt(offset, absl::MakeSpan(bytes));
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(status.message(),
                HasSubstr(absl::StrCat("cannot read 3 bytes at byte ", offset,
                                       "; the file has 6 bytes")));
  }
}

TEST(InputFileTest, AFileThatShrinksIsDataLoss) {
  TempDir dir;
  const std::string path = dir.Write("f", "abcdef");
  const auto file = InputFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(truncate(path.c_str(), 4), 0);
  std::array<uint8_t, 3> bytes;
  const absl::Status status = file->ReadAt(3, absl::MakeSpan(bytes));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("ends at byte 4"));
}

TEST(InputFileTest, MovesKeepTheFileOpen) {
  TempDir dir;
  auto file = InputFile::Open(dir.Write("a", "a"));
  auto other = InputFile::Open(dir.Write("b", "b"));
  ASSERT_TRUE(file.ok() && other.ok());
  InputFile moved = *std::move(file);
  moved = *std::move(other);
  std::array<uint8_t, 1> bytes;
  ASSERT_TRUE(moved.ReadAt(0, absl::MakeSpan(bytes)).ok());
  EXPECT_THAT(bytes, ElementsAre('b'));
  EXPECT_EQ(moved.path(), dir.PathOf("b"));
}

TEST(InputFileTest, OnlyRegularFilesOpen) {
  TempDir dir;
  EXPECT_EQ(InputFile::Open(dir.PathOf("absent")).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(InputFile::Open(dir.path()).status().code(),
            absl::StatusCode::kInvalidArgument);
  // The pipe has no writer, so that an open that waits would never return.
  ASSERT_EQ(mkfifo(dir.PathOf("pipe").c_str(), 0600), 0);
  EXPECT_EQ(InputFile::Open(dir.PathOf("pipe")).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(InputFileTest, WhatStandsInPlaceOfAFileIsNamed) {
  TempDir dir;
  const auto message = [&](absl::string_view bytes) {
    const absl::Status status = InputFile::Open(dir.Write("f", bytes)).status();
    EXPECT_EQ(ReadTextFile(dir.PathOf("f"), 1 << 20).status(), status);
    return std::string(status.message());
  };
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\n"
      "size 12345\n";
  EXPECT_THAT(message(pointer),
              HasSubstr(dir.PathOf("f") + " is a Git LFS pointer"));
  // A pointer has less than 1024 bytes.
  EXPECT_EQ(message(pointer + std::string(1024, ' ')), "");
  for (const std::string page :
       {"<!DOCTYPE html><html>", "\n <!doctype HTML>", "<html lang=\"en\">",
        "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>"}) {
    EXPECT_THAT(message(page), HasSubstr("is an HTML or XML page")) << page;
  }
  for (const std::string text :
       {"", " ", "<", "version https://git-lfs", "{}"}) {
    EXPECT_EQ(message(text), "") << text;
  }
}

TEST(ReadTextFileTest, RefusesMoreThanTheLimit) {
  TempDir dir;
  const std::string path = dir.Write("f", "abcdef");
  EXPECT_EQ(*ReadTextFile(path, 6), "abcdef");
  EXPECT_EQ(ReadTextFile(path, 5).status().message(),
            path + " has 6 bytes; at most 5 are read");
  EXPECT_EQ(*ReadTextFile(dir.Write("empty", ""), 5), "");
}

TEST(QuotedTest, IsOneShortLine) {
  EXPECT_EQ(Quoted("a\n\"b\""), R"("a\n\"b\"")");
  const std::string long_text = Quoted(std::string(100'000, 'x'));
  EXPECT_LT(long_text.size(), 300u);
  EXPECT_THAT(long_text, HasSubstr("(100000 bytes)"));
}

}  // namespace
}  // namespace sheaf
