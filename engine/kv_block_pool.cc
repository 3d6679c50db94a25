// SPDX-License-Identifier: Apache-2.0

#include "engine/kv_block_pool.h"

#include <numeric>
#include <utility>

#include "base/check.h"

namespace sheaf {

KvBlockPool::KvBlockPool(const KvPoolShape& shape) : shape_(shape) {
  SHEAF_CHECK(shape.num_blocks > 0);
  SHEAF_CHECK(shape.block_bytes > 0);
  SHEAF_CHECK(shape.self_block_tokens > 0);
  SHEAF_CHECK(shape.cross_block_tokens > 0);
  holders_.resize(shape.num_blocks, 0);
  free_.resize(shape.num_blocks);
  std::iota(free_.begin(), free_.end(), 0);
}

KvBlockPool::~KvBlockPool() { SHEAF_CHECK(num_free() == num_blocks()); }

void KvBlockPool::CheckConsistency() const {
  std::vector<int32_t> times_listed(holders_.size(), 0);
  for (int32_t id : free_) ++times_listed[id];
  for (int32_t id = 0; id < num_blocks(); ++id) {
    SHEAF_CHECK(holders_[id] >= 0);
    SHEAF_CHECK(times_listed[id] == (holders_[id] == 0 ? 1 : 0));
  }
  SHEAF_CHECK(num_held_[0] >= 0 && num_held_[1] >= 0);
  SHEAF_CHECK(num_held_[0] + num_held_[1] + num_free() == num_blocks());
}

BlockTable::BlockTable(BlockTable&& other) noexcept
    : pool_(other.pool_),
      attention_(other.attention_),
      ids_(std::exchange(other.ids_, {})) {}

BlockTable& BlockTable::operator=(BlockTable&& other) noexcept {
  if (this != &other) {
    Clear();
    pool_ = other.pool_;
    attention_ = other.attention_;
    ids_ = std::exchange(other.ids_, {});
  }
  return *this;
}

bool BlockTable::GrowTo(int32_t num_tokens) {
  SHEAF_CHECK(num_tokens >= 0);
  const int32_t missing = pool_->shape_.BlocksFor(attention_, num_tokens) -
                          static_cast<int32_t>(ids_.size());
  if (missing > pool_->num_free()) return false;
  for (int32_t i = 0; i < missing; ++i) {
    ids_.push_back(pool_->free_.front());
    pool_->free_.pop_front();
    pool_->holders_[ids_.back()] = 1;
    ++pool_->num_held_[static_cast<int>(attention_)];
  }
  return true;
}

void BlockTable::SharePrefixOf(const BlockTable& other, int32_t num_tokens) {
  SHEAF_CHECK(&other != this && other.pool_ == pool_ &&
              other.attention_ == attention_);
  SHEAF_CHECK(num_tokens % block_tokens() == 0);
  const size_t shared = num_tokens / block_tokens();
  SHEAF_CHECK(shared <= other.ids_.size());
  Clear();
  ids_.assign(other.ids_.begin(), other.ids_.begin() + shared);
  for (int32_t id : ids_) ++pool_->holders_[id];
}

void BlockTable::Clear() {
  for (; !ids_.empty(); ids_.pop_back()) {
    if (--pool_->holders_[ids_.back()] == 0) {
      pool_->free_.push_back(ids_.back());
      --pool_->num_held_[static_cast<int>(attention_)];
    }
  }
}

}  // namespace sheaf
