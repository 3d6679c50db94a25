// SPDX-License-Identifier: Apache-2.0

#include "engine/model/zip_directory.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "engine/model/little_endian.h"

namespace sheaf {
namespace {

constexpr uint64_t kMaxEntries = 1 << 16;
constexpr uint64_t kMaxDirectoryBytes = uint64_t{8} << 20;

// Records by their first four bytes, and their sizes without variable parts.
constexpr uint32_t kLocalMagic = 0x04034b50, kEntryMagic = 0x02014b50;
constexpr uint32_t kEndMagic = 0x06054b50, kEnd64Magic = 0x06064b50;
constexpr uint32_t kLocatorMagic = 0x07064b50;
constexpr uint64_t kLocalBytes = 30, kEntryBytes = 46, kEndBytes = 22;
constexpr uint64_t kEnd64Bytes = 56, kLocatorBytes = 20;

// The CRC and the sizes follow the entry's bytes; the name is in UTF-8.
constexpr uint16_t kDescriptorFlag = 1 << 3, kUtf8Flag = 1 << 11;
constexpr uint16_t kStored = 0;
constexpr uint16_t kZip64Extra = 1;
constexpr uint32_t kInExtra = 0xffffffff;  // the 64-bit value is in an extra

// The directory, from the records at the end of the archive.
struct Directory {
  uint64_t offset, size, num_entries;
};

// An entry of the directory.
struct Listed {
  ZipEntry entry;
  uint16_t flags;
  uint64_t local_offset;
};

// Replaces each value that is kInExtra by the next number of the ZIP64 extra.
// Returns false if the extras are malformed or lack a number.
bool TakeFromExtra(absl::Span<const uint8_t> extras,
                   std::initializer_list<uint64_t*> values) {
  absl::Span<const uint8_t> zip64;
  while (!extras.empty()) {
    if (extras.size() < 4) return false;
    const size_t size = LoadU16(extras.data() + 2);
    if (size > extras.size() - 4) return false;
    if (LoadU16(extras.data()) == kZip64Extra) zip64 = extras.subspan(4, size);
    extras.remove_prefix(4 + size);
  }
  for (uint64_t* const value : values) {
    if (*value != kInExtra) continue;
    if (zip64.size() < 8) return false;
    *value = LoadU64(zip64.data());
    zip64.remove_prefix(8);
  }
  return true;
}

bool IsPlainName(absl::string_view name) {
  for (const char c : name) {
    if (c < ' ' || c > '~' || c == '\\') return false;
  }
  for (const absl::string_view part : absl::StrSplit(name, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

class DirectoryReader {
 public:
  explicit DirectoryReader(const InputFile& file) : file_(file) {}

  absl::StatusOr<std::vector<ZipEntry>> Read() {
    absl::Status status = FindDirectory();
    if (status.ok()) status = ReadEntries();
    if (status.ok()) status = CheckLocalHeaders();
    if (!status.ok()) return status;
    std::vector<ZipEntry> entries;
    entries.reserve(listed_.size());
    for (Listed& listed : listed_) entries.push_back(std::move(listed.entry));
    return entries;
  }

 private:
  absl::Status Refuse(absl::string_view rule) const {
    return absl::InvalidArgumentError(
        absl::StrCat(file_.path(), ": ZIP archive: ", rule));
  }
  absl::Status RefuseEntry(const ZipEntry& entry,
                           absl::string_view rule) const {
    return Refuse(absl::StrCat("entry ", Quoted(entry.name), " ", rule));
  }

  absl::StatusOr<std::vector<uint8_t>> Bytes(uint64_t offset,
                                             uint64_t size) const {
    std::vector<uint8_t> bytes(size);
    absl::Status read = file_.ReadAt(offset, absl::MakeSpan(bytes));
    if (!read.ok()) return read;
    return bytes;
  }

  // Rules 1 and 2.
  absl::Status FindDirectory() {
    if (file_.size() < kEndBytes) return RefuseEnd();
    const uint64_t end_offset = file_.size() - kEndBytes;
    absl::StatusOr<std::vector<uint8_t>> end = Bytes(end_offset, kEndBytes);
    if (!end.ok()) return end.status();
    const uint8_t* const p = end->data();
    if (LoadU32(p) != kEndMagic || LoadU16(p + 20) != 0) return RefuseEnd();
    if (LoadU32(p + 4) != 0 || LoadU16(p + 8) != LoadU16(p + 10)) {
      return Refuse("it has several disks; allowed is one");
    }
    directory_ = {LoadU32(p + 16), LoadU32(p + 12), LoadU16(p + 10)};
    absl::StatusOr<uint64_t> directory_end = Replace64(end_offset);
    if (!directory_end.ok()) return directory_end.status();
    if (directory_.size > *directory_end ||
        directory_.offset != *directory_end - directory_.size) {
      return Refuse(absl::StrFormat(
          "the directory of %d bytes at byte %d does not end at byte %d, where "
          "the end record is",
          directory_.size, directory_.offset, *directory_end));
    }
    if (directory_.num_entries > kMaxEntries ||
        directory_.size > kMaxDirectoryBytes) {
      return Refuse(absl::StrFormat(
          "the directory has %d entries and %d bytes; allowed are %d and %d",
          directory_.num_entries, directory_.size, kMaxEntries,
          kMaxDirectoryBytes));
    }
    return absl::OkStatus();
  }

  absl::Status RefuseEnd() const {
    return Refuse(
        "there is no end record at the end of the file, which is cut short or "
        "has more bytes after the archive");
  }

  // Takes the directory's place from the ZIP64 record if there is one before
  // the end record at `end_offset`. Returns the offset of the first record.
  absl::StatusOr<uint64_t> Replace64(uint64_t end_offset) {
    if (end_offset < kLocatorBytes + kEnd64Bytes) return end_offset;
    const uint64_t record_offset = end_offset - kLocatorBytes - kEnd64Bytes;
    absl::StatusOr<std::vector<uint8_t>> records =
        Bytes(record_offset, kEnd64Bytes + kLocatorBytes);
    if (!records.ok()) return records.status();
    const uint8_t* const record = records->data();
    const uint8_t* const locator = record + kEnd64Bytes;
    if (LoadU32(locator) != kLocatorMagic) return end_offset;
    if (LoadU32(locator + 4) != 0 || LoadU64(locator + 8) != record_offset ||
        LoadU32(locator + 16) > 1 || LoadU32(record) != kEnd64Magic ||
        LoadU64(record + 4) != kEnd64Bytes - 12 || LoadU64(record + 16) != 0 ||
        LoadU64(record + 24) != LoadU64(record + 32)) {
      return Refuse(absl::StrFormat("the ZIP64 record at byte %d is malformed",
                                    record_offset));
    }
    const Directory wide = {LoadU64(record + 48), LoadU64(record + 40),
                            LoadU64(record + 32)};
    const auto differs = [](uint64_t narrow, uint64_t value, uint64_t unset) {
      return narrow != unset && narrow != value;
    };
    if (differs(directory_.offset, wide.offset, kInExtra) ||
        differs(directory_.size, wide.size, kInExtra) ||
        differs(directory_.num_entries, wide.num_entries, 0xffff)) {
      return Refuse("the end record and the ZIP64 record differ");
    }
    directory_ = wide;
    return record_offset;
  }

  // Rules 3 and 4.
  absl::Status ReadEntries() {
    const absl::StatusOr<std::vector<uint8_t>> bytes =
        Bytes(directory_.offset, directory_.size);
    if (!bytes.ok()) return bytes.status();
    absl::Span<const uint8_t> rest = *bytes;
    const auto refuse_here = [&] {
      return Refuse(
          absl::StrFormat("the directory is malformed at byte %d",
                          directory_.offset + directory_.size - rest.size()));
    };
    absl::flat_hash_set<std::string> names;
    listed_.reserve(directory_.num_entries);
    for (uint64_t i = 0; i < directory_.num_entries; ++i) {
      if (rest.size() < kEntryBytes) return refuse_here();
      const uint8_t* const p = rest.data();
      const uint64_t name_bytes = LoadU16(p + 28);
      const uint64_t extra_bytes = LoadU16(p + 30);
      const uint64_t entry_bytes = kEntryBytes + name_bytes + extra_bytes;
      if (LoadU32(p) != kEntryMagic || LoadU16(p + 32) != 0 ||
          LoadU16(p + 34) != 0 || rest.size() < entry_bytes) {
        return refuse_here();
      }
      uint64_t packed = LoadU32(p + 20), size = LoadU32(p + 24);
      uint64_t local_offset = LoadU32(p + 42);
      if (!TakeFromExtra(rest.subspan(kEntryBytes + name_bytes, extra_bytes),
                         {&size, &packed, &local_offset})) {
        return refuse_here();
      }
      const Listed listed = {
          {std::string(reinterpret_cast<const char*>(p) + kEntryBytes,
                       name_bytes),
           0, size, LoadU32(p + 16)},
          LoadU16(p + 8),
          local_offset};
      absl::Status status = CheckListed(listed, LoadU16(p + 10), packed);
      if (!status.ok()) return status;
      if (!names.insert(listed.entry.name).second) {
        return RefuseEntry(listed.entry, "occurs twice");
      }
      listed_.push_back(listed);
      rest.remove_prefix(entry_bytes);
    }
    return rest.empty() ? absl::OkStatus() : refuse_here();
  }

  absl::Status CheckListed(const Listed& listed, uint16_t method,
                           uint64_t packed) const {
    if (!IsPlainName(listed.entry.name)) {
      return RefuseEntry(listed.entry, "has a name that is no plain path");
    }
    if ((listed.flags & ~(kDescriptorFlag | kUtf8Flag)) != 0) {
      return RefuseEntry(listed.entry,
                         absl::StrFormat("has the flags 0x%04x; it must be "
                                         "neither encrypted nor patched",
                                         listed.flags));
    }
    if (method != kStored || packed != listed.entry.size) {
      return RefuseEntry(
          listed.entry,
          absl::StrFormat("is compressed (method %d, %d of %d bytes); allowed "
                          "are archives as torch.save writes them, which are "
                          "not compressed",
                          method, packed, listed.entry.size));
    }
    return absl::OkStatus();
  }

  // Rules 5 and 6. Sets the entries' offsets.
  absl::Status CheckLocalHeaders() {
    std::sort(listed_.begin(), listed_.end(),
              [](const Listed& a, const Listed& b) {
                return a.local_offset < b.local_offset;
              });
    uint64_t reached = 0;
    for (Listed& listed : listed_) {
      ZipEntry& entry = listed.entry;
      const uint64_t start = listed.local_offset;
      const uint64_t name_end = kLocalBytes + entry.name.size();
      if (start < reached || start > directory_.offset ||
          directory_.offset - start < name_end) {
        return RefuseEntry(
            entry, absl::StrFormat("at byte %d overlaps with another entry or "
                                   "with the directory",
                                   start));
      }
      absl::StatusOr<uint64_t> header_bytes = CheckLocalHeader(listed);
      if (!header_bytes.ok()) return header_bytes.status();
      entry.offset = start + *header_bytes;
      if (entry.offset > directory_.offset ||
          directory_.offset - entry.offset < entry.size) {
        return RefuseEntry(
            entry,
            absl::StrFormat("has %d bytes at byte %d, which reach into "
                            "the directory at byte %d",
                            entry.size, entry.offset, directory_.offset));
      }
      reached = entry.offset + entry.size;
    }
    return absl::OkStatus();
  }

  // Returns the size of the header before an entry's bytes.
  absl::StatusOr<uint64_t> CheckLocalHeader(const Listed& listed) const {
    const ZipEntry& entry = listed.entry;
    const uint64_t name_end = kLocalBytes + entry.name.size();
    const absl::StatusOr<std::vector<uint8_t>> header =
        Bytes(listed.local_offset, name_end);
    if (!header.ok()) return header.status();
    const uint8_t* const p = header->data();
    uint64_t packed = LoadU32(p + 18), size = LoadU32(p + 22);
    const uint64_t extra_bytes = LoadU16(p + 28);
    if (packed == kInExtra || size == kInExtra) {
      const absl::StatusOr<std::vector<uint8_t>> extras =
          Bytes(listed.local_offset + name_end, extra_bytes);
      if (!extras.ok()) return extras.status();
      TakeFromExtra(*extras, {&size, &packed});
    }
    const absl::string_view name(reinterpret_cast<const char*>(p) + kLocalBytes,
                                 entry.name.size());
    const bool is_later = (listed.flags & kDescriptorFlag) != 0 &&
                          LoadU32(p + 14) == 0 && packed == 0 && size == 0;
    const bool is_same = LoadU32(p + 14) == entry.crc && packed == entry.size &&
                         size == entry.size;
    if (LoadU32(p) != kLocalMagic || LoadU16(p + 6) != listed.flags ||
        LoadU16(p + 8) != kStored || LoadU16(p + 26) != entry.name.size() ||
        name != entry.name || !(is_later || is_same)) {
      return RefuseEntry(entry,
                         absl::StrFormat("at byte %d has a header that differs "
                                         "from the directory",
                                         listed.local_offset));
    }
    return name_end + extra_bytes;
  }

  const InputFile& file_;
  Directory directory_ = {};
  std::vector<Listed> listed_;
};

}  // namespace

absl::StatusOr<std::vector<ZipEntry>> ReadZipDirectory(const InputFile& file) {
  return DirectoryReader(file).Read();
}

uint32_t Crc32(absl::Span<const uint8_t> bytes) {
  static constexpr std::array<uint32_t, 256> kTable = [] {
    std::array<uint32_t, 256> table = {};
    for (uint32_t i = 0; i < table.size(); ++i) {
      table[i] = i;
      for (int bit = 0; bit < 8; ++bit) {
        table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
      }
    }
    return table;
  }();
  uint32_t crc = ~uint32_t{0};
  for (const uint8_t byte : bytes) {
    crc = crc >> 8 ^ kTable[(crc ^ byte) & 0xff];
  }
  return ~crc;
}

}  // namespace sheaf
