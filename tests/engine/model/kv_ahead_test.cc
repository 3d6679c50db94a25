// SPDX-License-Identifier: Apache-2.0

#include "engine/model/kv_ahead.h"

#include <cstdint>
#include <map>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/kv_storage.h"
#include "engine/model/attention_plan.h"
#include "gtest/gtest.h"

namespace sheaf {
namespace {

using kernels::Isa;
using kernels::kPanel;
using Piece = kernels::ReadAhead::Piece;

// A block has 16 tokens of self-attention or 32 of cross-attention.
constexpr KvDims kDims = {.num_layers = 3,
                          .head_dim = 8,
                          .num_self_kv_heads = 4,
                          .num_cross_kv_heads = 2};
constexpr int32_t kNumLayers = kDims.num_layers;
constexpr int64_t kRowBytes = kDims.head_dim * int64_t{sizeof(float)};

using Bytes = std::map<const char*, int>;

void Count(const char* at, int64_t bytes, Bytes& counts) {
  for (int64_t i = 0; i < bytes; ++i) ++counts[at + i];
}

// The keys and values of tokens, in the layout of KvView, in whole panels.
void AddTokens(const kernels::KvView& kv, int32_t begin, int32_t end,
               Bytes& counts) {
  for (int32_t t = begin; t < end; t += kPanel) {
    const int32_t in_block = t % kv.block_tokens;
    const char* keys = kv.base +
                       kv.block_ids[t / kv.block_tokens] * kv.block_stride +
                       in_block * kRowBytes;
    Count(keys, kPanel * kRowBytes, counts);
    Count(keys + kv.block_tokens * kRowBytes, kPanel * kRowBytes, counts);
  }
}

// Takes the rest of the cursor in steps of `bytes`.
Bytes TakeAll(kernels::ReadAhead& cursor, int64_t bytes) {
  Bytes counts;
  for (Piece piece = cursor.Take(bytes); piece.at != nullptr;
       piece = cursor.Take(bytes)) {
    EXPECT_LE(piece.bytes, bytes);
    Count(piece.at, piece.bytes, counts);
  }
  return counts;
}

class KvAheadTest : public testing::Test {
 protected:
  KvAheadTest() {
    self_.Add(Attention::kSelf, self_blocks_.data(), 0, 37, 0, 1);
    self_.Add(Attention::kSelf, other_blocks_.data(), 16, 21, 1, 1);
    cross_.Add(Attention::kCross, cross_blocks_.data(), 0, 300, 0, 2);
    self_.Finish();
    cross_.Finish();
    for (int32_t layer = 0; layer < kNumLayers; ++layer) {
      ahead_.Add(storage_, layer, self_, self_.SharesOf(0, 1));
      ahead_.Add(storage_, layer, cross_, cross_.SharesOf(0, 1));
    }
    ahead_.Finish();
  }

  Bytes SelfBytes(int32_t layer) const {
    Bytes counts;
    for (int32_t head = 0; head < kDims.num_self_kv_heads; ++head) {
      const auto view = [&](const std::vector<int32_t>& blocks) {
        return storage_.View(Attention::kSelf, layer, head, blocks.data());
      };
      AddTokens(view(self_blocks_), 0, 37, counts);
      AddTokens(view(other_blocks_), 16, 21, counts);
    }
    return counts;
  }
  Bytes CrossBytes(int32_t layer) const {
    Bytes counts;
    for (int32_t head = 0; head < kDims.num_cross_kv_heads; ++head) {
      AddTokens(
          storage_.View(Attention::kCross, layer, head, cross_blocks_.data()),
          0, 300, counts);
    }
    return counts;
  }

  KvStorage storage_ = KvStorage::Create(kDims, 1 << 20).value();
  const std::vector<int32_t> self_blocks_ = {7, 3, 5};
  const std::vector<int32_t> other_blocks_ = {1, 2};
  const std::vector<int32_t> cross_blocks_ = {11, 10, 9,  8,  12,
                                              13, 14, 15, 16, 17};
  AttentionPlan self_{kDims.num_self_kv_heads, /*num_members=*/1};
  AttentionPlan cross_{kDims.num_cross_kv_heads, /*num_members=*/1};
  KvAhead ahead_;
};

TEST_F(KvAheadTest, HasWhatTheNextTwoAttentionsRead) {
  Bytes expected = SelfBytes(0);
  expected.merge(CrossBytes(0));
  EXPECT_EQ(TakeAll(*ahead_.cursor(), 100), expected);
}

TEST_F(KvAheadTest, EachAttentionShowsOneMore) {
  TakeAll(*ahead_.cursor(), 4096);
  ahead_.OnAttention();
  EXPECT_EQ(TakeAll(*ahead_.cursor(), 4096), SelfBytes(1));
  ahead_.OnAttention();
  EXPECT_EQ(TakeAll(*ahead_.cursor(), 4096), CrossBytes(1));
}

TEST_F(KvAheadTest, WhatAnAttentionReadsItselfIsLeftOut) {
  ahead_.cursor()->Take(100);
  for (int32_t i = 0; i < 2 * kNumLayers - 1; ++i) ahead_.OnAttention();
  EXPECT_EQ(TakeAll(*ahead_.cursor(), 4096), CrossBytes(kNumLayers - 1));
  ahead_.OnAttention();
  EXPECT_EQ(ahead_.cursor()->Take(100).at, nullptr);
  ahead_.OnAttention();
  ahead_.Clear();
  EXPECT_EQ(ahead_.cursor()->Take(100).at, nullptr);
}

TEST_F(KvAheadTest, ProductsOfManyRowsTakeFromIt) {
  constexpr int32_t kK = 64, kColumns = 48, kMaxRows = 32;
  for (const Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512}) {
    if (isa > kernels::DetectIsa()) break;
    const kernels::Kernels& kernels = kernels::KernelsFor(isa);
    std::vector<int8_t> w(kK * kColumns);
    for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<int8_t>(i % 127);
    const std::vector<int32_t> x(kMaxRows * kK, 0x01020304);
    const std::vector<float> scales(kColumns, 0.5f);
    const std::vector<int32_t> sums(kColumns);
    std::vector<float> alone(kMaxRows * kColumns), y = alone;
    kernels::GemmInt8 g = {.x = x.data(),
                           .ldx = kK / kernels.int8_group,
                           .x_scales = scales.data(),
                           .num_rows = kMaxRows,
                           .K = kK,
                           .w = w.data(),
                           .w_scales = scales.data(),
                           .w_sums = sums.data(),
                           .num_columns = kColumns,
                           .y = alone.data(),
                           .ldy = kColumns,
                           .accumulate = false};
    kernels.gemm_int8(g);
    g.y = y.data();
    kernels::ReadAhead ahead = *ahead_.cursor();
    g.ahead = &ahead;
    g.num_rows = 1;
    kernels.gemm_int8(g);
    EXPECT_EQ(ahead.next, ahead_.cursor()->next);
    g.num_rows = kMaxRows;
    kernels.gemm_int8(g);
    EXPECT_EQ(y, alone);
    EXPECT_GT(ahead.next, ahead_.cursor()->next);
  }
}

}  // namespace
}  // namespace sheaf
