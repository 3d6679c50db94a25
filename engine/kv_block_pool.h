#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "absl/types/span.h"

namespace sheaf {

// Which attention of the decoder a block's keys and values belong to.
enum class Attention { kSelf = 0, kCross = 1 };

// What the pool knows of its blocks. All are of one size; how many tokens fit
// depends on the attention, whose KV heads may differ in number.
struct KvPoolShape {
  int32_t num_blocks = 0;
  int64_t block_bytes = 0;
  int32_t self_block_tokens = 0;
  int32_t cross_block_tokens = 0;

  int32_t block_tokens(Attention attention) const {
    return attention == Attention::kSelf ? self_block_tokens
                                         : cross_block_tokens;
  }
  // Blocks that `num_tokens` tokens take.
  int32_t BlocksFor(Attention attention, int64_t num_tokens) const {
    const int32_t n = block_tokens(attention);
    return static_cast<int32_t>((num_tokens + n - 1) / n);
  }
};

// Hands out the blocks of the KV cache and counts the sequences that hold each.
//
// A block has room for the keys and values of some consecutive tokens of one
// sequence, in every layer. The pool deals only in block ids: the memory is
// KvStorage's, and who waits is the Scheduler's decision.
//
// Invariants; CheckConsistency() verifies 1 and 4:
//   1. A block is either free (0 holders, listed once) or held (>= 1 holder).
//   2. Only full blocks have several holders, so a shared block is never
//      written.
//   3. Free blocks are reused oldest first, a sequence's last block before its
//      first: what is likeliest to be asked for again stays longest.
//   4. num_held() of both attentions and num_free() add up to num_blocks().
//
// Not thread-safe: the engine thread owns it.
class KvBlockPool {
 public:
  // REQUIRES: all of the shape is > 0.
  explicit KvBlockPool(const KvPoolShape& shape);
  KvBlockPool(const KvBlockPool&) = delete;
  KvBlockPool& operator=(const KvBlockPool&) = delete;
  ~KvBlockPool();  // REQUIRES: no BlockTable of this pool is left.

  const KvPoolShape& shape() const { return shape_; }
  int32_t num_blocks() const { return shape_.num_blocks; }
  int32_t num_free() const { return static_cast<int32_t>(free_.size()); }
  // Distinct blocks held for one attention.
  int32_t num_held(Attention attention) const {
    return num_held_[static_cast<int>(attention)];
  }

  // Dies if an invariant is broken. O(num_blocks): for tests.
  void CheckConsistency() const;

 private:
  friend class BlockTable;
  const KvPoolShape shape_;
  std::vector<int32_t> holders_;              // [num_blocks]
  std::deque<int32_t> free_;                  // front is reused first
  std::array<int32_t, 2> num_held_ = {0, 0};  // by Attention
};

// The blocks of one sequence, in token order. Gives them back when destroyed.
class BlockTable {
 public:
  BlockTable(KvBlockPool& pool, Attention attention)
      : pool_(&pool), attention_(attention) {}
  BlockTable(BlockTable&& other) noexcept;
  BlockTable& operator=(BlockTable&& other) noexcept;
  ~BlockTable() { Clear(); }

  // Makes room for `num_blocks` ids, so that growing to them allocates nothing.
  void Reserve(int32_t num_blocks) { ids_.reserve(num_blocks); }

  // Grows until `num_tokens` tokens fit. Returns false, and changes nothing, if
  // too few blocks are free: under load that is normal, so it is no Status.
  [[nodiscard]] bool GrowTo(int32_t num_tokens);

  // Becomes a second table over the first `num_tokens` tokens of `other` (a
  // beam's common history); what it held goes back. REQUIRES: num_tokens is a
  // multiple of the block's tokens and fits in `other`, which is another table
  // of the same pool and attention.
  void SharePrefixOf(const BlockTable& other, int32_t num_tokens);

  // Gives all blocks back, the last one first.
  void Clear();

  // [num_blocks]: tokens [i * n, (i + 1) * n) are in ids()[i], with n the
  // block's tokens.
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
