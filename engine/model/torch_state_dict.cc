// SPDX-License-Identifier: Apache-2.0

#include "engine/model/torch_state_dict.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/input_file.h"

namespace sheaf {
namespace {

using Kind = PickleObject::Kind;

constexpr size_t kMaxKeysShown = 5;

absl::string_view Describe(Kind kind) {
  switch (kind) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return "a boolean";
    case Kind::kInt:
    case Kind::kLongInt:
      return "an integer";
    case Kind::kString:
      return "a string";
    case Kind::kTuple:
      return "a tuple";
    case Kind::kList:
      return "a list";
    case Kind::kDict:
      return "a dict";
    case Kind::kTensor:
    case Kind::kParameter:
      return "a tensor";
    case Kind::kStorage:
      return "a storage";
    default:
      return "a class or function";
  }
}

// A tensor of the dict, while it is read.
struct Named {
  TensorInfo info;
  std::string storage_key;
};

class StateDictReader {
 public:
  StateDictReader(const TorchPickleReader& pickle, int32_t root)
      : pickle_(pickle), root_(pickle.at(root)) {}

  absl::StatusOr<TorchStateDict> Read() {
    if (root_.kind != Kind::kDict) {
      return Refuse(root_, absl::StrCat("it holds ", Describe(root_.kind),
                                        "; needed is a dict of tensors"));
    }
    std::vector<Named> named;
    named.reserve(root_.items.size() / 2);
    for (size_t i = 0; i < root_.items.size(); i += 2) {
      const PickleObject& key = pickle_.at(root_.items[i]);
      if (key.kind != Kind::kString) {
        return Refuse(
            key, absl::StrCat("a key of the dict of tensors is ",
                              Describe(key.kind), "; it must be a string"));
      }
      name_ = key.text;
      absl::StatusOr<Named> tensor = ReadEntry(pickle_.at(root_.items[i + 1]));
      if (!tensor.ok()) return tensor.status();
      named.push_back(*std::move(tensor));
    }
    std::sort(named.begin(), named.end(), [](const Named& a, const Named& b) {
      return a.info.name < b.info.name;
    });
    for (Named& each : named) {
      if (!dict_.tensors.empty() &&
          dict_.tensors.back().name == each.info.name) {
        return Refuse(root_, absl::StrFormat("tensor %s occurs twice",
                                             Quoted(each.info.name)));
      }
      dict_.tensors.push_back(std::move(each.info));
      dict_.storage_keys.push_back(std::move(each.storage_key));
    }
    return std::move(dict_);
  }

 private:
  absl::Status Refuse(const PickleObject& object,
                      absl::string_view rule) const {
    return pickle_.Refuse(object.offset, rule);
  }
  absl::Status RefuseTensor(const PickleObject& object,
                            absl::string_view rule) const {
    return Refuse(object, absl::StrCat("tensor ", Quoted(name_), " ", rule));
  }

  absl::StatusOr<Named> ReadEntry(const PickleObject& value) {
    if (value.kind == Kind::kParameter) {
      const std::vector<int32_t>& arguments = pickle_.at(value.items[0]).items;
      if (arguments.size() != 3 ||
          pickle_.at(arguments[0]).kind != Kind::kTensor) {
        return RefuseTensor(value, "is no parameter that holds a tensor");
      }
      return ReadTensor(pickle_.at(arguments[0]));
    }
    if (value.kind == Kind::kTensor) return ReadTensor(value);
    if (value.kind != Kind::kDict) {
      return Refuse(value,
                    absl::StrFormat("%s is %s, not a tensor", Quoted(name_),
                                    Describe(value.kind)));
    }
    // For example a trainer's state: {"model": ..., "optimizer": ...}.
    std::vector<std::string> keys;
    for (size_t i = 0; i < root_.items.size(); i += 2) {
      if (keys.size() == kMaxKeysShown) {
        keys.push_back("...");
        break;
      }
      keys.push_back(Quoted(pickle_.at(root_.items[i]).text));
    }
    return Refuse(value,
                  absl::StrFormat("%s is a dict, not a tensor; the dict of "
                                  "tensors must be saved by itself, but this "
                                  "file has the keys %s",
                                  Quoted(name_), absl::StrJoin(keys, ", ")));
  }

  // The arguments are storage, offset, shape, strides, whether it needs
  // gradients, hooks and, since PyTorch 1.12, flags.
  absl::StatusOr<Named> ReadTensor(const PickleObject& value) {
    const std::vector<int32_t>& arguments = pickle_.at(value.items[0]).items;
    const auto kind = [&](size_t i) { return pickle_.at(arguments[i]).kind; };
    if (arguments.size() < 6 || arguments.size() > 7 ||
        kind(0) != Kind::kStorage || kind(1) != Kind::kInt ||
        kind(2) != Kind::kTuple || kind(3) != Kind::kTuple ||
        kind(4) != Kind::kBool || kind(5) != Kind::kDict) {
      return RefuseTensor(value,
                          "is not made of storage, offset, shape, strides, "
                          "flag and hooks");
    }
    const bool has_flags =
        arguments.size() == 7 && kind(6) != Kind::kNone &&
        (kind(6) != Kind::kDict || !pickle_.at(arguments[6]).items.empty());
    if (!pickle_.at(arguments[5]).items.empty() || has_flags) {
      return RefuseTensor(value,
                          "has hooks, or is a conjugate or negative view");
    }
    Named named;
    absl::StatusOr<TorchStorage> storage =
        ReadStorage(pickle_.at(arguments[0]), named.storage_key);
    if (!storage.ok()) return storage.status();
    TensorInfo& info = named.info;
    info.name = std::string(name_);
    info.dtype = storage->dtype;
    if (!ReadNumbers(pickle_.at(arguments[2]), info.shape) ||
        !ReadNumbers(pickle_.at(arguments[3]), info.strides) ||
        info.shape.size() != info.strides.size()) {
      return RefuseTensor(
          value, absl::StrFormat("has a shape or strides that are not up to %d "
                                 "numbers of at least 0",
                                 kMaxRank));
    }
    const int64_t offset = pickle_.at(arguments[1]).number;
    if (!Place(*storage, offset, info)) {
      return RefuseTensor(
          value,
          absl::StrFormat("has shape [%s], strides [%s] and offset %d; its "
                          "storage has %d elements",
                          absl::StrJoin(info.shape, ", "),
                          absl::StrJoin(info.strides, ", "), offset,
                          storage->num_elements));
    }
    return named;
  }

  bool ReadNumbers(const PickleObject& tuple,
                   std::vector<int64_t>& numbers) const {
    if (tuple.items.size() > kMaxRank) return false;
    for (const int32_t item : tuple.items) {
      const PickleObject& number = pickle_.at(item);
      if (number.kind != Kind::kInt || number.number < 0) return false;
      numbers.push_back(number.number);
    }
    return true;
  }

  // The tuple is "storage", type, key, device, number of elements and, in the
  // old format, a view, which only PyTorch before 0.4 had.
  absl::StatusOr<TorchStorage> ReadStorage(const PickleObject& object,
                                           std::string& key) {
    const PickleObject& tuple = pickle_.at(object.items[0]);
    const std::vector<int32_t>& items = tuple.items;
    const auto at = [&](size_t i) -> const PickleObject& {
      return pickle_.at(items[i]);
    };
    if (tuple.kind != Kind::kTuple || items.size() < 5 || items.size() > 6 ||
        at(0).kind != Kind::kString || at(0).text != "storage" ||
        at(1).kind != Kind::kStorageType || at(2).kind != Kind::kString ||
        at(3).kind != Kind::kString || at(4).kind != Kind::kInt ||
        (items.size() == 6 && at(5).kind != Kind::kNone)) {
      return RefuseTensor(object,
                          "has a storage that is not named by type, key, "
                          "device and number of elements");
    }
    const TorchStorage storage = {at(1).dtype, at(4).number};
    constexpr int64_t kMaxElements =
        std::numeric_limits<int64_t>::max() / int64_t{sizeof(double)};
    if (storage.num_elements < 0 || storage.num_elements > kMaxElements) {
      return RefuseTensor(object,
                          absl::StrFormat("has a storage of %d elements",
                                          storage.num_elements));
    }
    key = std::string(at(2).text);
    const auto [found, is_new] = dict_.storages.emplace(key, storage);
    if (found->second.dtype != storage.dtype ||
        found->second.num_elements != storage.num_elements) {
      return RefuseTensor(object, absl::StrFormat("has storage %s with another "
                                                  "type or size than before",
                                                  Quoted(key)));
    }
    return storage;
  }

  // Rule 5. Sets where the tensor is in its storage. Returns false if it is not
  // within.
  static bool Place(const TorchStorage& storage, int64_t offset,
                    TensorInfo& info) {
    int64_t num_elements = 1, last = offset;
    bool is_bad = offset < 0, is_row_major = true;
    for (size_t i = info.shape.size(); i-- > 0;) {
      const int64_t size = info.shape[i], stride = info.strides[i];
      if (size != 1 && stride != num_elements) is_row_major = false;
      if (size > 1) {
        is_bad |= stride == 0;
        int64_t distance;
        is_bad |= __builtin_mul_overflow(size - 1, stride, &distance);
        is_bad |= __builtin_add_overflow(last, distance, &last);
      }
      is_bad |= __builtin_mul_overflow(num_elements, size, &num_elements);
    }
    if (is_bad || num_elements > storage.num_elements) return false;
    if (num_elements == 0 ? offset > storage.num_elements
                          : last >= storage.num_elements) {
      return false;
    }
    info.num_elements = num_elements;
    info.offset = static_cast<uint64_t>(offset) * DtypeBytes(info.dtype);
    if (is_row_major || num_elements == 0) {
      info.strides.clear();
      return true;
    }
    for (size_t i = 0; i < info.shape.size(); ++i) {
      if (info.shape[i] == 1) info.strides[i] = 1;  // It is never used.
    }
    return true;
  }

  const TorchPickleReader& pickle_;
  const PickleObject& root_;
  absl::string_view name_;  // of the current tensor
  TorchStateDict dict_;
};

}  // namespace

absl::StatusOr<TorchStateDict> ReadTorchStateDict(
    const TorchPickleReader& pickle, int32_t root) {
  return StateDictReader(pickle, root).Read();
}

}  // namespace sheaf
