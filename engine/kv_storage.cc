#include "engine/kv_storage.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

namespace sheaf {

void KvStorage::Unmap::operator()(float* data) const { munmap(data, bytes); }

KvStorage::KvStorage(const KvDims& dims, const KvPoolShape& shape)
    : dims_(dims), shape_(shape) {
  block_floats_ = shape.block_bytes / static_cast<int64_t>(sizeof(float));
  layer_floats_ = block_floats_ / dims.num_layers;
}

absl::StatusOr<KvStorage> KvStorage::Create(const KvDims& dims,
                                            int64_t capacity_bytes) {
  const int32_t heads_by_tokens =
      kernels::kPanel *
      std::lcm(dims.num_self_kv_heads, dims.num_cross_kv_heads);
  KvPoolShape shape;
  shape.block_bytes = int64_t{dims.num_layers} * 2 * dims.head_dim *
                      heads_by_tokens * sizeof(float);
  shape.self_block_tokens = heads_by_tokens / dims.num_self_kv_heads;
  shape.cross_block_tokens = heads_by_tokens / dims.num_cross_kv_heads;
  if (capacity_bytes < shape.block_bytes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "kv_cache_bytes is %d; one KV block of this model takes %d",
        capacity_bytes, shape.block_bytes));
  }
  shape.num_blocks = static_cast<int32_t>(std::min<int64_t>(
      capacity_bytes / shape.block_bytes, std::numeric_limits<int32_t>::max()));
  KvStorage storage(dims, shape);
  const size_t bytes = shape.num_blocks * shape.block_bytes;
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "kv_cache_bytes is %d; the machine does not give that much memory",
        capacity_bytes));
  }
  // Large pages where there are some: a step touches every block.
  madvise(data, bytes, MADV_HUGEPAGE);
  std::memset(data, 0, bytes);
  storage.data_ =
      std::unique_ptr<float[], Unmap>(static_cast<float*>(data), Unmap{bytes});
  return storage;
}

void KvStorage::Write(Attention attention, int32_t layer, int32_t kv_head,
                      const int32_t* block_ids, int32_t token_index,
                      const float* k, const float* v) {
  const int32_t dim = dims_.head_dim;
  const int32_t block_tokens = shape_.block_tokens(attention);
  const int32_t t = token_index % block_tokens;
  float* head = data_.get() +
                block_ids[token_index / block_tokens] * block_floats_ +
                HeadOffset(attention, layer, kv_head);
  float* keys = head + int64_t{t / kernels::kPanel} * dim * kernels::kPanel +
                t % kernels::kPanel;
  for (int32_t i = 0; i < dim; ++i) keys[i * kernels::kPanel] = k[i];
  std::copy_n(v, dim, head + int64_t{block_tokens} * dim + int64_t{t} * dim);
}

void KvStorage::CopyBlock(int32_t from, int32_t to) {
  std::memcpy(data_.get() + to * block_floats_,
              data_.get() + from * block_floats_, shape_.block_bytes);
}

}  // namespace sheaf
