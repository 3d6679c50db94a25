// SPDX-License-Identifier: Apache-2.0

#include "engine/model/torch_file.h"

#include <filesystem>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"
#include "tests/support/torch_bytes.h"
#include "tests/support/torch_refusal.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace torch_bytes;  // NOLINT: the parts of the files below

// The files that PyTorch wrote (torch_files/README.md).
std::vector<std::string> SavedFiles() {
  std::vector<std::string> paths;
  for (const char* version : {"1.13.1", "2.15.0"}) {
    for (const char* format : {"zip", "old"}) {
      paths.push_back(absl::StrCat(SHEAF_TORCH_FILES_DIR, "/", version, "/",
                                   format, ".bin"));
    }
  }
  return paths;
}

std::vector<float> ReadAll(const TensorFile& file, absl::string_view name) {
  const TensorInfo* tensor = file.Find(name);
  EXPECT_NE(tensor, nullptr) << name;
  if (tensor == nullptr) return {};
  std::vector<float> values(tensor->num_elements);
  const absl::Status status =
      file.ReadAsFloat(*tensor, 0, absl::MakeSpan(values));
  EXPECT_TRUE(status.ok()) << status;
  return values;
}

absl::StatusOr<TensorFile> OpenBytes(const std::string& bytes) {
  const TempDir dir;
  return OpenTorchFile(dir.Write("m.bin", bytes));
}

TEST(TorchFileTest, EveryFormatGivesTheTensors) {
  for (const std::string& path : SavedFiles()) {
    SCOPED_TRACE(path);
    const auto file = OpenTorchFile(path);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->tensors().size(), 17u);
    const auto shape = [&](absl::string_view name) {
      return file->Find(name)->shape;
    };
    EXPECT_THAT(ReadAll(*file, "table"),
                ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
    EXPECT_THAT(shape("table"), ElementsAre(3, 4));
    EXPECT_EQ(ReadAll(*file, "tied"), ReadAll(*file, "table"));
    EXPECT_EQ(file->Find("tied")->offset, file->Find("table")->offset);
    EXPECT_THAT(ReadAll(*file, "transposed"),
                ElementsAre(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11));
    EXPECT_THAT(shape("transposed"), ElementsAre(4, 3));
    // Parts of a matrix [5, 6] of 0, 1, 2, ...
    EXPECT_THAT(ReadAll(*file, "slice"), ElementsAre(8, 9, 10, 14, 15, 16));
    EXPECT_THAT(ReadAll(*file, "rows"),
                ElementsAre(12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23));
    EXPECT_THAT(ReadAll(*file, "column"), ElementsAre(1, 7, 13, 19, 25));
    EXPECT_THAT(ReadAll(*file, "every_other"),
                ElementsAre(0, 3, 12, 15, 24, 27));
    EXPECT_THAT(ReadAll(*file, "one_row"), ElementsAre(18, 19, 20, 21, 22, 23));
    EXPECT_THAT(shape("one_row"), ElementsAre(6, 1));
    for (const char* in_order : {"table", "rows", "one_row", "scalar"}) {
      EXPECT_THAT(file->Find(in_order)->strides, IsEmpty()) << in_order;
    }
    // [2, 3, 4] with its last dimension put first.
    EXPECT_THAT(ReadAll(*file, "permuted"),
                ElementsAre(0, 4, 8, 12, 16, 20, 1, 5, 9, 13, 17, 21,  //
                            2, 6, 10, 14, 18, 22, 3, 7, 11, 15, 19, 23));
    EXPECT_THAT(shape("permuted"), ElementsAre(4, 2, 3));
    EXPECT_THAT(ReadAll(*file, "scalar"), ElementsAre(7.5));
    EXPECT_THAT(shape("scalar"), IsEmpty());
    EXPECT_THAT(shape("empty"), ElementsAre(0, 3));
    EXPECT_THAT(ReadAll(*file, "half"),
                ElementsAre(0, 0.25, 0.5, 0.75, 1, 1.25));
    EXPECT_THAT(ReadAll(*file, "brain"),
                ElementsAre(0, -0.5, -1, -1.5, -2, -2.5));
    EXPECT_THAT(ReadAll(*file, "parameter"), ElementsAre(0.5, -0.5));
  }
}

TEST(TorchFileTest, TypesThatAreNotReadAreListed) {
  for (const std::string& path : SavedFiles()) {
    const auto file = OpenTorchFile(path);
    ASSERT_TRUE(file.ok()) << file.status();
    const std::pair<std::string, Dtype> kTypes[] = {
        {"double", Dtype::kF64}, {"ids", Dtype::kI64}, {"flags", Dtype::kBool}};
    for (const auto& [name, dtype] : kTypes) {
      ASSERT_NE(file->Find(name), nullptr) << name;
      EXPECT_EQ(file->Find(name)->dtype, dtype);
      EXPECT_THAT(file->ReadAsFloat(*file->Find(name), 0, {}).message(),
                  HasSubstr(absl::StrCat("tensor \"", name, "\": dtype is ",
                                         DtypeName(dtype))));
    }
    std::string bytes;
    ASSERT_TRUE(file->ReadBytes(*file->Find("ids"),
                                [&](absl::Span<const uint8_t> some) {
                                  bytes.append(some.begin(), some.end());
                                })
                    .ok());
    EXPECT_EQ(bytes, BytesOf<int64_t>({0, 1, 2, 3, 4}));
  }
}

// Any range of any view, compared with the elements that its definition names.
TEST(TorchFileTest, EveryRangeOfAViewIsRead) {
  struct View {
    int64_t offset;
    std::vector<int64_t> shape, strides;
  };
  std::vector<float> storage(120);
  for (size_t i = 0; i < storage.size(); ++i) storage[i] = i;
  for (const View& view : std::vector<View>{{0, {10, 12}, {12, 1}},
                                            {0, {12, 10}, {1, 12}},
                                            {3, {4, 5}, {2, 13}},
                                            {7, {5, 4}, {20, 3}},
                                            {2, {3, 3}, {1, 1}},
                                            {1, {2, 3, 4}, {3, 40, 8}},
                                            {0, {2, 3, 2, 2}, {60, 1, 10, 3}},
                                            {5, {9}, {11}},
                                            {0, {1, 7}, {0, 9}},
                                            {0, {7, 1}, {9, 0}}}) {
    int64_t size = 1;
    for (const int64_t n : view.shape) size *= n;
    std::vector<float> expected;
    for (int64_t i = 0; i < size; ++i) {
      int64_t at = view.offset, rest = i;
      for (size_t d = view.shape.size(); d-- > 0;) {
        at += rest % view.shape[d] * view.strides[d];
        rest /= view.shape[d];
      }
      expected.push_back(storage[at]);
    }
    const TempDir dir;
    const auto file = OpenTorchFile(dir.Write(
        "m.bin",
        ZipFormat(OneTensor(Tensor(Storage({.num_elements = 120}), view.offset,
                                   view.shape, view.strides)),
                  BytesOf(storage))));
    ASSERT_TRUE(file.ok()) << file.status();
    const TensorInfo& tensor = *file->Find("t");
    for (int64_t first = 0; first <= size; ++first) {
      for (int64_t count = 0; count <= size - first; ++count) {
        std::vector<float> out(count);
        ASSERT_TRUE(file->ReadAsFloat(tensor, first, absl::MakeSpan(out)).ok());
        ASSERT_EQ(out, std::vector<float>(expected.begin() + first,
                                          expected.begin() + first + count));
      }
    }
  }
}

// More elements than are read at once.
TEST(TorchFileTest, ALongTransposedTensorIsReadWhole) {
  constexpr int64_t kRows = 1900, kCols = 301;
  std::vector<float> storage(kRows * kCols);
  for (size_t i = 0; i < storage.size(); ++i) storage[i] = i;
  const TempDir dir;
  const auto file = OpenTorchFile(dir.Write(
      "m.bin",
      ZipFormat(OneTensor(Tensor(Storage({.num_elements = kRows * kCols}), 0,
                                 {kRows, kCols}, {1, kRows})),
                BytesOf(storage))));
  ASSERT_TRUE(file.ok()) << file.status();
  const std::vector<float> values = ReadAll(*file, "t");
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t col = 0; col < kCols; ++col) {
      ASSERT_EQ(values[row * kCols + col], col * kRows + row);
    }
  }
}

TEST(TorchFileTest, WhatPython2WroteIsRead) {
  const auto str = [](absl::string_view text) {
    return absl::StrCat("U", Number(text.size(), 1), text);
  };
  const std::string storage =
      Tuple({str("storage"), Global("torch", "FloatStorage"), str("0"),
             str("cuda:0"), "\x8a\x01\x06", None()}) +
      "Q";
  const std::string dict =
      Call(Global("collections", "OrderedDict"),
           "](](" + str("t") + Tensor(storage, 0, {2, 3}, {3, 1}) + "ee\x85") +
      Dict({str("_metadata"), Dict({})}) + "b";
  const auto file = OpenBytes(OldFormat(Pickle(dict), 6, SixFloats()));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(ReadAll(*file, "t"), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(TorchFileTest, ADictOfEitherClassIsRead) {
  const std::string tensor = Tensor(Storage({}), 0, {6}, {1});
  for (const std::string& dict :
       {Dict({Str("t"), tensor}), OrderedDict({Str("t"), tensor}),
        OrderedDict(
            {Str("t"), Call(Global("torch._utils", "_rebuild_parameter"),
                            Tuple({tensor, Bool(true), OrderedDict({})}))})}) {
    EXPECT_EQ(RefusalOf(ZipFormat(Pickle(dict), SixFloats())), "");
  }
  EXPECT_EQ(
      RefusalOf(Zip({{"m/data.pkl", Pickle(Dict({}))}, {"m/version", "3\n"}})),
      "");
}

struct Bad {
  std::string what;
  std::string message;
};

TEST(TorchFileTest, EachArchiveOfAnotherKindIsRefused) {
  const std::string pickle = OneTensor(Tensor(Storage({}), 0, {6}, {1}));
  const Entry dict = {"m/data.pkl", pickle};
  const Entry floats = {"m/data/0", SixFloats()};
  const Entry version = {"m/version", "3\n"};
  EXPECT_EQ(RefusalOf(Zip({dict, floats, version})), "");
  const std::pair<std::vector<Entry>, std::string> kBad[] = {
      {{floats, version}, "entry \"data.pkl\" is missing"},
      {{dict, version}, "entry \"data/0\" is missing"},
      {{dict, floats}, "entry \"version\" is missing"},
      {{dict, floats, {"m/version", "4\n"}},
       "\"version\" is \"4\\n\"; allowed"},
      {{dict, floats, version, {"m/byteorder", "big"}},
       "entry \"byteorder\" is \"big\"; allowed is \"little\""},
      {{dict, version, {"m/data/0", SixFloats() + "x"}},
       "entry \"data/0\" has 25 bytes; the pickle says that it has 6 elements "
       "of F32, which take 24"},
      {{dict, floats, version, {"m/data/1", "x"}},
       "entry \"data/1\" is the storage of no tensor"},
      {{dict, floats, version, {"n/data/1", "x"}},
       "\"n/data/1\" is not in the folder of the others"},
      {{dict, floats, version, {"readme", "x"}},
       "\"readme\" is not in the folder of the others"},
      {{dict, floats, version, {"m/constants.pkl", "x"}},
       "is part of a TorchScript model; needed is a state dict"},
      {{dict, floats, version, {"m/code/m.py", "x"}}, "TorchScript"},
      {{dict, floats, version, {"m/readme", "x"}},
       "entry \"m/readme\" is none that torch.save writes"},
      {{dict, floats, floats, version}, "entry \"m/data/0\" occurs twice"},
      {{dict, floats, version, {"m/data/../x", "x"}}, "is no plain path"},
  };
  for (const auto& [entries, message] : kBad) {
    EXPECT_THAT(RefusalOf(Zip(entries)), HasSubstr(message));
  }
}

TEST(TorchFileTest, APickleWithAnotherCrcIsRefused) {
  std::string bytes =
      ZipFormat(OneTensor(Tensor(Storage({}), 0, {6}, {1})), SixFloats());
  const size_t name = bytes.find(Str("t"));
  bytes[name + 5] = 'u';
  EXPECT_THAT(RefusalOf(bytes),
              HasSubstr("entry \"m/data.pkl\" has another CRC"));
}

TEST(TorchFileTest, EachBrokenOldFileIsRefused) {
  const std::string dict =
      OneTensor(Tensor(Storage({.view = None()}), 0, {6}, {1}));
  const std::string good = OldFormat(dict, 6, SixFloats());
  EXPECT_EQ(RefusalOf(good), "");
  const std::string magic =
      Pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");
  const std::string version = Pickle(Int(1001));
  const std::string preamble = OldPreamble();
  const auto big_endian = Pickle(Dict({Str("little_endian"), Bool(false)}));
  const std::string six = Number(6, 8) + SixFloats();
  const std::string two =
      Pickle(OrderedDict({Str("s"), Tensor(Storage({}), 0, {6}, {1}), Str("t"),
                          Tensor(Storage({.key = "1"}), 0, {6}, {1})}));
  const Bad kBad[] = {
      {Pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x18") + version,
       "it is not torch.save's magic number"},
      {magic + Pickle(Int(1000)), "the version of the format is not 1001"},
      {magic + version + big_endian,
       "it does not say that the machine is little-endian"},
      {magic + version + Pickle(Dict({})), "it does not say that the machine"},
      {magic + version + Pickle(Int(1)), "it does not say that the machine"},
      {preamble + dict + Pickle(Int(1)) + six,
       "it is not the list of the 1 storages"},
      {preamble + dict + Pickle(List({})) + six, "the list of the 1 storages"},
      {preamble + dict + Pickle(List({Str("1")})) + six,
       "storage \"1\" is listed twice or belongs to no tensor"},
      {preamble + dict + Pickle(List({Int(0)})) + six, "belongs to no tensor"},
      {preamble + two + Pickle(List({Str("0"), Str("0")})) + six + six,
       "storage \"0\" is listed twice"},
      {OldFormat(dict, 5, SixFloats()),
       "has 5 elements; the pickle says 6 of F32, and 24 bytes of the file are "
       "left"},
      {OldFormat(dict, 6, SixFloats().substr(1)), "23 bytes of the file are"},
      {good + "x", "the storages end at byte"},
  };
  for (const Bad& bad : kBad) {
    EXPECT_THAT(RefusalOf(bad.what), HasSubstr(bad.message));
  }
}

TEST(TorchFileTest, WhatIsNeitherFormatIsNamed) {
  EXPECT_THAT(RefusalOf(""), HasSubstr("is empty"));
  for (const std::string& bytes :
       {std::string("P"), std::string(100, 'x'), std::string("\x80\x02}q.")}) {
    EXPECT_THAT(RefusalOf(bytes),
                HasSubstr("begins neither as a ZIP archive nor as the older"));
  }
}

// A file that did not exist before. Writing over one again and again waits for
// the disk.
std::string WriteAnew(const TempDir& dir, absl::string_view bytes) {
  std::filesystem::remove(dir.PathOf("m.bin"));
  return dir.Write("m.bin", bytes);
}

TEST(TorchFileTest, NoTruncatedFileOpens) {
  const TempDir dir;
  for (const std::string& path : SavedFiles()) {
    const std::string bytes = FileBytes(path);
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(OpenTorchFile(WriteAnew(dir, bytes.substr(0, size))).ok())
          << path << " " << size;
    }
  }
}

// The bytes of the ZIP format's pickle, with the CRC made right again, so that
// changes of the pickle are seen by what reads it.
void RepairCrc(std::string& bytes) {
  const size_t begin = bytes.find("\x80\x02");
  const size_t end = bytes.find("PK\x07\x08", begin);
  const size_t entry = bytes.find("PK\x01\x02");
  if (end == std::string::npos || entry == std::string::npos) return;
  const std::string crc =
      Number(crc32(0, reinterpret_cast<const Bytef*>(bytes.data() + begin),
                   end - begin),
             4);
  bytes.replace(entry + 16, 4, crc);
}

// Whatever the file says: it is refused, or each tensor can be read.
TEST(TorchFileTest, ChangedBytesNeverCrashNorPromiseWhatIsNotThere) {
  const TempDir dir;
  std::mt19937 random(20261128);
  constexpr absl::string_view kUseful =
      absl::string_view("\0\1\2\3\xff\x7f\x80()tRcqhKMJX}]uesbQN.\x85\x86", 29);
  for (const std::string& path : SavedFiles()) {
    const std::string good = FileBytes(path);
    int num_opened = 0;
    for (int i = 0; i < 4000; ++i) {
      std::string bytes = good;
      for (uint32_t n = random() % 4 + 1; n > 0; --n) {
        const size_t place = random() % bytes.size();
        bytes[place] = random() % 2 == 0 ? static_cast<char>(random())
                                         : kUseful[random() % kUseful.size()];
        if (random() % 16 == 0) bytes.erase(place, random() % 8);
        if (random() % 16 == 0) {
          bytes.insert(place, bytes, random() % bytes.size(), random() % 64);
        }
      }
      if (absl::EndsWith(path, "zip.bin")) RepairCrc(bytes);
      const auto file = OpenTorchFile(WriteAnew(dir, bytes));
      if (!file.ok()) continue;
      ++num_opened;
      for (const TensorInfo& tensor : file->tensors()) {
        ASSERT_LE(tensor.num_bytes(), bytes.size());
        std::vector<float> out(tensor.num_elements);
        const absl::Status status =
            file->ReadAsFloat(tensor, 0, absl::MakeSpan(out));
        EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
        EXPECT_TRUE(file->ReadBytes(tensor, [](auto) {}).ok());
      }
    }
    EXPECT_GT(num_opened, 50) << path;  // a changed weight, say
  }
}

}  // namespace
}  // namespace sheaf
