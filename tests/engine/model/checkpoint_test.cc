// SPDX-License-Identifier: Apache-2.0

#include "engine/model/checkpoint.h"

#include <bit>
#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/model/description.h"
#include "engine/model/tensor_list.h"
#include "engine/model/tensor_match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/model_files.h"
#include "tests/support/torch_bytes.h"

namespace sheaf {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kIndex[] = "model.safetensors.index.json";

// A shard of F32 tensors, each [2, 2] with elements 0, 1, 2, 3.
std::string Shard(const std::vector<std::string>& names) {
  json header = json::object();
  std::string data;
  for (const std::string& name : names) {
    const size_t begin = data.size();
    data += BytesOf<float>({0, 1, 2, 3});
    header[name] = {{"dtype", "F32"},
                    {"shape", {2, 2}},
                    {"data_offsets", {begin, data.size()}}};
  }
  return SafetensorsBytes(header.dump(), data);
}

absl::StatusOr<Checkpoint> OpenSharded(
    const std::string& index,
    const std::vector<std::pair<std::string, std::vector<std::string>>>&
        shards) {
  TempDir dir;
  dir.Write(kIndex, index);
  for (const auto& [file, names] : shards) dir.Write(file, Shard(names));
  return Checkpoint::Open(dir.path());
}

// The tensors of a fixture's file, from its bytes by another way than the
// reader's: the library's tree of the header, and arithmetic for the values.
std::vector<std::pair<std::string, std::vector<float>>> DecodeFile(
    const std::string& path) {
  const std::string bytes = FileBytes(path);
  uint64_t header_bytes = 0;
  for (int i = 7; i >= 0; --i) {
    header_bytes = header_bytes * 256 + static_cast<uint8_t>(bytes[i]);
  }
  const json header = json::parse(bytes.substr(8, header_bytes));
  const std::string data = bytes.substr(8 + header_bytes);
  std::vector<std::pair<std::string, std::vector<float>>> tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    std::vector<float> values;
    const size_t end = entry["data_offsets"][1];
    for (size_t i = entry["data_offsets"][0]; i < end;) {
      const auto byte = [&](size_t at) -> uint32_t {
        return static_cast<uint8_t>(data[at]);
      };
      if (entry["dtype"] == "F32") {
        values.push_back(std::bit_cast<float>(byte(i) | byte(i + 1) << 8 |
                                              byte(i + 2) << 16 |
                                              byte(i + 3) << 24));
        i += 4;
        continue;
      }
      const uint32_t half = byte(i) | byte(i + 1) << 8;
      i += 2;
      if (entry["dtype"] == "BF16") {
        values.push_back(std::bit_cast<float>(half << 16));
        continue;
      }
      const int exponent = half >> 10 & 31;
      const int fraction = half & 1023;
      const double magnitude = exponent == 0
                                   ? std::ldexp(fraction, -24)
                                   : std::ldexp(1024 + fraction, exponent - 25);
      values.push_back(half >> 15 ? -magnitude : magnitude);
    }
    tensors.emplace_back(name, std::move(values));
  }
  return tensors;
}

TEST(CheckpointTest, EveryFixtureGivesItsValues) {
  size_t num_files = 0;
  for (const std::string& model : TestdataModels()) {
    SCOPED_TRACE(model);
    const auto checkpoint = Checkpoint::Open(TestdataDir(model));
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    for (const TensorFile& file : checkpoint->files()) {
      ++num_files;
      const auto expected = DecodeFile(file.path());
      EXPECT_EQ(file.tensors().size(), expected.size());
      for (const auto& [name, values] : expected) {
        const auto shape = checkpoint->Shape(name);
        ASSERT_TRUE(shape.ok()) << shape.status();
        const int64_t rows = shape->size() == 1 ? 1 : shape->front();
        std::vector<float> out(values.size());
        const absl::Status status =
            checkpoint->ReadRows(name, 0, rows, absl::MakeSpan(out));
        ASSERT_TRUE(status.ok()) << status;
        EXPECT_EQ(out, values) << name;
      }
    }
  }
  EXPECT_EQ(num_files, TestdataModels().size() + 1);  // one is in two shards
}

TEST(CheckpointTest, HasTheParametersThatItsConfigAsksFor) {
  for (const std::string& model : TestdataModels()) {
    const auto checkpoint = Checkpoint::Open(TestdataDir(model));
    auto description = ReadDescription(TestdataDir(model));
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    ASSERT_TRUE(description.ok()) << description.status();
    ASSERT_EQ(MatchTensors(*checkpoint, *description), absl::OkStatus());
    int64_t num_parameters = 0;
    for (const auto& [place, name] : description->tensors) {
      const auto shape = checkpoint->Shape(name);
      ASSERT_TRUE(shape.ok()) << shape.status();
      int64_t num_elements = 1;
      for (const int64_t n : *shape) num_elements *= n;
      num_parameters += num_elements;
    }
    EXPECT_EQ(NumParameters(description->architecture), num_parameters)
        << model;
  }
}

TEST(CheckpointTest, ReadsRowsFromTheMiddle) {
  const auto checkpoint = Checkpoint::Open(TestdataDir("bf16-weights"));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  ASSERT_THAT(*checkpoint->Shape("shared.weight"), ElementsAre(193, 40));
  std::vector<float> all(193 * 40), middle(7 * 40);
  ASSERT_TRUE(
      checkpoint->ReadRows("shared.weight", 0, 193, absl::MakeSpan(all)).ok());
  ASSERT_TRUE(
      checkpoint->ReadRows("shared.weight", 50, 7, absl::MakeSpan(middle))
          .ok());
  EXPECT_EQ(middle, std::vector<float>(&all[50 * 40], &all[57 * 40]));
}

TEST(CheckpointTest, ReadsRowsOutsideATensorAreRefused) {
  const auto checkpoint = Checkpoint::Open(TestdataDir("bf16-weights"));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  std::vector<float> out(80);
  const auto read = [&](int64_t first_row, int64_t num_rows) {
    return checkpoint->ReadRows("shared.weight", first_row, num_rows,
                                absl::MakeSpan(out));
  };
  EXPECT_TRUE(read(191, 2).ok());
  EXPECT_THAT(
      read(192, 2).message(),
      HasSubstr("tensor \"shared.weight\": 2 rows from row 192 are asked for; "
                "shape is [193, 40]"));
  for (const int64_t row : {int64_t{-1}, int64_t{194}, INT64_MAX, INT64_MIN}) {
    EXPECT_FALSE(read(row, 2).ok()) << row;
  }
  EXPECT_FALSE(read(0, INT64_MAX).ok());
  EXPECT_FALSE(read(0, -1).ok());
  EXPECT_THAT(read(0, 3).message(),
              HasSubstr("3 rows of 40 columns are read into room for 80"));
}

TEST(CheckpointTest, AnAbsentTensorIsNotFoundByName) {
  const auto checkpoint = Checkpoint::Open(TestdataDir("sharded"));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_TRUE(checkpoint->Has("lm_head.weight"));
  EXPECT_FALSE(checkpoint->Has("lm_head.bias"));
  const absl::Status status = checkpoint->Shape("lm_head.bias").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("no tensor \"lm_head.bias\""));
  EXPECT_EQ(checkpoint->ReadRows("lm_head.bias", 0, 0, {}).code(),
            absl::StatusCode::kNotFound);
}

TEST(CheckpointTest, WeightsThatAreNotFiniteAreRefused) {
  for (const uint16_t bad : {0x7c00, 0xfc00, 0x7e01}) {  // inf, -inf, NaN
    TempDir dir;
    const std::string path = dir.Write(
        "model.safetensors",
        SafetensorsBytes(
            R"({"w":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}})",
            BytesOf<uint16_t>({0x3c00, 0x3c00, 0x3c00, bad})));
    const auto checkpoint = Checkpoint::Open(dir.path());
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    std::vector<float> out(2);
    EXPECT_TRUE(checkpoint->ReadRows("w", 0, 1, absl::MakeSpan(out)).ok());
    const absl::Status status =
        checkpoint->ReadRows("w", 1, 1, absl::MakeSpan(out));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(),
                HasSubstr(path + ": tensor \"w\": element 3 is "));
  }
}

TEST(CheckpointTest, OnlyVectorsAndMatricesHaveRows) {
  TempDir dir;
  dir.Write("model.safetensors",
            SafetensorsBytes(
                R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                R"("c":{"dtype":"F32","shape":[1,1,1],"data_offsets":[4,8]}})",
                BytesOf<float>({1, 2})));
  const auto checkpoint = Checkpoint::Open(dir.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  std::vector<float> out(1);
  EXPECT_THAT(checkpoint->ReadRows("s", 0, 1, absl::MakeSpan(out)).message(),
              HasSubstr("shape is []; weights have 1 or 2 dimensions"));
  EXPECT_FALSE(checkpoint->ReadRows("c", 0, 1, absl::MakeSpan(out)).ok());
}

TEST(CheckpointTest, ADirectoryWithoutWeightsIsNotFound) {
  TempDir dir;
  const absl::Status status = Checkpoint::Open(dir.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(),
              HasSubstr("has no weights: none of model.safetensors, "
                        "model.safetensors.index.json, pytorch_model.bin, "
                        "pytorch_model.bin.index.json"));
  EXPECT_EQ(Checkpoint::Open(dir.PathOf("absent")).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(CheckpointTest, ABrokenSingleFileIsNotPassedOver) {
  TempDir dir;
  dir.Write("model.safetensors", "short");
  dir.Write(kIndex, R"({"weight_map":{"a":"s.safetensors"}})");
  dir.Write("s.safetensors", Shard({"a"}));
  EXPECT_THAT(Checkpoint::Open(dir.path()).status().message(),
              HasSubstr("model.safetensors has 5 bytes"));
}

TEST(CheckpointTest, ShardsGiveTheirTensors) {
  const auto checkpoint = OpenSharded(
      R"({"metadata":{"total_size":48},
          "weight_map":{"a":"1.safetensors","b":"2.safetensors",
                        "c":"1.safetensors"}})",
      {{"1.safetensors", {"a", "c"}}, {"2.safetensors", {"b"}}});
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->files().size(), 2u);
  std::vector<float> out(2);
  for (const std::string name : {"a", "b", "c"}) {
    ASSERT_TRUE(checkpoint->ReadRows(name, 1, 1, absl::MakeSpan(out)).ok());
    EXPECT_THAT(out, ElementsAre(2, 3));
  }
}

TEST(CheckpointTest, AnIndexThatIsNotOneIsRefused) {
  const std::pair<std::string, std::string> kBad[] = {
      {"", "is empty"},
      {"[]", "must hold an object"},
      {"{}", "weight_map must be an object"},
      {R"({"weight_map":[]})", "weight_map must be an object"},
      {R"({"weight_map":{}})", "names 0 shards; allowed are 1..256"},
      {R"({"weight_map":{"a":1}})", "\"a\" must map to a file name"},
      {R"({"weight_map":{"a":"s.safetensors","a":"s.safetensors"}})",
       "key \"a\" occurs twice"},
  };
  for (const auto& [index, message] : kBad) {
    const auto checkpoint = OpenSharded(index, {{"s.safetensors", {"a"}}});
    EXPECT_THAT(checkpoint.status().message(), HasSubstr(message)) << index;
    EXPECT_THAT(checkpoint.status().message(), HasSubstr(kIndex)) << index;
  }
}

TEST(CheckpointTest, ShardsLieInTheDirectoryItself) {
  for (const std::string name :
       {"../s.safetensors", "/tmp/s.safetensors", "sub/s.safetensors",
        "..safetensors", ".safetensors", "..", "", "s.bin", "s\\\\.safetensors",
        "s\\u0000.safetensors"}) {
    const auto checkpoint =
        OpenSharded(absl::StrCat(R"({"weight_map":{"a":")", name, "\"}}"), {});
    EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kInvalidArgument)
        << name;
    EXPECT_THAT(checkpoint.status().message(),
                HasSubstr("in the directory itself"))
        << name;
  }
}

TEST(CheckpointTest, IndexAndShardsMustAgree) {
  const std::string index =
      R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})";
  const std::string one = "1.safetensors", two = "2.safetensors";
  const auto message = [&](const std::vector<std::string>& first,
                           const std::vector<std::string>& second) {
    return std::string(
        OpenSharded(index, {{one, first}, {two, second}}).status().message());
  };
  EXPECT_EQ(message({"a"}, {"b"}), "");
  EXPECT_THAT(message({"a"}, {"a", "b"}),
              HasSubstr("tensor \"a\" is in two shards, \"1.safetensors\" and "
                        "\"2.safetensors\""));
  EXPECT_THAT(message({"a"}, {"b", "c"}),
              HasSubstr("tensor \"c\" of shard \"2.safetensors\" is not in "
                        "weight_map"));
  EXPECT_THAT(message({"a"}, {}),
              HasSubstr("tensor \"b\" maps to \"2.safetensors\", but is in no "
                        "shard"));
  EXPECT_THAT(message({"a", "b"}, {}),
              HasSubstr("tensor \"b\" maps to \"2.safetensors\", but is in "
                        "\"1.safetensors\""));
  const auto missing = OpenSharded(index, {{one, {"a"}}});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(missing.status().message(), HasSubstr(two));
}

TEST(CheckpointTest, AnIndexMayListNamesOfASharedTensorThatNoShardHolds) {
  for (const std::string name :
       {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight",
        "lm_head.weight", "shared.weight"}) {
    const auto checkpoint =
        OpenSharded(absl::StrCat(R"({"weight_map":{"a":"1.safetensors",")",
                                 name, R"(":"1.safetensors"}})"),
                    {{"1.safetensors", {"a"}}});
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    EXPECT_FALSE(checkpoint->Has(name));
  }
}

TEST(CheckpointTest, AllShardsThatAreMissingAreNamed) {
  const auto checkpoint = OpenSharded(
      R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors",
                        "c":"3.safetensors"}})",
      {{"2.safetensors", {"b"}}});
  EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(checkpoint.status().message(),
              HasSubstr("2 of 3 shards are not in the directory: "
                        "\"1.safetensors\", \"3.safetensors\""));
}

TEST(CheckpointTest, WeightsInOtherFormatsAreNamed) {
  for (const std::string name : {"tf_model.h5", "flax_model.msgpack"}) {
    TempDir dir;
    dir.Write(name, "x");
    const absl::Status status = Checkpoint::Open(dir.path()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(status.message(), HasSubstr("but " + name));
    EXPECT_THAT(status.message(), HasSubstr("save it as safetensors"));
  }
}

// A shard in PyTorch's format, of F32 tensors as those of Shard().
std::string TorchShard(const std::vector<std::string>& names) {
  std::vector<std::string> items;
  for (const std::string& name : names) {
    items.push_back(torch_bytes::Str(name));
    items.push_back(torch_bytes::Tensor(
        torch_bytes::Storage({.num_elements = 4}), 0, {2, 2}, {2, 1}));
  }
  return torch_bytes::ZipFormat(
      torch_bytes::Pickle(torch_bytes::OrderedDict(items)),
      BytesOf<float>({0, 1, 2, 3}));
}

TEST(CheckpointTest, TorchFilesGiveTheirTensors) {
  TempDir dir;
  dir.Write("pytorch_model.bin", TorchShard({"a", "b"}));
  const auto checkpoint = Checkpoint::Open(dir.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(checkpoint->Names(), ElementsAre("a", "b"));
  std::vector<float> out(2);
  ASSERT_TRUE(checkpoint->ReadRows("b", 1, 1, absl::MakeSpan(out)).ok());
  EXPECT_THAT(out, ElementsAre(2, 3));
}

TEST(CheckpointTest, NamesOfTheSameElementsAreAliases) {
  TempDir dir;
  const std::string storage = torch_bytes::Storage({.num_elements = 4});
  const auto tensor = [&](int64_t offset, const std::vector<int64_t>& shape,
                          const std::vector<int64_t>& strides) {
    return torch_bytes::Tensor(storage, offset, shape, strides);
  };
  using torch_bytes::Str;
  dir.Write("pytorch_model.bin",
            torch_bytes::ZipFormat(
                torch_bytes::Pickle(torch_bytes::OrderedDict(
                    {Str("a"), tensor(0, {2, 2}, {2, 1}), Str("b"),
                     tensor(0, {2, 2}, {2, 1}), Str("transposed"),
                     tensor(0, {2, 2}, {1, 2}), Str("flat"),
                     tensor(0, {4}, {1}), Str("half"), tensor(0, {2}, {1}),
                     Str("rest"), tensor(2, {2}, {1})})),
                BytesOf<float>({0, 1, 2, 3})));
  const auto checkpoint = Checkpoint::Open(dir.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_TRUE(checkpoint->IsAlias("a", "b"));
  for (const char* other : {"transposed", "flat", "half", "rest", "absent"}) {
    EXPECT_FALSE(checkpoint->IsAlias("a", other)) << other;
  }
  EXPECT_FALSE(checkpoint->IsAlias("half", "rest"));
  EXPECT_FALSE(checkpoint->IsAlias("absent", "absent"));
}

TEST(CheckpointTest, TorchShardsGiveTheirTensors) {
  TempDir dir;
  dir.Write("pytorch_model.bin.index.json",
            R"({"metadata":{},"weight_map":{"a":"1.bin","b":"2.bin"}})");
  dir.Write("1.bin", TorchShard({"a"}));
  dir.Write("2.bin", TorchShard({"b"}));
  const auto checkpoint = Checkpoint::Open(dir.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(checkpoint->Names(), ElementsAre("a", "b"));
  dir.Write("2.bin", TorchShard({"c"}));
  EXPECT_THAT(
      Checkpoint::Open(dir.path()).status().message(),
      HasSubstr("tensor \"c\" of shard \"2.bin\" is not in weight_map"));
  dir.Write("pytorch_model.bin.index.json",
            R"({"weight_map":{"a":"1.safetensors"}})");
  EXPECT_THAT(Checkpoint::Open(dir.path()).status().message(),
              HasSubstr("allowed are names of .bin files in the directory"));
}

// As the reference does.
TEST(CheckpointTest, SafetensorsComeBeforeTorchFiles) {
  TempDir dir;
  dir.Write("pytorch_model.bin", "broken");
  EXPECT_THAT(Checkpoint::Open(dir.path()).status().message(),
              HasSubstr("pytorch_model.bin: it begins neither"));
  dir.Write(kIndex, R"({"weight_map":{"a":"1.safetensors"}})");
  dir.Write("1.safetensors", Shard({"a"}));
  EXPECT_TRUE(Checkpoint::Open(dir.path()).ok());
}

// The cache of the Hub has links to files that are named by their hashes.
TEST(CheckpointTest, FilesMayBeLinks) {
  for (const bool is_torch : {false, true}) {
    TempDir cache, snapshot;
    cache.Write("0a1b", is_torch ? TorchShard({"a"}) : Shard({"a"}));
    std::filesystem::create_symlink(
        cache.PathOf("0a1b"),
        snapshot.PathOf(is_torch ? "pytorch_model.bin" : "model.safetensors"));
    EXPECT_TRUE(Checkpoint::Open(snapshot.path()).ok());
    std::filesystem::remove(cache.PathOf("0a1b"));
    EXPECT_THAT(Checkpoint::Open(snapshot.path()).status().message(),
                HasSubstr("has no weights"));
  }
}

TEST(CheckpointTest, PointersOfGitLfsAreNamed) {
  for (const char* name : {"model.safetensors", "pytorch_model.bin"}) {
    TempDir dir;
    dir.Write(name,
              "version https://git-lfs.github.com/spec/v1\n"
              "oid sha256:0a1b\nsize 312087009\n");
    EXPECT_THAT(Checkpoint::Open(dir.path()).status().message(),
                HasSubstr(absl::StrCat(name, " is a Git LFS pointer")));
  }
}

// The reference loads the model that the adapter names, and the adapter.
TEST(CheckpointTest, AnAdapterIsRefused) {
  TempDir dir;
  dir.Write("model.safetensors", Shard({"a"}));
  EXPECT_TRUE(Checkpoint::Open(dir.path()).ok());
  dir.Write("adapter_config.json", "{}");
  EXPECT_THAT(Checkpoint::Open(dir.path()).status().message(),
              HasSubstr("has adapter_config.json"));
}

// As the reference does.
TEST(CheckpointTest, ASingleFileComesBeforeAnIndex) {
  TempDir dir;
  dir.Write("model.safetensors", Shard({"a"}));
  dir.Write(kIndex, R"({"weight_map":{"b":"s.safetensors"}})");
  dir.Write("s.safetensors", Shard({"b"}));
  const auto checkpoint = Checkpoint::Open(dir.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(checkpoint->Names(), ElementsAre("a"));
}

TEST(CheckpointTest, AnIndexOfTooManyShardsIsRefused) {
  json map;
  for (int i = 0; i < 257; ++i) {
    map[absl::StrCat(i)] = absl::StrCat(i, ".safetensors");
  }
  EXPECT_THAT(
      OpenSharded(json{{"weight_map", map}}.dump(), {}).status().message(),
      HasSubstr("names 257 shards; allowed are 1..256"));
}

TEST(CheckpointTest, OutlivesItsMove) {
  auto opened = Checkpoint::Open(TestdataDir("f16-weights"));
  ASSERT_TRUE(opened.ok()) << opened.status();
  const Checkpoint checkpoint = *std::move(opened);
  std::vector<float> out(44);
  EXPECT_TRUE(checkpoint
                  .ReadRows("encoder.final_layer_norm.weight", 0, 1,
                            absl::MakeSpan(out))
                  .ok());
}

}  // namespace
}  // namespace sheaf
