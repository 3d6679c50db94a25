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

// "f32", "bf16", and the inverse; nothing for any other text.
absl::string_view KvTypeName(kernels::KvType type);
std::optional<kernels::KvType> ParseKvType(absl::string_view name);

// What decides the shape of a KV block.
struct KvDims {
  int32_t num_layers;
  int32_t head_dim;
  int32_t num_self_kv_heads;
  int32_t num_cross_kv_heads;
  kernels::KvType type = kernels::KvType::kF32;
};

// The memory of the KV cache: blocks of one size, in f32 or bfloat16, grouped
// by KV head.
//
// A block holds some consecutive tokens of one sequence in every layer:
//   [num_layers][num_kv_heads]{ K [tokens / 16][head_dim][16],
//                               V [tokens][head_dim] }
// (kernels::KvView tells how bfloat16 lie.)
// K lies in panels of 16 tokens, as the weights of a matrix product do: scores
// of 16 tokens come from one pass over head_dim. With G KV heads, a block has
// 16 * lcm(G_self, G_cross) / G tokens: so a block of self-attention and one
// of cross-attention are of one size, and nothing is padded.
//
// The memory is taken and touched at start, so that it is there when needed.
class KvStorage {
 public:
  // As many blocks as fit in `capacity_bytes`. INVALID_ARGUMENT if that is not
  // one, or if heads of an odd size are to be bfloat16; RESOURCE_EXHAUSTED if
  // the machine does not give the memory.
  static absl::StatusOr<KvStorage> Create(const KvDims& dims,
                                          int64_t capacity_bytes);

  // Of a block for these dims, in any storage: all but num_blocks.
  static KvPoolShape ShapeOf(const KvDims& dims);

  const KvPoolShape& shape() const { return shape_; }
  const KvDims& dims() const { return dims_; }

  // Bytes of one token's keys and values in all layers.
  int64_t bytes_per_token(Attention attention) const {
    return shape_.block_bytes / shape_.block_tokens(attention);
  }

  // The keys and values from one KV head on, for the kernels.
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

  // Block `to` becomes what block `from` is.
  void CopyBlock(int32_t from, int32_t to);

 private:
  struct Unmap {
    size_t bytes;
    void operator()(char* data) const;
  };

  KvStorage(const KvDims& dims, const KvPoolShape& shape)
      : dims_(dims), shape_(shape) {}
  // Bytes of the keys, or of the values, of one token in one KV head.
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
