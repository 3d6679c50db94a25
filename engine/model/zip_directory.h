// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/input_file.h"

namespace sheaf {

// A file in a ZIP archive.
struct ZipEntry {
  std::string name;
  uint64_t offset;  // of its bytes in the archive
  uint64_t size;
  uint32_t crc;  // of its bytes, as the archive says
};

// Returns the entries of a ZIP archive, ordered by their place in it.
//
// The archive is untrusted. Only its directory and the entries' headers are
// read, and CRCs are left to the caller. An archive is refused, with its path,
// the entry or the byte, and the rule, if it breaks one of these:
//   1. It ends with an end record without a comment, and with the record and
//      the locator of ZIP64 before it if there are some. The directory is
//      directly before these. There is one disk.
//   2. There are at most 65,536 entries, and the directory has at most 8 MiB.
//   3. Each entry is stored: neither compressed nor encrypted.
//   4. Names are relative paths without empty parts, "." and "..", in printable
//      ASCII; all are different.
//   5. The header before an entry's bytes says the same as the directory: name,
//      flags, method, and also size and CRC unless they follow the bytes.
//   6. Entries do not overlap, and end before the directory.
absl::StatusOr<std::vector<ZipEntry>> ReadZipDirectory(const InputFile& file);

// The CRC-32 of ZIP archives.
uint32_t Crc32(absl::Span<const uint8_t> bytes);

}  // namespace sheaf
