// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/model/tensor_file.h"

namespace sheaf {

// An object that a pickle of a state dict may contain. Objects refer to others
// by index.
struct PickleObject {
  enum class Kind {
    kNone,
    kBool,              // number
    kInt,               // number
    kLongInt,           // text: a number of more than 64 bits, in little endian
    kString,            // text
    kTuple,             // items
    kList,              // items
    kDict,              // items: key, value, key, value, ...
    kOrderedDict,       // the class itself, which pickles call to make a dict
    kSize,              // the class torch.Size
    kStorageType,       // the class of storages of `dtype`
    kRebuildTensor,     // the function that makes a tensor
    kRebuildParameter,  // the function that makes a parameter of a tensor
    kStorage,           // items: the tuple that names it
    kTensor,            // items: the tuple of the arguments of kRebuildTensor
    kParameter,  // items: the tuple of the arguments of kRebuildParameter
  };
  Kind kind;
  uint64_t offset;  // in the file, of the opcode that makes it
  int64_t number = 0;
  Dtype dtype = Dtype::kF32;
  absl::string_view text = {};  // in the reader's bytes
  std::vector<int32_t> items = {};
};

// Reads pickles as torch.save() writes them: protocol 2, with the opcodes and
// the classes and functions that a dict of tensors needs, and no others.
// Nothing is called or imported: a call becomes an object that holds its
// arguments, which are checked by whoever reads the object.
//
// The bytes are untrusted. A pickle is refused, with path, offset and rule, if
// it has another opcode, class or function; if an opcode finds objects on the
// stack that it cannot take; or if it has more than kMaxObjects objects. Each
// object takes at least one byte of the file and refers to at most one other
// for each byte, and nothing here is recursive, so memory is bounded by the
// size of `bytes`, and depth by nothing.
class TorchPickleReader {
 public:
  static constexpr size_t kMaxObjects = 1 << 20;

  // `bytes` lie in the file from `file_offset` on and outlive the reader.
  // `is_cut` says that the file continues after them.
  TorchPickleReader(const std::string& path, uint64_t file_offset,
                    absl::Span<const uint8_t> bytes, bool is_cut);

  // Reads the next pickle, up to its STOP, and returns its object.
  absl::StatusOr<int32_t> Read();

  // Offset in the file after the last pickle read.
  uint64_t offset() const { return file_offset_ + next_; }

  const PickleObject& at(int32_t object) const { return objects_[object]; }

  // An error that names path and offset.
  absl::Status Refuse(uint64_t offset, absl::string_view rule) const;

 private:
  using Kind = PickleObject::Kind;

  bool Step(uint8_t opcode);
  bool StepMemo(uint8_t opcode);
  bool StepNumber(uint8_t opcode);
  bool StepContainer(uint8_t opcode);

  bool Fail(absl::string_view rule);
  // The next `size` bytes; null after Fail().
  const uint8_t* Take(uint64_t size);
  bool TakeLine(absl::string_view& line);

  bool Push(PickleObject object);
  bool PushText(Kind kind, uint64_t size);
  bool PushItems(Kind kind, std::vector<int32_t> items);
  bool PushGlobal();
  bool Pop(int32_t& object);
  bool PopMarked(std::vector<int32_t>& objects);
  // The object on top, which must be of that kind; null after Fail().
  PickleObject* Top(Kind kind, absl::string_view what);

  bool AddPairs(const std::vector<int32_t>& items);
  bool Call();
  bool CallOrderedDict(const PickleObject& arguments);
  bool Build();

  const std::string& path_;
  const uint64_t file_offset_;
  const absl::Span<const uint8_t> bytes_;
  const bool is_cut_;
  size_t next_ = 0;    // of bytes_
  size_t opcode_ = 0;  // where the current opcode is in bytes_
  absl::Status status_;

  std::vector<PickleObject> objects_;
  // The state of the current pickle.
  std::vector<int32_t> stack_;
  std::vector<size_t> marks_;  // sizes of the stack where MARK was
  absl::flat_hash_map<uint32_t, int32_t> memo_;
};

}  // namespace sheaf
