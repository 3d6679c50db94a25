// SPDX-License-Identifier: Apache-2.0

#include "engine/model/torch_file.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"
#include "engine/model/little_endian.h"
#include "engine/model/torch_pickle.h"
#include "engine/model/torch_state_dict.h"
#include "engine/model/zip_directory.h"

namespace sheaf {
namespace {

using Kind = PickleObject::Kind;

// The largest known models have pickles of 0.3 MB.
constexpr uint64_t kMaxPickleBytes = uint64_t{8} << 20;
constexpr uint64_t kCountBytes = 8;

// The magic number of the old format, in little endian.
constexpr absl::string_view kMagicNumber =
    "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int64_t kOldVersion = 1001;
// Its first bytes: protocol 2, a number of 10 bytes.
constexpr uint8_t kOldBegin[] = {0x80, 0x02, 0x8a, 0x0a};
constexpr uint8_t kZipBegin[] = {'P', 'K', 3, 4};

// Places in the file, by the keys of storages.
using StoragePlaces = absl::flat_hash_map<std::string, uint64_t>;

absl::Status Refuse(const InputFile& file, absl::string_view rule) {
  return absl::InvalidArgumentError(absl::StrCat(file.path(), ": ", rule));
}

absl::StatusOr<std::vector<uint8_t>> BytesAt(const InputFile& file,
                                             uint64_t offset, uint64_t size) {
  std::vector<uint8_t> bytes(size);
  absl::Status read = file.ReadAt(offset, absl::MakeSpan(bytes));
  if (!read.ok()) return read;
  return bytes;
}

TensorFile MakeFile(InputFile file, TorchStateDict dict,
                    const StoragePlaces& places) {
  for (size_t i = 0; i < dict.tensors.size(); ++i) {
    dict.tensors[i].offset += places.at(dict.storage_keys[i]);
  }
  return TensorFile(std::move(file), std::move(dict.tensors));
}

// The entries of an archive by their names without "NAME/".
class Archive {
 public:
  explicit Archive(const InputFile& file) : file_(file) {}

  absl::Status Open() {
    absl::StatusOr<std::vector<ZipEntry>> entries = ReadZipDirectory(file_);
    if (!entries.ok()) return entries.status();
    for (ZipEntry& entry : *entries) {
      const size_t slash = entry.name.find('/');
      const std::string prefix = entry.name.substr(0, slash);
      if (entries_.empty()) prefix_ = prefix;
      if (slash == std::string::npos || prefix != prefix_) {
        return RefuseEntry(entry.name, "is not in the folder of the others");
      }
      const std::string name = entry.name.substr(slash + 1);
      if (!IsWrittenBySave(name)) {
        return RefuseEntry(
            entry.name,
            absl::EndsWith(name, ".py") || name == "constants.pkl"
                ? "is part of a TorchScript model; needed is a state dict"
                : "is none that torch.save writes");
      }
      entries_.emplace(name, std::move(entry));
    }
    absl::Status status =
        CheckText("byteorder", {"little"}, /*is_optional=*/true);
    if (status.ok()) {
      status = CheckText("version", {"1\n", "2\n", "3\n"}, false);
    }
    return status;
  }

  // The bytes of data.pkl, whose CRC is right, and their place.
  absl::StatusOr<std::vector<uint8_t>> ReadPickle(uint64_t& offset) const {
    const auto found = entries_.find("data.pkl");
    if (found == entries_.end()) {
      return RefuseEntry("data.pkl", "is missing");
    }
    const ZipEntry& entry = found->second;
    if (entry.size > kMaxPickleBytes) {
      return RefuseEntry(entry.name,
                         absl::StrFormat("has %d bytes; allowed are %d",
                                         entry.size, kMaxPickleBytes));
    }
    absl::StatusOr<std::vector<uint8_t>> bytes =
        BytesAt(file_, entry.offset, entry.size);
    if (bytes.ok() && Crc32(*bytes) != entry.crc) {
      return RefuseEntry(entry.name,
                         "has another CRC than the archive says; its bytes "
                         "were changed");
    }
    offset = entry.offset;
    return bytes;
  }

  // Rule 4.
  absl::StatusOr<StoragePlaces> FindStorages(const TorchStateDict& dict) const {
    StoragePlaces places;
    for (const auto& [key, storage] : dict.storages) {
      const std::string name = absl::StrCat(kFolder, key);
      const auto found = entries_.find(name);
      if (found == entries_.end()) return RefuseEntry(name, "is missing");
      if (found->second.size != storage.num_bytes()) {
        return RefuseEntry(
            name,
            absl::StrFormat("has %d bytes; the pickle says that it has %d "
                            "elements of %s, which take %d",
                            found->second.size, storage.num_elements,
                            DtypeName(storage.dtype), storage.num_bytes()));
      }
      places.emplace(key, found->second.offset);
    }
    for (const auto& [name, entry] : entries_) {
      if (absl::StartsWith(name, kFolder) &&
          !places.contains(name.substr(kFolder.size()))) {
        return RefuseEntry(name, "is the storage of no tensor");
      }
    }
    return places;
  }

 private:
  static constexpr absl::string_view kFolder = "data/";

  static bool IsWrittenBySave(absl::string_view name) {
    for (const absl::string_view known :
         {"data.pkl", "version", "byteorder", ".format_version",
          ".storage_alignment", ".data/serialization_id"}) {
      if (name == known) return true;
    }
    return absl::StartsWith(name, kFolder);
  }

  absl::Status RefuseEntry(absl::string_view name,
                           absl::string_view rule) const {
    return Refuse(file_,
                  absl::StrCat("ZIP archive: entry ", Quoted(name), " ", rule));
  }

  absl::Status CheckText(absl::string_view name,
                         std::initializer_list<absl::string_view> allowed,
                         bool is_optional) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      return is_optional ? absl::OkStatus() : RefuseEntry(name, "is missing");
    }
    const uint64_t size = std::min<uint64_t>(found->second.size, 64);
    const absl::StatusOr<std::vector<uint8_t>> bytes =
        BytesAt(file_, found->second.offset, size);
    if (!bytes.ok()) return bytes.status();
    const absl::string_view text(reinterpret_cast<const char*>(bytes->data()),
                                 bytes->size());
    for (const absl::string_view each : allowed) {
      if (each == text) return absl::OkStatus();
    }
    return RefuseEntry(name,
                       absl::StrFormat("is %s; allowed is %s", Quoted(text),
                                       Quoted(*(allowed.end() - 1))));
  }

  const InputFile& file_;
  std::string prefix_;
  absl::flat_hash_map<std::string, ZipEntry> entries_;
};

absl::StatusOr<TensorFile> OpenZipFormat(InputFile file) {
  Archive archive(file);
  absl::Status opened = archive.Open();
  if (!opened.ok()) return opened;
  uint64_t offset = 0;
  const absl::StatusOr<std::vector<uint8_t>> bytes = archive.ReadPickle(offset);
  if (!bytes.ok()) return bytes.status();
  TorchPickleReader pickle(file.path(), offset, *bytes, /*is_cut=*/false);
  const absl::StatusOr<int32_t> root = pickle.Read();
  if (!root.ok()) return root.status();
  if (pickle.offset() != offset + bytes->size()) {
    return pickle.Refuse(pickle.offset(), "there are bytes after its end");
  }
  absl::StatusOr<TorchStateDict> dict = ReadTorchStateDict(pickle, *root);
  if (!dict.ok()) return dict.status();
  const absl::StatusOr<StoragePlaces> places = archive.FindStorages(*dict);
  if (!places.ok()) return places.status();
  return MakeFile(std::move(file), *std::move(dict), *places);
}

// Reads the objects before the dict of tensors in the old format.
absl::Status ReadPreamble(TorchPickleReader& pickle) {
  const absl::StatusOr<int32_t> magic = pickle.Read();
  if (!magic.ok()) return magic.status();
  const PickleObject& number = pickle.at(*magic);
  if (number.kind != Kind::kLongInt || number.text != kMagicNumber) {
    return pickle.Refuse(number.offset, "it is not torch.save's magic number");
  }
  const absl::StatusOr<int32_t> version = pickle.Read();
  if (!version.ok()) return version.status();
  if (pickle.at(*version).kind != Kind::kInt ||
      pickle.at(*version).number != kOldVersion) {
    return pickle.Refuse(
        pickle.at(*version).offset,
        absl::StrFormat("the version of the format is not %d", kOldVersion));
  }
  const absl::StatusOr<int32_t> machine = pickle.Read();
  if (!machine.ok()) return machine.status();
  const PickleObject& dict = pickle.at(*machine);
  bool is_little_endian = false;
  if (dict.kind == Kind::kDict) {
    for (size_t i = 0; i < dict.items.size(); i += 2) {
      const PickleObject& value = pickle.at(dict.items[i + 1]);
      if (pickle.at(dict.items[i]).text != "little_endian") continue;
      is_little_endian = value.kind == Kind::kBool && value.number == 1;
    }
  }
  if (is_little_endian) return absl::OkStatus();
  return pickle.Refuse(dict.offset,
                       "it does not say that the machine is little-endian");
}

// The storages after the pickles of the old format. Rule 4.
absl::StatusOr<StoragePlaces> FindOldStorages(const InputFile& file,
                                              const TorchPickleReader& pickle,
                                              const PickleObject& keys,
                                              const TorchStateDict& dict) {
  if (keys.kind != Kind::kList || keys.items.size() != dict.storages.size()) {
    return pickle.Refuse(
        keys.offset, absl::StrFormat("it is not the list of the %d storages",
                                     dict.storages.size()));
  }
  StoragePlaces places;
  uint64_t next = pickle.offset();
  for (const int32_t item : keys.items) {
    const PickleObject& key = pickle.at(item);
    const auto storage = dict.storages.find(key.text);
    if (key.kind != Kind::kString || storage == dict.storages.end() ||
        !places.emplace(key.text, next + kCountBytes).second) {
      return pickle.Refuse(
          key.offset, absl::StrFormat("storage %s is listed twice or belongs "
                                      "to no tensor",
                                      Quoted(key.text)));
    }
    uint8_t count[kCountBytes];
    absl::Status read = file.ReadAt(next, absl::MakeSpan(count));
    if (!read.ok()) return read;
    const uint64_t num_elements = LoadU64(count);
    if (num_elements != static_cast<uint64_t>(storage->second.num_elements) ||
        storage->second.num_bytes() > file.size() - next - kCountBytes) {
      return Refuse(
          file,
          absl::StrFormat(
              "storage %s at byte %d has %d elements; the pickle says "
              "%d of %s, and %d bytes of the file are left",
              Quoted(key.text), next, num_elements,
              storage->second.num_elements, DtypeName(storage->second.dtype),
              file.size() - next - kCountBytes));
    }
    next += kCountBytes + storage->second.num_bytes();
  }
  if (next != file.size()) {
    return Refuse(file, absl::StrFormat("the storages end at byte %d; the file "
                                        "has %d bytes",
                                        next, file.size()));
  }
  return places;
}

absl::StatusOr<TensorFile> OpenOldFormat(InputFile file) {
  const uint64_t size = std::min(file.size(), kMaxPickleBytes);
  const absl::StatusOr<std::vector<uint8_t>> bytes = BytesAt(file, 0, size);
  if (!bytes.ok()) return bytes.status();
  TorchPickleReader pickle(file.path(), /*file_offset=*/0, *bytes,
                           /*is_cut=*/size < file.size());
  absl::Status status = ReadPreamble(pickle);
  if (!status.ok()) return status;
  const absl::StatusOr<int32_t> root = pickle.Read();
  if (!root.ok()) return root.status();
  const absl::StatusOr<int32_t> keys = pickle.Read();
  if (!keys.ok()) return keys.status();
  absl::StatusOr<TorchStateDict> dict = ReadTorchStateDict(pickle, *root);
  if (!dict.ok()) return dict.status();
  const absl::StatusOr<StoragePlaces> places =
      FindOldStorages(file, pickle, pickle.at(*keys), *dict);
  if (!places.ok()) return places.status();
  return MakeFile(std::move(file), *std::move(dict), *places);
}

}  // namespace

absl::StatusOr<TensorFile> OpenTorchFile(const std::string& path) {
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  if (file->size() == 0) return Refuse(*file, "the file is empty");
  uint8_t begin[4] = {};
  absl::Status read = file->ReadAt(
      0, absl::MakeSpan(begin, std::min<uint64_t>(4, file->size())));
  if (!read.ok()) return read;
  if (std::memcmp(begin, kZipBegin, sizeof(begin)) == 0) {
    return OpenZipFormat(*std::move(file));
  }
  if (std::memcmp(begin, kOldBegin, sizeof(begin)) == 0) {
    return OpenOldFormat(*std::move(file));
  }
  return Refuse(*file,
                "it begins neither as a ZIP archive nor as the older format of "
                "torch.save");
}

}  // namespace sheaf
