// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

// The bytes of files as torch.save() writes them, whole or broken.
namespace sheaf::torch_bytes {

// `value` in `size` bytes, in little endian.
inline std::string Number(uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i, value >>= 8) {
    bytes.push_back(static_cast<char>(value & 0xff));
  }
  return bytes;
}

// Parts of a pickle, each of which makes one object.

inline std::string None() { return "N"; }
inline std::string Bool(bool value) { return value ? "\x88" : "\x89"; }
inline std::string Int(int64_t value) {
  if (value >= 0 && value < 256) return "K" + Number(value, 1);
  return absl::StrCat("\x8a\x08", Number(value, 8));
}
inline std::string Str(absl::string_view text) {
  return absl::StrCat("X", Number(text.size(), 4), text);
}
inline std::string Global(absl::string_view module, absl::string_view name) {
  return absl::StrCat("c", module, "\n", name, "\n");
}
inline std::string Join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) joined += part;
  return joined;
}
inline std::string Tuple(const std::vector<std::string>& items) {
  return absl::StrCat("(", Join(items), "t");
}
inline std::string Ints(const std::vector<int64_t>& numbers) {
  std::vector<std::string> items;
  items.reserve(numbers.size());
  for (const int64_t number : numbers) items.push_back(Int(number));
  return Tuple(items);
}
inline std::string List(const std::vector<std::string>& items) {
  return absl::StrCat("](", Join(items), "e");
}
inline std::string Call(absl::string_view callee, absl::string_view arguments) {
  return absl::StrCat(callee, arguments, "R");
}
// `items`: keys and values in turn.
inline std::string Dict(const std::vector<std::string>& items) {
  return absl::StrCat("}(", Join(items), "u");
}
inline std::string OrderedDict(const std::vector<std::string>& items) {
  return absl::StrCat(Call(Global("collections", "OrderedDict"), ")"), "(",
                      Join(items), "u");
}

struct StorageId {
  std::string type = "FloatStorage";
  std::string key = "0";
  int64_t num_elements = 6;
  std::string view = {};  // a part of the old format
};
inline std::string Storage(const StorageId& id) {
  return Tuple({Str("storage"), Global("torch", id.type), Str(id.key),
                Str("cpu"), Int(id.num_elements), id.view}) +
         "Q";
}
inline std::string Tensor(const std::string& storage, int64_t offset,
                          const std::vector<int64_t>& shape,
                          const std::vector<int64_t>& strides) {
  return Call(Global("torch._utils", "_rebuild_tensor_v2"),
              Tuple({storage, Int(offset), Ints(shape), Ints(strides),
                     Bool(false), OrderedDict({})}));
}

inline std::string Pickle(absl::string_view object) {
  return absl::StrCat("\x80\x02", object, ".");
}

// An entry of a ZIP archive.
struct Entry {
  std::string name;
  std::string bytes;
};

// An archive as torch.save() writes it: sizes and CRC follow an entry's bytes.
inline std::string Zip(const std::vector<Entry>& entries) {
  std::string zip, directory;
  for (const Entry& entry : entries) {
    const std::string crc_and_sizes =
        Number(crc32(0, reinterpret_cast<const Bytef*>(entry.bytes.data()),
                     entry.bytes.size()),
               4) +
        Number(entry.bytes.size(), 4) + Number(entry.bytes.size(), 4);
    const std::string name_size = Number(entry.name.size(), 2);
    absl::StrAppend(&directory, "PK\x01\x02", Number(0, 4), Number(0x808, 2),
                    Number(0, 6), crc_and_sizes, name_size, Number(0, 12),
                    Number(zip.size(), 4), entry.name);
    absl::StrAppend(&zip, "PK\x03\x04", Number(0, 2), Number(0x808, 2),
                    Number(0, 18), name_size, Number(4, 2), entry.name,
                    absl::string_view("FB\0\0", 4), entry.bytes, "PK\x07\x08",
                    crc_and_sizes);
  }
  const std::string count = Number(entries.size(), 2);
  return absl::StrCat(zip, directory, "PK\x05\x06", Number(0, 4), count, count,
                      Number(directory.size(), 4), Number(zip.size(), 4),
                      Number(0, 2));
}

// A file of this pickle, with storage "0" of these bytes.
inline std::string ZipFormat(const std::string& pickle,
                             const std::string& storage) {
  return Zip({{"m/data.pkl", pickle},
              {"m/byteorder", "little"},
              {"m/data/0", storage},
              {"m/version", "3\n"}});
}

// The old format up to the dict of tensors.
inline std::string OldPreamble() {
  return Pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") +
         Pickle(Int(1001)) + Pickle(Dict({Str("little_endian"), Bool(true)}));
}

// `storage`: the bytes of storage "0", after their number of elements.
inline std::string OldFormat(const std::string& pickle, int64_t num_elements,
                             const std::string& storage) {
  return OldPreamble() + pickle + Pickle(List({Str("0")})) +
         Number(num_elements, 8) + storage;
}

}  // namespace sheaf::torch_bytes
