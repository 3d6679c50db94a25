// SPDX-License-Identifier: Apache-2.0

// The pickles of PyTorch's files: what is refused in them, and by which rule.

#include "engine/model/torch_pickle.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/torch_bytes.h"
#include "tests/support/torch_refusal.h"

namespace sheaf {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace torch_bytes;  // NOLINT: the parts of the files below

struct Bad {
  std::string what;
  std::string message;
};

// Dicts with a tensor "t" that breaks a rule.
TEST(TorchPickleTest, EachTensorThatIsNotWithinItsStorageIsRefused) {
  const auto tensor = [](int64_t offset, const std::vector<int64_t>& shape,
                         const std::vector<int64_t>& strides) {
    return Tensor(Storage({}), offset, shape, strides);
  };
  const Bad kBad[] = {
      {tensor(0, {7}, {1}), "has shape [7], strides [1] and offset 0; its"},
      {tensor(1, {6}, {1}), "its storage has 6 elements"},
      {tensor(0, {2, 3}, {4, 1}), "strides [4, 1]"},
      {tensor(6, {}, {}), "offset 6"},
      {tensor(7, {0}, {1}), "offset 7"},
      {tensor(-1, {2}, {1}), "offset -1"},
      {tensor(INT64_MAX, {2}, {1}), "offset 9223372036854775807"},
      {tensor(0, {-2}, {1}), "numbers of at least 0"},
      {tensor(0, {2}, {-1}), "numbers of at least 0"},
      {tensor(0, {2, 3}, {1}), "numbers of at least 0"},
      {tensor(0, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1}),
       "up to 8 numbers"},
      {tensor(0, {2}, {0}), "strides [0]"},
      {tensor(0, {3, 3}, {1, 1}), "shape [3, 3]"},
      {tensor(0, {INT64_MAX, INT64_MAX}, {1, 1}), "its storage has 6"},
      {tensor(0, {2, 2}, {INT64_MAX, 1}), "its storage has 6"},
      {tensor(0, {0, INT64_MAX, 4}, {1, 1, 1}), "its storage has 6"},
  };
  for (const Bad& bad : kBad) {
    EXPECT_THAT(RefusalOf(ZipFormat(OneTensor(bad.what), SixFloats())),
                HasSubstr(bad.message));
  }
}

TEST(TorchPickleTest, EachObjectThatIsNoDictOfTensorsIsRefused) {
  const std::string good = Tensor(Storage({}), 0, {6}, {1});
  const std::string rebuild = Global("torch._utils", "_rebuild_tensor_v2");
  const std::string hooks = OrderedDict({});
  const auto storage = [](const std::vector<std::string>& id) {
    return Tensor(Tuple(id) + "Q", 0, {6}, {1});
  };
  const auto one = [](const std::string& value) {
    return OrderedDict({Str("t"), value});
  };
  const std::string type = Global("torch", "FloatStorage");
  const Bad kBad[] = {
      {None(), "it holds None; needed is a dict of tensors"},
      {List({good}), "it holds a list"},
      {good, "it holds a tensor"},
      {OrderedDict({Int(1), good}), "a key of the dict of tensors is an int"},
      {OrderedDict({Str("t"), good, Str("t"), good}),
       "tensor \"t\" occurs twice"},
      {one(Int(3)), "\"t\" is an integer, not a tensor"},
      {one(Storage({})), "\"t\" is a storage, not a tensor"},
      {OrderedDict({Str("model"), one(good), Str("optimizer"), Dict({})}),
       "\"model\" is a dict, not a tensor; the dict of tensors must be saved "
       "by "
       "itself, but this file has the keys \"model\", \"optimizer\""},
      {one(Call(rebuild, Tuple({Storage({}), Int(0), Ints({6}), Ints({1})}))),
       "tensor \"t\" is not made of storage, offset, shape, strides"},
      {one(Call(rebuild,
                Tuple({Storage({}), Int(0), Ints({6}), Ints({1}), Bool(false),
                       hooks, Dict({Str("conj"), Bool(true)})}))),
       "is a conjugate or negative view"},
      {one(Call(rebuild, Tuple({Storage({}), Int(0), Ints({6}), Ints({1}),
                                Bool(false), Dict({Int(1), Int(1)})}))),
       "has hooks"},
      {one(Call(rebuild, Tuple({Storage({}), Str("0"), Ints({6}), Ints({1}),
                                Bool(false), hooks}))),
       "is not made of storage, offset"},
      {one(Call(Global("torch._utils", "_rebuild_parameter"),
                Tuple({Int(1), Bool(true), hooks}))),
       "is no parameter that holds a tensor"},
      {one(storage({Str("module"), type, Str("0"), Str("cpu"), Int(6)})),
       "has a storage that is not named by"},
      {one(storage({Str("storage"), Str("x"), Str("0"), Str("cpu"), Int(6)})),
       "has a storage that is not named by"},
      {one(storage({Str("storage"), type, Int(0), Str("cpu"), Int(6)})),
       "has a storage that is not named by"},
      {one(Tensor(Storage({.view = Tuple({Str("1"), Int(0), Int(6)})}), 0, {6},
                  {1})),
       "has a storage that is not named by"},
      {one(Tensor(Storage({.num_elements = -1}), 0, {6}, {1})),
       "has a storage of -1 elements"},
      {one(Tensor(Storage({.num_elements = INT64_MAX}), 0, {6}, {1})),
       "has a storage of 9223372036854775807 elements"},
      {OrderedDict({Str("s"), good, Str("t"),
                    Tensor(Storage({.type = "HalfStorage"}), 0, {6}, {1})}),
       "tensor \"t\" has storage \"0\" with another type or size than before"},
  };
  for (const Bad& bad : kBad) {
    const std::string message =
        RefusalOf(ZipFormat(Pickle(bad.what), SixFloats()));
    EXPECT_THAT(message, HasSubstr(bad.message));
    EXPECT_THAT(message, StartsWith("pickle at byte "));
  }
}

TEST(TorchPickleTest, EachPickleThatDoesMoreIsRefused) {
  const std::string dict = OrderedDict({});
  const Bad kBad[] = {
      {"\x80\x04" + dict + ".", "it begins with 0x8004; allowed is protocol 2"},
      {"(dp0\n.", "it begins with 0x2864"},
      {Pickle(Global("os", "system") + Str("id") + "\x85R"),
       "pickle at byte 46: it refers to \"os.system\", which is no part of"},
      {Pickle(Global("builtins", "eval")), "it refers to \"builtins.eval\""},
      {Pickle(Global("torch", "load")), "it refers to \"torch.load\""},
      {Pickle(Global("torch", "QInt8Storage")), "\"torch.QInt8Storage\""},
      {Pickle(Global("torch._utils", "_rebuild_qtensor")), "_rebuild_qtensor"},
      {Pickle(Global("collections", "OrderedDict\r")), "OrderedDict\\r\""},
      {Pickle(Global("torch", "") + "\n"), "it refers to \"torch.\""},
      {Pickle("cno_end"), "it ends too early"},
      {Pickle(Int(1) + ")R"), "it calls what is no class or function"},
      {Pickle(Global("torch", "FloatStorage") + ")R"), "it calls what is no"},
      {Pickle(Global("torch", "Size") + ")R"), "torch.Size is made of"},
      {Pickle(Global("torch", "Size") + "]R"), "arguments of a call are no"},
      {Pickle(Global("collections", "OrderedDict") + Int(1) + "\x85R"),
       "an OrderedDict is made of something else than one new list"},
      {Pickle(Global("collections", "OrderedDict") + List({Int(1)}) + "\x85R"),
       "an OrderedDict is made of something else than pairs"},
      // A list makes one dict only.
      {Pickle(List({}) + "q" + Number(1, 1) + "0"), "opcode 0x30"},
      {Pickle("]q\x01" + Global("collections", "OrderedDict") + "h\x01\x85R" +
              Global("collections", "OrderedDict") + "h\x01\x85R\x87"),
       "something else than one new list"},
      {Pickle(dict + Dict({Str("x"), Int(1)}) + "b"), "other than _metadata"},
      {Pickle(dict + Int(1) + "b"), "an attribute other than _metadata"},
      {Pickle(Int(1) + Dict({}) + "b"), "an opcode needs a dict on the stack"},
      {Pickle("I1\n"), "opcode 0x49 is none that a dict of tensors needs"},
      {Pickle(Int(1) + Int(1) + "\x93"), "opcode 0x93 is none"},
      {Pickle(")\x81"), "opcode 0x81 is none"},
      {Pickle("i"), "opcode 0x69 is none"},
      {Pickle(""), "it ends with 0 objects and 0 marks; one object is needed"},
      {Pickle(dict + dict), "it ends with 2 objects"},
      {Pickle("(" + dict), "it ends with 1 objects and 1 marks"},
      {Pickle("t"), "an opcode finds no mark on the stack"},
      {Pickle("\x85"), "an opcode finds too few objects on the stack"},
      {Pickle(Int(1) + "(\x85t"), "an opcode finds too few objects"},
      {Pickle("Q"), "too few objects"},
      {Pickle("q\x01"), "too few objects"},
      {Pickle("h\x01"), "object 1 is used before it is stored"},
      {Pickle(std::string("j\1\2\3\4", 5)), "object 67305985 is used before"},
      {Pickle(dict + Int(1) + "a"), "an opcode needs a list on the stack"},
      {Pickle(dict + "(" + Int(1) + "u"), "a key of a dict has no value"},
      {Pickle("X\xff\xff\xff\xff"
              "abc"),
       "it ends too early"},
      {Pickle("T\xff\xff\xff\x7f"
              "abc"),
       "it ends too early"},
      {Pickle("\x8a\xff"), "it ends too early"},
      {"\x80", "it ends too early"},
      {"\x80\x02" + dict, "it ends too early"},
      {Pickle(dict) + "x", "there are bytes after its end"},
  };
  for (const Bad& bad : kBad) {
    EXPECT_THAT(RefusalOf(ZipFormat(bad.what, SixFloats())),
                HasSubstr(bad.message))
        << absl::CEscape(bad.what);
  }
}

TEST(TorchPickleTest, NumbersHaveTheirSignAndSize) {
  const std::pair<std::string, std::string> kOffsets[] = {
      {std::string("J\xff\xff\xff\xff", 5), "offset -1;"},
      {std::string("J\x00\x00\x00\x01", 5), "offset 16777216;"},
      {std::string("M\xff\xff", 3), "offset 65535;"},
      {"K\xff", "offset 255;"},
      {"\x8a\x01\xff", "offset -1;"},
      {std::string("\x8a\x02\xff\x00", 4), "offset 255;"},
      {"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
       "offset 9223372036854775807;"}};
  for (const auto& [offset, message] : kOffsets) {
    const std::string tensor =
        Call(Global("torch._utils", "_rebuild_tensor_v2"),
             Tuple({Storage({}), offset, Ints({2}), Ints({1}), Bool(false),
                    OrderedDict({})}));
    EXPECT_THAT(RefusalOf(ZipFormat(OneTensor(tensor), SixFloats())),
                HasSubstr(message));
  }
}

TEST(TorchPickleTest, APickleHasALimitOfObjects) {
  EXPECT_THAT(RefusalOf(ZipFormat(
                  Pickle("](" + std::string((1 << 20) + 1, 'N') + "e"), "")),
              HasSubstr("there are more than 1048576 objects"));
}

TEST(TorchPickleTest, APickleHasALimitOfBytes) {
  const std::string long_text = Str(std::string(9 << 20, 'x'));
  EXPECT_THAT(RefusalOf(ZipFormat(Pickle(long_text), "")),
              HasSubstr("entry \"m/data.pkl\" has 9437192 bytes; allowed are "
                        "8388608"));
  EXPECT_THAT(RefusalOf(OldFormat(Pickle(long_text), 0, "")),
              HasSubstr("it has more than the 8388608 bytes"));
}

// Nesting costs neither stack nor time.
TEST(TorchPickleTest, DeepNestingIsHarmless) {
  std::string deep(1 << 19, ']');
  deep.append((1 << 19) - 1, 'a');
  EXPECT_THAT(RefusalOf(ZipFormat(Pickle(deep), "")),
              HasSubstr("it holds a list"));
}

}  // namespace
}  // namespace sheaf
