// SPDX-License-Identifier: Apache-2.0

#include "engine/model/torch_pickle.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"
#include "engine/model/little_endian.h"

namespace sheaf {
namespace {

using Kind = PickleObject::Kind;

// The opcodes that a state dict needs, by the names of Python's pickletools.
enum Opcode : uint8_t {
  kMark = '(',
  kStop = '.',
  kNone = 'N',
  kReduce = 'R',
  kBuild = 'b',
  kGlobal = 'c',
  kBinPersId = 'Q',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinUnicode = 'X',
  kBinString = 'T',       // as Python 2 wrote str
  kShortBinString = 'U',  // likewise
  kEmptyTuple = ')',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kProto = 0x80,
};
constexpr uint8_t kProtocol = 2;

struct Global {
  absl::string_view module, name;
  Kind kind;
  Dtype dtype = Dtype::kF32;
};

constexpr Global kGlobals[] = {
    {"collections", "OrderedDict", Kind::kOrderedDict},
    {"torch", "Size", Kind::kSize},
    {"torch._utils", "_rebuild_tensor_v2", Kind::kRebuildTensor},
    {"torch._utils", "_rebuild_parameter", Kind::kRebuildParameter},
    {"torch", "FloatStorage", Kind::kStorageType, Dtype::kF32},
    {"torch", "HalfStorage", Kind::kStorageType, Dtype::kF16},
    {"torch", "BFloat16Storage", Kind::kStorageType, Dtype::kBF16},
    {"torch", "DoubleStorage", Kind::kStorageType, Dtype::kF64},
    {"torch", "LongStorage", Kind::kStorageType, Dtype::kI64},
    {"torch", "IntStorage", Kind::kStorageType, Dtype::kI32},
    {"torch", "ShortStorage", Kind::kStorageType, Dtype::kI16},
    {"torch", "CharStorage", Kind::kStorageType, Dtype::kI8},
    {"torch", "ByteStorage", Kind::kStorageType, Dtype::kU8},
    {"torch", "BoolStorage", Kind::kStorageType, Dtype::kBool},
    {"torch", "ComplexFloatStorage", Kind::kStorageType, Dtype::kC64},
};

absl::string_view AsText(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

TorchPickleReader::TorchPickleReader(const std::string& path,
                                     uint64_t file_offset,
                                     absl::Span<const uint8_t> bytes,
                                     bool is_cut)
    : path_(path), file_offset_(file_offset), bytes_(bytes), is_cut_(is_cut) {}

absl::Status TorchPickleReader::Refuse(uint64_t offset,
                                       absl::string_view rule) const {
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: pickle at byte %d: %s", path_, offset, rule));
}

absl::StatusOr<int32_t> TorchPickleReader::Read() {
  stack_.clear();
  marks_.clear();
  memo_.clear();
  opcode_ = next_;
  const uint8_t* const proto = Take(2);
  if (proto == nullptr) return status_;
  if (proto[0] != kProto || proto[1] != kProtocol) {
    Fail(
        absl::StrFormat("it begins with 0x%02x%02x; allowed is protocol 2, "
                        "which torch.save writes by default (0x8002)",
                        proto[0], proto[1]));
    return status_;
  }
  while (true) {
    opcode_ = next_;
    const uint8_t* const opcode = Take(1);
    if (opcode == nullptr) return status_;
    if (*opcode == kStop) break;
    if (!Step(*opcode)) return status_;
  }
  if (stack_.size() != 1 || !marks_.empty()) {
    Fail(
        absl::StrFormat("it ends with %d objects and %d marks; one object is "
                        "needed",
                        stack_.size(), marks_.size()));
    return status_;
  }
  return stack_.front();
}

bool TorchPickleReader::Step(uint8_t opcode) {
  switch (opcode) {
    case kMark:
      marks_.push_back(stack_.size());
      return true;
    case kNone:
      return Push({Kind::kNone, file_offset_ + opcode_});
    case kReduce:
      return Call();
    case kBuild:
      return Build();
    case kGlobal:
      return PushGlobal();
    case kBinPersId: {
      int32_t id = 0;
      return Pop(id) && PushItems(Kind::kStorage, {id});
    }
    case kBinUnicode:
    case kBinString: {
      const uint8_t* const size = Take(4);
      return size != nullptr && PushText(Kind::kString, LoadU32(size));
    }
    case kShortBinString: {
      const uint8_t* const size = Take(1);
      return size != nullptr && PushText(Kind::kString, *size);
    }
    case kBinPut:
    case kLongBinPut:
    case kBinGet:
    case kLongBinGet:
      return StepMemo(opcode);
    case kBinInt:
    case kBinInt1:
    case kBinInt2:
    case kLong1:
    case kNewTrue:
    case kNewFalse:
      return StepNumber(opcode);
    default:
      return StepContainer(opcode);
  }
}

bool TorchPickleReader::StepMemo(uint8_t opcode) {
  const bool is_long = opcode == kLongBinPut || opcode == kLongBinGet;
  const uint8_t* const bytes = Take(is_long ? 4 : 1);
  if (bytes == nullptr) return false;
  const uint32_t key = is_long ? LoadU32(bytes) : *bytes;
  if (opcode == kBinPut || opcode == kLongBinPut) {
    int32_t object = 0;
    if (!Pop(object)) return false;
    memo_[key] = object;
    stack_.push_back(object);
    return true;
  }
  const auto found = memo_.find(key);
  if (found == memo_.end()) {
    return Fail(absl::StrFormat("object %d is used before it is stored", key));
  }
  stack_.push_back(found->second);
  return true;
}

bool TorchPickleReader::StepNumber(uint8_t opcode) {
  if (opcode == kNewTrue || opcode == kNewFalse) {
    return Push({Kind::kBool, file_offset_ + opcode_, opcode == kNewTrue});
  }
  size_t size = opcode == kBinInt ? 4 : opcode == kBinInt2 ? 2 : 1;
  const uint8_t* bytes = Take(size);
  if (bytes == nullptr) return false;
  if (opcode == kLong1) {
    size = *bytes;
    if (size > sizeof(int64_t)) return PushText(Kind::kLongInt, size);
    bytes = Take(size);
    if (bytes == nullptr) return false;
  }
  uint64_t number = 0;
  for (size_t i = 0; i < size; ++i) number |= uint64_t{bytes[i]} << 8 * i;
  // These two have a sign.
  if ((opcode == kBinInt || opcode == kLong1) && size > 0 && size < 8 &&
      bytes[size - 1] >= 0x80) {
    number |= ~uint64_t{0} << 8 * size;
  }
  return Push(
      {Kind::kInt, file_offset_ + opcode_, static_cast<int64_t>(number)});
}

bool TorchPickleReader::StepContainer(uint8_t opcode) {
  std::vector<int32_t> items;
  switch (opcode) {
    case kEmptyTuple:
      return PushItems(Kind::kTuple, {});
    case kEmptyList:
      return PushItems(Kind::kList, {});
    case kEmptyDict:
      return PushItems(Kind::kDict, {});
    case kTuple:
      return PopMarked(items) && PushItems(Kind::kTuple, std::move(items));
    case kTuple1:
    case kTuple2:
    case kTuple3: {
      items.resize(opcode - kTuple1 + 1);
      for (size_t i = items.size(); i-- > 0;) {
        if (!Pop(items[i])) return false;
      }
      return PushItems(Kind::kTuple, std::move(items));
    }
    case kAppend:
    case kAppends: {
      if (opcode == kAppends) {
        if (!PopMarked(items)) return false;
      } else if (items.resize(1); !Pop(items[0])) {
        return false;
      }
      PickleObject* const list = Top(Kind::kList, "a list");
      if (list == nullptr) return false;
      list->items.insert(list->items.end(), items.begin(), items.end());
      return true;
    }
    case kSetItem:
      items.resize(2);
      return Pop(items[1]) && Pop(items[0]) && AddPairs(items);
    case kSetItems:
      return PopMarked(items) && AddPairs(items);
    default:
      return Fail(absl::StrFormat(
          "opcode 0x%02x is none that a dict of tensors needs", opcode));
  }
}

bool TorchPickleReader::Fail(absl::string_view rule) {
  status_ = Refuse(file_offset_ + opcode_, rule);
  return false;
}

const uint8_t* TorchPickleReader::Take(uint64_t size) {
  if (size > bytes_.size() - next_) {
    Fail(is_cut_ ? absl::StrFormat("it has more than the %d bytes that are "
                                   "allowed",
                                   bytes_.size())
                 : std::string("it ends too early"));
    return nullptr;
  }
  const uint8_t* const taken = bytes_.data() + next_;
  next_ += size;
  return taken;
}

bool TorchPickleReader::TakeLine(absl::string_view& line) {
  const uint8_t* const begin = bytes_.data() + next_;
  const void* const end = std::memchr(begin, '\n', bytes_.size() - next_);
  if (end == nullptr) return Take(bytes_.size() - next_ + 1) != nullptr;
  const size_t size = static_cast<const uint8_t*>(end) - begin;
  line = AsText(Take(size + 1), size);
  return true;
}

bool TorchPickleReader::Push(PickleObject object) {
  if (objects_.size() == kMaxObjects) {
    return Fail(absl::StrFormat("there are more than %d objects", kMaxObjects));
  }
  stack_.push_back(static_cast<int32_t>(objects_.size()));
  objects_.push_back(std::move(object));
  return true;
}

bool TorchPickleReader::PushText(Kind kind, uint64_t size) {
  const uint8_t* const bytes = Take(size);
  if (bytes == nullptr) return false;
  PickleObject object = {kind, file_offset_ + opcode_};
  object.text = AsText(bytes, size);
  return Push(std::move(object));
}

bool TorchPickleReader::PushItems(Kind kind, std::vector<int32_t> items) {
  PickleObject object = {kind, file_offset_ + opcode_};
  object.items = std::move(items);
  return Push(std::move(object));
}

bool TorchPickleReader::PushGlobal() {
  absl::string_view module, name;
  if (!TakeLine(module) || !TakeLine(name)) return false;
  for (const Global& global : kGlobals) {
    if (global.module != module || global.name != name) continue;
    PickleObject object = {global.kind, file_offset_ + opcode_};
    object.dtype = global.dtype;
    return Push(std::move(object));
  }
  return Fail(absl::StrFormat(
      "it refers to %s, which is no part of a dict of tensors and is not read",
      Quoted(absl::StrCat(module, ".", name))));
}

bool TorchPickleReader::Pop(int32_t& object) {
  if (stack_.size() == (marks_.empty() ? 0 : marks_.back())) {
    return Fail("an opcode finds too few objects on the stack");
  }
  object = stack_.back();
  stack_.pop_back();
  return true;
}

bool TorchPickleReader::PopMarked(std::vector<int32_t>& objects) {
  if (marks_.empty()) return Fail("an opcode finds no mark on the stack");
  objects.assign(stack_.begin() + static_cast<ptrdiff_t>(marks_.back()),
                 stack_.end());
  stack_.resize(marks_.back());
  marks_.pop_back();
  return true;
}

PickleObject* TorchPickleReader::Top(Kind kind, absl::string_view what) {
  int32_t object = 0;
  if (!Pop(object)) return nullptr;
  stack_.push_back(object);
  if (objects_[object].kind == kind) return &objects_[object];
  Fail(absl::StrCat("an opcode needs ", what, " on the stack"));
  return nullptr;
}

bool TorchPickleReader::AddPairs(const std::vector<int32_t>& items) {
  PickleObject* const dict = Top(Kind::kDict, "a dict");
  if (dict == nullptr) return false;
  if (items.size() % 2 != 0) return Fail("a key of a dict has no value");
  dict->items.insert(dict->items.end(), items.begin(), items.end());
  return true;
}

bool TorchPickleReader::Call() {
  int32_t arguments = 0, callee = 0;
  if (!Pop(arguments) || !Pop(callee)) return false;
  if (objects_[arguments].kind != Kind::kTuple) {
    return Fail("the arguments of a call are no tuple");
  }
  switch (objects_[callee].kind) {
    case Kind::kOrderedDict:
      return CallOrderedDict(objects_[arguments]);
    case Kind::kSize: {
      const std::vector<int32_t>& items = objects_[arguments].items;
      if (items.size() != 1 || objects_[items[0]].kind != Kind::kTuple) {
        return Fail("torch.Size is made of something else than one tuple");
      }
      stack_.push_back(items[0]);
      return true;
    }
    case Kind::kRebuildTensor:
      return PushItems(Kind::kTensor, {arguments});
    case Kind::kRebuildParameter:
      return PushItems(Kind::kParameter, {arguments});
    default:
      return Fail("it calls what is no class or function");
  }
}

// Without arguments, or with a list of pairs, as Python 2 wrote them. The list
// is used up, so that no pickle makes many long dicts of one list.
bool TorchPickleReader::CallOrderedDict(const PickleObject& arguments) {
  if (arguments.items.empty()) return PushItems(Kind::kDict, {});
  PickleObject& list = objects_[arguments.items[0]];
  if (arguments.items.size() != 1 || list.kind != Kind::kList) {
    return Fail("an OrderedDict is made of something else than one new list");
  }
  std::vector<int32_t> items;
  for (const int32_t pair : list.items) {
    if (objects_[pair].items.size() != 2) {
      return Fail("an OrderedDict is made of something else than pairs");
    }
    items.insert(items.end(), objects_[pair].items.begin(),
                 objects_[pair].items.end());
  }
  list = {Kind::kNone, list.offset};
  return PushItems(Kind::kDict, std::move(items));
}

// A state dict has one attribute: the versions of its modules, which say
// nothing about tensors.
bool TorchPickleReader::Build() {
  int32_t state = 0;
  if (!Pop(state) || Top(Kind::kDict, "a dict") == nullptr) return false;
  const std::vector<int32_t>& items = objects_[state].items;
  const bool is_metadata = objects_[state].kind == Kind::kDict &&
                           items.size() == 2 &&
                           objects_[items[0]].kind == Kind::kString &&
                           objects_[items[0]].text == "_metadata";
  return is_metadata ||
         Fail("an attribute other than _metadata is set on a dict");
}

}  // namespace sheaf
