// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/bpe_model.h"
#include "text/sentencepiece_model.h"

namespace sheaf {

// Encodes words by byte pair encoding. A word is a string that no token
// crosses. Its characters (or bytes) are the first tokens. Of all neighbours
// that a merge joins, those with the first merge are joined, the leftmost
// first, until there are none.
//
// Thread-safe: immutable.
class BpeWordEncoder {
 public:
  // The memory of one thread's calls, reused between them.
  class Scratch {
   private:
    friend class BpeWordEncoder;
    // Part of a word. `previous` and `next` are indices; -1: none.
    struct Symbol {
      int32_t id = -1;
      int32_t previous = -1, next = -1;
      int32_t merge = -1;  // with the next symbol: index; -1: none
    };
    std::vector<Symbol> symbols;
    // A heap of merges to apply: the merge's index, then that of the left
    // symbol. An entry is void once the symbol has another merge.
    std::vector<uint64_t> queue;
  };

  // Only normal, user-defined and byte pieces are made of text. REQUIRES: the
  // ids of `model` are those of `pieces`.
  BpeWordEncoder(absl::Span<const SentencePieceModel::Piece> pieces,
                 const BpeModel& model);

  // Appends the ids of `word` to `ids`. Takes time n log n in its size n.
  // REQUIRES: `word` is UTF-8.
  void Append(absl::string_view word, Scratch& scratch,
              std::vector<int32_t>& ids) const;

 private:
  void AddPiece(const SentencePieceModel::Piece& piece, int32_t id);
  void AddSymbols(absl::string_view word, Scratch& scratch) const;
  void AddUnknown(absl::string_view character, Scratch& scratch) const;
  void FindMerge(int32_t index, Scratch& scratch) const;
  void Merge(int32_t index, Scratch& scratch) const;

  const bool is_byte_level_, fuses_unknown_, has_byte_fallback_,
      ignores_merges_;
  const int32_t unknown_id_;
  // First tokens: of bytes, or of ASCII characters and of all others. -1: none.
  std::array<int32_t, 256> first_ids_;
  absl::flat_hash_map<int32_t, int32_t> character_ids_;
  std::array<int32_t, 256> fallback_ids_;               // with byte fallback
  absl::flat_hash_map<std::string, int32_t> word_ids_;  // if merges are ignored
  std::vector<int32_t> merged_ids_;                     // by merge
  absl::flat_hash_map<uint64_t, int32_t> merges_;       // by left and right id
};

}  // namespace sheaf
