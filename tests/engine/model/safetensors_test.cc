// SPDX-License-Identifier: Apache-2.0

#include "engine/model/safetensors.h"

#include <unistd.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_files.h"

namespace sheaf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Two tensors and an empty one that tile 24 bytes; used as it is and broken.
constexpr absl::string_view kHeader =
    R"({"__metadata__":{"format":"pt"},)"
    R"("y":{"dtype":"F32","shape":[4],"data_offsets":[8,24]},)"
    R"("none":{"dtype":"I64","shape":[3,0],"data_offsets":[8,8]},)"
    R"("x":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}})";

std::string SmallFile() {
  return SafetensorsBytes(kHeader,
                          BytesOf<uint16_t>({0x3c00, 0xc000, 0x0001, 0x7bff}) +
                              BytesOf<float>({1.5f, -2.0f, 3.25f, 4e-40f}));
}

std::string Entry(absl::string_view name, absl::string_view dtype,
                  absl::string_view shape, absl::string_view offsets) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype, "\",\"shape\":[",
                      shape, "],\"data_offsets\":[", offsets, "]}");
}

std::string Header(const std::vector<std::string>& entries) {
  return absl::StrCat("{", absl::StrJoin(entries, ","), "}");
}

// The message with which a file of this header and `data_bytes` zeros is
// refused, without the path; "" if it opens.
std::string Refusal(absl::string_view header, size_t data_bytes) {
  TempDir dir;
  const std::string path =
      dir.Write("m", SafetensorsBytes(header, std::string(data_bytes, '\0')));
  const auto file = OpenSafetensors(path);
  if (file.ok()) return "";
  EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(file.status().message()), StartsWith(path + ": "));
  return std::string(file.status().message().substr(path.size() + 2));
}

std::vector<float> ReadAll(const TensorFile& file, absl::string_view name) {
  const TensorInfo* tensor = file.Find(name);
  if (tensor == nullptr) return {};
  std::vector<float> values(tensor->num_elements);
  const absl::Status status =
      file.ReadAsFloat(*tensor, 0, absl::MakeSpan(values));
  EXPECT_TRUE(status.ok()) << status;
  return values;
}

TEST(SafetensorsTest, ListsTensorsByName) {
  TempDir dir;
  const auto file = OpenSafetensors(dir.Write("m", SmallFile()));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->tensors()[0].name, "none");
  EXPECT_EQ(file->tensors()[1].name, "x");
  EXPECT_EQ(file->tensors()[2].name, "y");
  const TensorInfo* x = file->Find("x");
  ASSERT_EQ(x, &file->tensors()[1]);
  EXPECT_EQ(x->dtype, Dtype::kF16);
  EXPECT_THAT(x->shape, ElementsAre(2, 2));
  EXPECT_EQ(x->num_elements, 4);
  EXPECT_EQ(file->Find("z"), nullptr);
  EXPECT_EQ(file->Find(""), nullptr);
}

TEST(SafetensorsTest, ReadsAnyRangeOfATensor) {
  TempDir dir;
  const auto file = OpenSafetensors(dir.Write("m", SmallFile()));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(ReadAll(*file, "x"), ElementsAre(1, -2, 0x1p-24f, 65504));
  EXPECT_THAT(ReadAll(*file, "y"), ElementsAre(1.5, -2, 3.25, 4e-40f));
  std::vector<float> middle(2);
  ASSERT_TRUE(
      file->ReadAsFloat(*file->Find("y"), 1, absl::MakeSpan(middle)).ok());
  EXPECT_THAT(middle, ElementsAre(-2, 3.25));
}

TEST(SafetensorsTest, ReadsOutsideATensorAreRefused) {
  TempDir dir;
  const auto file = OpenSafetensors(dir.Write("m", SmallFile()));
  ASSERT_TRUE(file.ok()) << file.status();
  const TensorInfo& y = *file->Find("y");
  std::vector<float> out(2);
  EXPECT_TRUE(file->ReadAsFloat(y, 2, absl::MakeSpan(out)).ok());
  EXPECT_TRUE(file->ReadAsFloat(y, 4, {}).ok());
  for (const int64_t first : {int64_t{-1}, int64_t{3}, int64_t{5},
                              std::numeric_limits<int64_t>::max(),
                              std::numeric_limits<int64_t>::min()}) {
    EXPECT_EQ(file->ReadAsFloat(y, first, absl::MakeSpan(out)).code(),
              absl::StatusCode::kInvalidArgument)
        << first;
  }
}

TEST(SafetensorsTest, FilesOfOtherFormatsAreNamed) {
  const std::pair<std::string, std::string> kFormats[] = {
      {"PK\3\4", "a PyTorch file or another ZIP archive"},
      {"GGUF", "a GGUF file"},
      {"\x89HDF\r\n\x1a\n", "an HDF5 file"},
      {"", "is empty"}};
  for (const auto& [begin, name] : kFormats) {
    TempDir dir;
    const std::string path =
        dir.Write("m", begin.empty() ? begin : begin + std::string(100, '\1'));
    EXPECT_THAT(OpenSafetensors(path).status().message(), HasSubstr(name));
  }
}

TEST(SafetensorsTest, OnlyFloatsAreReadAsFloat) {
  TempDir dir;
  const auto file = OpenSafetensors(dir.Write("m", SmallFile()));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->ReadAsFloat(*file->Find("none"), 0, {}).message(),
              HasSubstr("tensor \"none\": dtype is I64; weights are read from "
                        "F32, F16 and BF16"));
}

TEST(SafetensorsTest, EveryHalfIsWidenedExactly) {
  std::vector<uint16_t> halves(1 << 16);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = i;
  TempDir dir;
  const auto file = OpenSafetensors(dir.Write(
      "m",
      SafetensorsBytes(Header({Entry("b", "BF16", "65536", "131072,262144"),
                               Entry("f", "F16", "65536", "0,131072")}),
                       BytesOf(halves) + BytesOf(halves))));
  ASSERT_TRUE(file.ok()) << file.status();
  const std::vector<float> f16 = ReadAll(*file, "f");
  const std::vector<float> bf16 = ReadAll(*file, "b");
  // By the definition, (-1)^s * 2^(e - bias) * 1.f, in double.
  const auto expected = [](uint32_t bits, int exponent_bits,
                           int fraction_bits) -> double {
    const double sign = bits >> 15 ? -1 : 1;
    const int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
    const double fraction =
        std::ldexp(bits & ((1 << fraction_bits) - 1), -fraction_bits);
    const int bias = (1 << (exponent_bits - 1)) - 1;
    if (exponent == 2 * bias + 1) {
      return fraction == 0 ? sign * INFINITY : std::nan("");
    }
    if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias);
    return sign * std::ldexp(1 + fraction, exponent - bias);
  };
  for (uint32_t bits = 0; bits < halves.size(); ++bits) {
    const double half = expected(bits, 5, 10), brain = expected(bits, 8, 7);
    if (std::isnan(half)) {
      EXPECT_TRUE(std::isnan(f16[bits])) << bits;
    } else {
      EXPECT_EQ(f16[bits], half) << bits;
      EXPECT_EQ(std::signbit(f16[bits]), std::signbit(half)) << bits;
    }
    if (std::isnan(brain)) {
      EXPECT_TRUE(std::isnan(bf16[bits])) << bits;
    } else {
      EXPECT_EQ(bf16[bits], brain) << bits;
      EXPECT_EQ(std::signbit(bf16[bits]), std::signbit(brain)) << bits;
    }
  }
}

TEST(SafetensorsTest, LongTensorsAreReadWholeAcrossChunks) {
  std::vector<float> values(200'001);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  TempDir dir;
  const auto file = OpenSafetensors(dir.Write(
      "m", SafetensorsBytes(Header({Entry("t", "F32", "200001", "0,800004")}),
                            BytesOf(values))));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(ReadAll(*file, "t"), values);
}

TEST(SafetensorsTest, WhatTheFormatAllowsOpens) {
  EXPECT_EQ(Refusal("{}", 0), "");
  EXPECT_EQ(Refusal("{}  \n ", 0), "");
  EXPECT_EQ(Refusal(R"({"__metadata__":{}})", 0), "");
  EXPECT_EQ(Refusal(Header({Entry("s", "F32", "", "0,4")}), 4), "");
  EXPECT_EQ(Refusal(Header({Entry("\\u00fc", "U8", "1", "0,1")}), 1), "");
  EXPECT_EQ(Refusal(Header({Entry("t", "U8", "1,1,1,1,1,1,1,1", "0,1")}), 1),
            "");
  EXPECT_EQ(Refusal(Header({Entry("e", "U8", "0", "0,0"),
                            Entry("t", "U8", "1", "0,1"),
                            Entry("f", "U8", "0", "1,1")}),
                    1),
            "");
}

TEST(SafetensorsTest, EachDtypeHasItsSizeAndName) {
  const std::pair<std::string, int> kSizes[] = {
      {"BOOL", 1}, {"U8", 1},      {"I8", 1},      {"F8_E4M3", 1}, {"I16", 2},
      {"U16", 2},  {"F8_E5M2", 1}, {"F8_E8M0", 1}, {"F16", 2},     {"BF16", 2},
      {"I32", 4},  {"U32", 4},     {"F32", 4},     {"I64", 8},     {"U64", 8},
      {"F64", 8},  {"C64", 8}};
  for (const auto& [name, bytes] : kSizes) {
    TempDir dir;
    const auto file = OpenSafetensors(dir.Write(
        "m", SafetensorsBytes(
                 Header({Entry("t", name, "1", absl::StrCat("0,", bytes))}),
                 std::string(bytes, '\0'))));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(DtypeName(file->tensors()[0].dtype), name);
  }
}

struct BadHeader {
  std::string header;
  size_t data_bytes;
  std::string message;
};

TEST(SafetensorsTest, EachBrokenRuleIsNamed) {
  const std::string t = "tensor \"t\": ";
  const std::string x = Entry("x", "U8", "4", "0,4");
  const auto one = [](absl::string_view dtype, absl::string_view shape,
                      absl::string_view offsets) {
    return Header({Entry("t", dtype, shape, offsets)});
  };
  const auto raw = [](absl::string_view value) {
    return absl::StrCat("{\"t\":", value, "}");
  };
  const std::vector<BadHeader> kBad = {
      // JSON
      {"", 0, "not valid JSON"},
      {"{", 0, "not valid JSON"},
      {"{}x", 0, "not valid JSON at its byte 3"},
      {"{}{}", 0, "not valid JSON"},
      {std::string("{}\0", 3), 0, "header: byte 2 is NUL"},
      {"\xEF\xBB\xBF{}", 0, "byte order mark"},
      {Header({Entry("\xff", "U8", "1", "0,1")}), 1, "not valid JSON"},
      {std::string(100'000, '['), 0, "header must be an object"},
      {"[]", 0, "header must be an object, but is an array"},
      {"7", 0, "header must be an object, but is 7"},
      // Values of the wrong kind
      {raw("1"), 0, t + "must be an object, but is 1"},
      {raw("null"), 0, t + "must be an object, but is null"},
      {raw("[]"), 0, t + "must be an object, but is an array"},
      {raw(R"({"dtype":4})"), 0, t + "dtype must be a string, but is 4"},
      {raw(R"({"dtype":{}})"), 0, t + "dtype must be a string, but is an obj"},
      {raw(R"({"shape":"4"})"), 0, t + "shape must be an array, but is \"4\""},
      {raw(R"({"shape":[[4]]})"), 0, t + "shape must hold unsigned"},
      {raw(R"({"shape":[true]})"), 0, t + "shape must hold unsigned"},
      {raw(R"({"data_offsets":4})"), 0, t + "data_offsets must be an array"},
      {one("U8", "-4", "0,4"), 4, t + "shape must hold unsigned 64-bit"},
      {one("U8", "4.0", "0,4"), 4, "but has \"4.0\""},
      {one("U8", "4", "0,-1"), 4, t + "data_offsets must hold unsigned"},
      {one("U8", "4", "0,4e0"), 4, t + "data_offsets must hold unsigned"},
      {one("U8", "4", "0,18446744073709551616"), 4,
       t + "data_offsets must hold unsigned 64-bit integers"},
      {R"({"__metadata__":{"a":1}})", 0, "__metadata__ must hold strings"},
      {R"({"__metadata__":{"a":{}}})", 0, "__metadata__ must hold strings"},
      {R"({"__metadata__":[]})", 0, "\"__metadata__\": must be an object"},
      {R"({"__metadata__":null})", 0, "\"__metadata__\": must be an object"},
      // Keys
      {Header({x, x}), 4, "key \"x\" occurs twice"},
      {R"({"__metadata__":{},"__metadata__":{}})", 0, "occurs twice"},
      {R"({"__metadata__":{"a":"b","a":"b"}})", 0, "key \"a\" occurs twice"},
      {raw(R"({"dtype":"U8","dtype":"U8"})"), 0,
       t + "key \"dtype\" occurs twice"},
      {raw(R"({"shape":[],"shape":[]})"), 0, t + "key \"shape\" occurs twice"},
      {raw(R"({"data_offsets":[],"data_offsets":[]})"), 0, "occurs twice"},
      {raw(R"({"extra":1})"), 0, t + "key \"extra\" is none of"},
      {raw("{}"), 0, t + "dtype is missing"},
      {raw(R"({"dtype":"U8","data_offsets":[0,1]})"), 1,
       t + "shape is missing"},
      {raw(R"({"dtype":"U8","shape":[1]})"), 1, t + "data_offsets is missing"},
      // One tensor
      {one("F4", "4", "0,2"), 2, t + "dtype is \"F4\"; allowed are BOOL, U8"},
      {one("f32", "1", "0,4"), 4, t + "dtype is \"f32\""},
      {one("U8", "1,1,1,1,1,1,1,1,1", "0,1"), 1, "more than 8 dimensions"},
      {one("U8", "4", "0"), 4, t + "data_offsets has fewer than 2"},
      {one("U8", "4", "0,4,4"), 4, t + "data_offsets has more than 2"},
      {one("U8", "4", "4,0"), 4, t + "data_offsets [4, 0] end before"},
      {one("F32", "3", "0,8"), 8,
       t + "data_offsets [0, 8] hold 8 bytes; shape [3] of F32 needs 12"},
      {one("F16", "", "0,4"), 4, "shape [] of F16 needs 2"},
      {one("U8", "4", "0,18446744073709551615"), 4, "needs 4"},
      {one("U8", "18446744073709551615", "0,1"), 1, "shape has dimension 18"},
      {one("U8", "4294967296,4294967296", "0,0"), 0, "more bytes than 63 bits"},
      {one("F32", "4611686018427387904", "0,0"), 0, "more bytes than 63 bits"},
      {one("U8", "4294967296,4294967296,0", "0,0"), 0, "more bytes than"},
      // Tiling
      {one("U8", "8", "0,8"), 4, t + "data_offsets [0, 8] reach beyond"},
      {one("U8", "0", "9,9"), 4, t + "data_offsets [9, 9] reach beyond"},
      {Header({x, Entry("t", "U8", "4", "3,7")}), 7,
       t + "data_offsets [3, 7] overlap with \"x\", [0, 4]"},
      {Header({x, Entry("t", "U8", "4", "0,4")}), 4, "overlap with"},
      {Header({x, Entry("t", "U8", "0", "2,2")}), 4,
       t + "data_offsets [2, 2] overlap with \"x\""},
      {Header({x, Entry("t", "U8", "2", "5,7")}), 7,
       t + "data_offsets [5, 7] leave a hole from byte 4"},
      {one("U8", "2", "2,4"), 4, "leave a hole from byte 0"},
      {Header({x}), 5, "the data has 5 bytes, but its tensors end at byte 4"},
      {"{}", 1, "the data has 1 bytes, but its tensors end at byte 0"},
  };
  for (const BadHeader& bad : kBad) {
    EXPECT_THAT(Refusal(bad.header, bad.data_bytes), HasSubstr(bad.message))
        << bad.header.substr(0, 200);
  }
}

TEST(SafetensorsTest, AHeaderLengthPastTheLimitOrTheFileIsRefused) {
  TempDir dir;
  for (const uint64_t length :
       {uint64_t{3}, uint64_t{8'388'609}, UINT64_MAX, UINT64_MAX - 7}) {
    const auto file =
        OpenSafetensors(dir.Write("m", SafetensorsBytes(length, "{}", "")));
    EXPECT_THAT(file.status().message(),
                HasSubstr(absl::StrCat("header of ", length, " bytes")));
  }
  // The limit holds where the file is long enough, too.
  const std::string path =
      dir.Write("m", SafetensorsBytes(8'388'609, "{}", ""));
  ASSERT_EQ(truncate(path.c_str(), 200'000'000), 0);
  EXPECT_THAT(OpenSafetensors(path).status().message(),
              HasSubstr("at most 8388608 are allowed"));
}

TEST(SafetensorsTest, AFileThatShrinksIsDataLoss) {
  TempDir dir;
  const std::string path = dir.Write("m", SmallFile());
  const auto file = OpenSafetensors(path);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(truncate(path.c_str(), SmallFile().size() - 1), 0);
  std::vector<float> out(4);
  EXPECT_TRUE(file->ReadAsFloat(*file->Find("x"), 0, absl::MakeSpan(out)).ok());
  EXPECT_EQ(file->ReadAsFloat(*file->Find("y"), 0, absl::MakeSpan(out)).code(),
            absl::StatusCode::kDataLoss);
}

TEST(SafetensorsTest, WhatIsNoFileDoesNotOpen) {
  TempDir dir;
  EXPECT_EQ(OpenSafetensors(dir.PathOf("m")).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(OpenSafetensors(dir.path()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(SafetensorsTest, NoTruncatedFileOpens) {
  TempDir dir;
  const std::string bytes = SmallFile();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(OpenSafetensors(dir.Write("m", bytes.substr(0, size))).ok())
        << size;
  }
  EXPECT_TRUE(OpenSafetensors(dir.Write("m", bytes)).ok());
}

// Whatever the header says: it is refused, or each tensor can be read.
TEST(SafetensorsTest, ChangedBytesNeverCrashNorPromiseWhatIsNotThere) {
  TempDir dir;
  std::mt19937 random(20240807);
  const std::string good = SmallFile();
  const std::string kUseful = "{}[]\",:0123456789-e.\\ \xff";
  int num_opened = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string bytes = good;
    for (uint32_t n = random() % 4 + 1; n > 0; --n) {
      const size_t place = random() % (8 + kHeader.size());
      bytes[place] = random() % 2 == 0 ? static_cast<char>(random())
                                       : kUseful[random() % kUseful.size()];
    }
    const auto file = OpenSafetensors(dir.Write("m", bytes));
    if (!file.ok()) continue;
    ++num_opened;
    for (const TensorInfo& tensor : file->tensors()) {
      ASSERT_LE(tensor.num_elements, 24);
      std::vector<float> out(tensor.num_elements);
      const absl::Status status =
          file->ReadAsFloat(tensor, 0, absl::MakeSpan(out));
      EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
    }
  }
  EXPECT_GT(num_opened, 50);  // a changed name, say: else it tests too little
}

}  // namespace
}  // namespace sheaf
