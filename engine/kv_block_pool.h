// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "absl/types/span.h"

namespace sheaf {

// The attention of the decoder that the keys and values of a block belong to.
enum class Attention { kSelf = 0, kCross = 1 };

// The number and size of blocks. All blocks have the same size. The number of
// tokens that fit depends on the attention, because the numbers of KV heads may
// differ.
struct KvPoolShape {
  int32_t num_blocks = 0;
  int64_t block_bytes = 0;
  int32_t self_block_tokens = 0;
  int32_t cross_block_tokens = 0;

  int32_t block_tokens(Attention attention) const {
    return attention == Attention::kSelf ? self_block_tokens
                                         : cross_block_tokens;
  }
  // The number of blocks that `num_tokens` tokens need.
  int32_t BlocksFor(Attention attention, int64_t num_tokens) const {
    const int32_t n = block_tokens(attention);
    return static_cast<int32_t>((num_tokens + n - 1) / n);
  }
};

// Allocates the blocks of the KV cache and counts the sequences that hold each.
//
// A block has room for the keys and values of some consecutive tokens of one
// sequence, in every layer. The pool handles block ids only. KvStorage owns the
// memory, and the Scheduler decides which segments wait.
//
// Invariants; CheckConsistency() verifies 1 and 4:
//   1. A block is either free (0 holders, listed once) or held (>= 1 holder).
//   2. Only full blocks have several holders, so a shared block is never
//      written.
//   3. Free blocks are reused oldest first. A sequence frees its last block
//      before its first, which is the most likely to be requested again.
//   4. num_held() of both attentions and num_free() add up to num_blocks().
//
// Not thread-safe; a lane owns it.
class KvBlockPool {
 public:
  // REQUIRES: all members of the shape are > 0.
  explicit KvBlockPool(const KvPoolShape& shape);
  KvBlockPool(const KvBlockPool&) = delete;
  KvBlockPool& operator=(const KvBlockPool&) = delete;
  ~KvBlockPool();  // REQUIRES: no BlockTable of this pool exists.

  const KvPoolShape& shape() const { return shape_; }
  int32_t num_blocks() const { return shape_.num_blocks; }
  int32_t num_free() const { return static_cast<int32_t>(free_.size()); }
  // The number of distinct blocks held for one attention.
  int32_t num_held(Attention attention) const {
    return num_held_[static_cast<int>(attention)];
  }

  // Ends the process if an invariant is broken. O(num_blocks); for tests.
  void CheckConsistency() const;

 private:
  friend class BlockTable;
  const KvPoolShape shape_;
  std::vector<int32_t> holders_;              // [num_blocks]
  std::deque<int32_t> free_;                  // front is reused first
  std::array<int32_t, 2> num_held_ = {0, 0};  // by Attention
};

// The blocks of one sequence, in token order. Releases them when destroyed.
class BlockTable {
 public:
  BlockTable(KvBlockPool& pool, Attention attention)
      : pool_(&pool), attention_(attention) {}
  BlockTable(BlockTable&& other) noexcept;
  BlockTable& operator=(BlockTable&& other) noexcept;
  ~BlockTable() { Clear(); }

  // Reserves memory for `num_blocks` ids, so that GrowTo() allocates none.
  void Reserve(int32_t num_blocks) { ids_.reserve(num_blocks); }

  // Grows the table until `num_tokens` tokens fit. If too few blocks are free,
  // returns false and changes nothing; this is normal under load and therefore
  // not a Status.
  [[nodiscard]] bool GrowTo(int32_t num_tokens);

  // Becomes a second table over the first `num_tokens` tokens of `other` (the
  // common history of two beams), and releases its own blocks. REQUIRES:
  // num_tokens is a multiple of the tokens per block and fits in `other`, which
  // is another table of the same pool and attention.
  void SharePrefixOf(const BlockTable& other, int32_t num_tokens);

  // Releases all blocks, the last one first.
  void Clear();

  // [num_blocks]: with n tokens per block, block ids()[i] holds the tokens
  // [i * n, (i + 1) * n).
  absl::Span<const int32_t> ids() const { return ids_; }

 private:
  int32_t block_tokens() const {
    return pool_->shape_.block_tokens(attention_);
  }

  KvBlockPool* pool_;  // not owned; outlives this
  Attention attention_;
  std::vector<int32_t> ids_;
};

}  // namespace sheaf
