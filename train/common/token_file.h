// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "train/common/result.h"

namespace sheaf {

// Pairs of source and target token ids, as the trainer reads them.
//
// The file, all numbers little-endian:
//   8 bytes  "SHEAFTOK"
//   u32      version, 1
//   u32      vocab_size: every id is below it, at most 65536
//   u64      number of pairs
//   u64      number of ids in all sources and targets
//   u64      FNV-1a (64 bits) of everything after it
//   u16[2]   for each pair: length of its source and of its target, >= 1
//   u16[]    for each pair: the source's ids and then the target's; both end
//            with the end token, neither begins with a start token
//   u8[]     for each target id: the place in the source of the id that it
//            translates; 255: unknown
// A token file is kept in memory as a whole. xz halves its size.
class TokenFile {
 public:
  static constexpr uint8_t kUnaligned = 255;
  static constexpr int32_t kMaxVocab = 65536;

  struct Pair {
    std::span<const uint16_t> source;
    std::span<const uint16_t> target;
    std::span<const uint8_t> alignment;  // [target.size()]
  };

  explicit TokenFile(int32_t vocab_size = 0) : vocab_size_(vocab_size) {}

  int32_t vocab_size() const { return vocab_size_; }
  int64_t size() const { return static_cast<int64_t>(pairs_.size()); }
  int64_t num_ids() const { return static_cast<int64_t>(ids_.size()); }
  Pair at(int64_t index) const;

  // REQUIRES: both have 1 to 65535 ids, all below vocab_size().
  void Add(const std::vector<int32_t>& source,
           const std::vector<int32_t>& target);

  // REQUIRES: one place for each id of the pair's target.
  void SetAlignment(int64_t index, const std::vector<uint8_t>& alignment);

  // Errors name the file and the rule that it breaks.
  Result<void> Write(const std::string& path) const;
  static Result<TokenFile> Read(const std::string& path);

 private:
  struct Place {
    uint64_t ids_at, alignment_at;
    uint16_t source_len, target_len;
  };

  // Adds the place of a pair at the end of ids_ and alignment_.
  void AddPlace(uint16_t source_len, uint16_t target_len);

  int32_t vocab_size_;
  uint64_t num_placed_ids_ = 0, num_placed_alignments_ = 0;
  std::vector<Place> pairs_;
  std::vector<uint16_t> ids_;
  std::vector<uint8_t> alignment_;
};

}  // namespace sheaf
