// SPDX-License-Identifier: Apache-2.0

#include "engine/model/zip_directory.h"

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"
#include "tests/support/torch_bytes.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;
using torch_bytes::Number;
using torch_bytes::Zip;

absl::StatusOr<std::vector<ZipEntry>> ReadBytes(const std::string& bytes) {
  const TempDir dir;
  const auto file = InputFile::Open(dir.Write("a.zip", bytes));
  if (!file.ok()) return file.status();
  return ReadZipDirectory(*file);
}

std::string RefusalOf(const std::string& bytes) {
  const auto entries = ReadBytes(bytes);
  return std::string(entries.status().message());
}

std::string TwoFiles() { return Zip({{"d/a", "first"}, {"d/b", "second"}}); }

// The offsets of the directory and of its second entry in TwoFiles().
size_t DirectoryOf(const std::string& bytes) {
  return bytes.find("PK\x01\x02");
}
size_t SecondOf(const std::string& bytes) {
  return bytes.find("PK\x01\x02", DirectoryOf(bytes) + 1);
}

// The end record with a record and a locator of ZIP64 before it.
std::string WithZip64(const std::string& bytes, uint64_t num_entries = 2,
                      uint64_t disk = 0, uint64_t moved = 0) {
  const size_t end = bytes.size() - 22;
  const uint64_t directory = DirectoryOf(bytes);
  return absl::StrCat(bytes.substr(0, end), "PK\x06\x06", Number(44, 8),
                      Number(45, 2), Number(45, 2), Number(disk, 4),
                      Number(0, 4), Number(num_entries, 8),
                      Number(num_entries, 8), Number(end - directory, 8),
                      Number(directory, 8), "PK\x06\x07", Number(0, 4),
                      Number(end + moved, 8), Number(1, 4), bytes.substr(end));
}

std::string Replaced(std::string bytes, size_t at, const std::string& by) {
  bytes.replace(at, by.size(), by);
  return bytes;
}

TEST(ZipDirectoryTest, EntriesAndTheirBytesAreFound) {
  const std::string bytes = TwoFiles();
  for (const std::string& form : {bytes, WithZip64(bytes)}) {
    const auto entries = ReadBytes(form);
    ASSERT_TRUE(entries.ok()) << entries.status();
    ASSERT_EQ(entries->size(), 2u);
    EXPECT_EQ((*entries)[0].name, "d/a");
    EXPECT_EQ(form.substr((*entries)[0].offset, (*entries)[0].size), "first");
    EXPECT_EQ((*entries)[1].name, "d/b");
    EXPECT_EQ(form.substr((*entries)[1].offset, (*entries)[1].size), "second");
  }
  EXPECT_TRUE(ReadBytes(Zip({})).ok());
}

TEST(ZipDirectoryTest, CrcIsThatOfZlib) {
  std::mt19937 random(1);
  for (const size_t size : {0, 1, 2, 100, 1000}) {
    std::vector<uint8_t> bytes(size);
    for (uint8_t& byte : bytes) byte = random();
    EXPECT_EQ(Crc32(bytes), crc32(0, bytes.data(), bytes.size()));
  }
}

// Sizes and CRC may stand before the bytes, as other programs write them, and
// 64-bit numbers in extras, as large archives have them.
TEST(ZipDirectoryTest, SizesBeforeTheBytesAndInExtrasAreRead) {
  const auto archive = [](uint64_t local_size, uint64_t size_in_extra) {
    const std::string crc = Number(crc32(0, nullptr, 0), 4);
    const std::string wide = Number(0xffffffff, 4);
    const std::string local_extra = absl::StrCat(
        Number(1, 2), Number(16, 2), Number(local_size, 8), Number(0, 8));
    const std::string local = absl::StrCat(
        "PK\x03\x04", Number(45, 2), Number(0, 2), Number(0, 6), crc, wide,
        wide, Number(1, 2), Number(20, 2), "a", local_extra);
    const std::string extra = absl::StrCat(
        Number(7, 2), Number(2, 2), "xx", Number(1, 2), Number(24, 2),
        Number(size_in_extra, 8), Number(0, 8), Number(0, 8));
    const std::string directory =
        absl::StrCat("PK\x01\x02", Number(45, 2), Number(45, 2), Number(0, 2),
                     Number(0, 6), crc, wide, wide, Number(1, 2),
                     Number(extra.size(), 2), Number(0, 10), wide, "a", extra);
    return absl::StrCat(local, directory, "PK\x05\x06", Number(0, 4),
                        Number(1, 2), Number(1, 2), Number(directory.size(), 4),
                        Number(local.size(), 4), Number(0, 2));
  };
  const auto entries = ReadBytes(archive(0, 0));
  ASSERT_TRUE(entries.ok()) << entries.status();
  EXPECT_EQ((*entries)[0].size, 0u);
  EXPECT_EQ((*entries)[0].offset, 30u + 1 + 20);
  EXPECT_THAT(RefusalOf(archive(5, 0)),
              HasSubstr("differs from the directory"));
  EXPECT_THAT(RefusalOf(archive(0, UINT64_MAX)), HasSubstr("is compressed"));
}

TEST(ZipDirectoryTest, EachBrokenRuleIsNamed) {
  const std::string good = TwoFiles();
  const std::string wide = WithZip64(good);
  const size_t end = good.size() - 22;
  const size_t first = DirectoryOf(good), second = SecondOf(good);
  const size_t local = good.find("PK\x03\x04", 1);  // of the second entry
  const std::pair<std::string, std::string> kBad[] = {
      // The end
      {good.substr(0, good.size() - 1), "no end record at the end of the file"},
      {good + "x", "no end record"},
      {"PK", "no end record"},
      {Replaced(good, end + 20, Number(1, 2)), "no end record"},
      {Replaced(good, end + 4, Number(1, 2)), "several disks; allowed is one"},
      {Replaced(good, end + 8, Number(1, 2)), "several disks"},
      {Replaced(good, end + 16, Number(first + 1, 4)), "does not end at byte"},
      {Replaced(good, end + 12, Number(0xffffffff, 4)), "does not end at byte"},
      {Replaced(good, end + 8, Number(3, 2) + Number(3, 2)),
       absl::StrCat("the directory is malformed at byte ", end)},
      {Replaced(good, end + 8, Number(1, 2) + Number(1, 2)),
       absl::StrCat("the directory is malformed at byte ", second)},
      {WithZip64(good, 3), "the end record and the ZIP64 record differ"},
      {WithZip64(good, 2, /*disk=*/1), "the ZIP64 record at byte"},
      {WithZip64(good, 2, 0, /*moved=*/1), "the ZIP64 record at byte"},
      {Replaced(wide, end + 4, Number(45, 8)), "is malformed"},
      {WithZip64(Replaced(good, end + 8, Number(0xffff, 2) + Number(0xffff, 2)),
                 1 << 20),
       "the directory has 1048576 entries"},
      // The directory
      {Replaced(good, second, "PK\x01\x03"), "malformed at byte"},
      {Replaced(good, second + 28, Number(0xffff, 2)), "malformed at byte"},
      {Replaced(good, second + 30, Number(1, 2)), "malformed at byte"},
      {Replaced(good, second + 32, Number(1, 2)), "malformed at byte"},
      {Replaced(good, second + 24, Number(0xffffffff, 4)), "malformed at byte"},
      {Replaced(good, first + 10, Number(8, 2)),
       "entry \"d/a\" is compressed (method 8, 5 of 5 bytes)"},
      {Replaced(good, first + 20, Number(4, 4)), "(method 0, 4 of 5 bytes)"},
      {Replaced(good, first + 8, Number(0x809, 2)),
       "entry \"d/a\" has the flags 0x0809"},
      {Zip({{"d/a", "x"}, {"d/a", "x"}}), "entry \"d/a\" occurs twice"},
      // The entries
      {Replaced(good, second + 42, Number(0, 4)), "overlaps with another"},
      {Replaced(good, second + 42, Number(end, 4)), "overlaps with another"},
      {Replaced(good, second + 42, Number(local + 1, 4)), "a header that diff"},
      {Replaced(good, second + 20, Number(999, 4) + Number(999, 4)),
       "entry \"d/b\" has 999 bytes at byte"},
      {Replaced(good, local, "PK\x03\x05"), "a header that differs"},
      {Replaced(good, local + 6, Number(0, 2)), "a header that differs"},
      {Replaced(good, local + 8, Number(8, 2)), "a header that differs"},
      {Replaced(good, local + 14, Number(1, 4)), "a header that differs"},
      {Replaced(good, local + 18, Number(7, 4)), "a header that differs"},
      {Replaced(good, local + 22, Number(7, 4)), "a header that differs"},
      {Replaced(good, local + 26, Number(4, 2)), "a header that differs"},
      {Replaced(good, local + 30, "d/c"), "a header that differs"},
      {Replaced(good, local + 28, Number(0xffff, 2)),
       "reach into the directory"},
  };
  for (const auto& [bytes, message] : kBad) {
    EXPECT_THAT(RefusalOf(bytes), HasSubstr(message));
  }
}

TEST(ZipDirectoryTest, NamesArePlainPaths) {
  for (const std::string& name :
       {std::string("/etc/passwd"), std::string("../x"), std::string("d/../x"),
        std::string("d/./x"), std::string("d//x"), std::string("d/"),
        std::string(""), std::string("d\\x"), std::string("d/\n"),
        std::string("d/\xc3\xa4"), std::string("d/\0x", 4)}) {
    EXPECT_THAT(RefusalOf(Zip({{name, "x"}})),
                HasSubstr("has a name that is no plain path"))
        << name;
  }
}

}  // namespace
}  // namespace sheaf
