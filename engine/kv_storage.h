// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/kernels/kernels.h"
#include "engine/kv_block_pool.h"

namespace sheaf {

// "f32", "bf16", and the inverse; nullopt for any other text.
absl::string_view KvTypeName(kernels::KvType type);
std::optional<kernels::KvType> ParseKvType(absl::string_view name);

// The dimensions that determine the shape of a KV block.
struct KvDims {
  int32_t num_layers;
  int32_t head_dim;
  int32_t num_self_kv_heads;
  int32_t num_cross_kv_heads;
  kernels::KvType type = kernels::KvType::kF32;
};

// The memory of the KV cache: blocks of equal size, in f32 or bfloat16, grouped
// by KV head.
//
// A block holds some consecutive tokens of one sequence, in every layer:
//   [num_layers][num_kv_heads]{ K [tokens / 16][head_dim][16],
//                               V [tokens][head_dim] }
// kernels::KvView describes the layout of bfloat16. K is in panels of 16
// tokens, like the weights of a matrix product, so that one pass over head_dim
// gives the scores of 16 tokens.
//
// With G KV heads, a block has 16 * lcm(G_self, G_cross) / G tokens. So blocks
// of self-attention and of cross-attention have the same size without padding.
//
// The memory is allocated and touched at start, so that later use cannot fail.
class KvStorage {
 public:
  // Allocates as many blocks as fit in `capacity_bytes`. INVALID_ARGUMENT if
  // not even one fits, or if the type is bfloat16 and head_dim is odd.
  // RESOURCE_EXHAUSTED if the machine does not give the memory.
  static absl::StatusOr<KvStorage> Create(const KvDims& dims,
                                          int64_t capacity_bytes);

  // The shape of a block with these dimensions; num_blocks is not set.
  static KvPoolShape ShapeOf(const KvDims& dims);

  const KvPoolShape& shape() const { return shape_; }
  const KvDims& dims() const { return dims_; }

  // Bytes of the keys and values of one token in all layers.
  int64_t bytes_per_token(Attention attention) const {
    return shape_.block_bytes / shape_.block_tokens(attention);
  }

  // The keys and values from `kv_head` on, for the kernels.
  kernels::KvView View(Attention attention, int32_t layer, int32_t kv_head,
                       const int32_t* block_ids) const {
    return {data_.get() + HeadOffset(attention, layer, kv_head),
            block_ids,
            shape_.block_bytes,
            HeadOffset(attention, /*layer=*/0, /*kv_head=*/1),
            shape_.block_tokens(attention),
            dims_.type};
  }

  // Writes token `token_index` of one KV head: k and v are [head_dim].
  void Write(Attention attention, int32_t layer, int32_t kv_head,
             const int32_t* block_ids, int32_t token_index, const float* k,
             const float* v);

  // Copies the content of block `from` to block `to`.
  void CopyBlock(int32_t from, int32_t to);

 private:
  struct Unmap {
    size_t bytes;
    void operator()(char* data) const;
  };

  KvStorage(const KvDims& dims, const KvPoolShape& shape)
      : dims_(dims), shape_(shape) {}
  // Bytes of the key, or of the value, of one token in one KV head.
  int64_t RowBytes() const;
  int64_t HeadOffset(Attention attention, int32_t layer,
                     int32_t kv_head) const {
    return layer * (shape_.block_bytes / dims_.num_layers) +
           int64_t{kv_head} * 2 * RowBytes() * shape_.block_tokens(attention);
  }

  KvDims dims_;
  KvPoolShape shape_;
  std::unique_ptr<char[], Unmap> data_;
};

}  // namespace sheaf
