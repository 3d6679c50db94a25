#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "engine/kernels/kernels.h"
#include "engine/kv_block_pool.h"

namespace sheaf {

// What decides the shape of a KV block.
struct KvDims {
  int32_t num_layers;
  int32_t head_dim;
  int32_t num_self_kv_heads;
  int32_t num_cross_kv_heads;
};

// The memory of the KV cache: blocks of one size, in f32, grouped by KV head.
//
// A block holds some consecutive tokens of one sequence in every layer:
//   [num_layers][num_kv_heads]{ K [tokens / 16][head_dim][16],
//                               V [tokens][head_dim] }
// K lies in panels of 16 tokens, as the weights of a matrix product do: scores
// of 16 tokens come from one pass over head_dim. With G KV heads, a block has
// 16 * lcm(G_self, G_cross) / G tokens: so a block of self-attention and one
// of cross-attention are of one size, and nothing is padded.
//
// The memory is taken and touched at start, so that it is there when needed.
class KvStorage {
 public:
  // As many blocks as fit in `capacity_bytes`. INVALID_ARGUMENT if that is not
  // one; RESOURCE_EXHAUSTED if the machine does not give the memory.
  static absl::StatusOr<KvStorage> Create(const KvDims& dims,
                                          int64_t capacity_bytes);

  const KvPoolShape& shape() const { return shape_; }
  const KvDims& dims() const { return dims_; }

  // Bytes of one token's keys and values in all layers.
  int64_t bytes_per_token(Attention attention) const {
    return shape_.block_bytes / shape_.block_tokens(attention);
  }

  // The keys and values of one KV head, for the kernels.
  kernels::KvView View(Attention attention, int32_t layer, int32_t kv_head,
                       const int32_t* block_ids) const {
    return {data_.get() + HeadOffset(attention, layer, kv_head), block_ids,
            block_floats_, shape_.block_tokens(attention)};
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
    void operator()(float* data) const;
  };

  KvStorage(const KvDims& dims, const KvPoolShape& shape);
  int64_t HeadOffset(Attention attention, int32_t layer,
                     int32_t kv_head) const {
    return layer * layer_floats_ + int64_t{kv_head} * 2 * dims_.head_dim *
                                       shape_.block_tokens(attention);
  }

  KvDims dims_;
  KvPoolShape shape_;
  int64_t layer_floats_;
  int64_t block_floats_;
  std::unique_ptr<float[], Unmap> data_;
};

}  // namespace sheaf
