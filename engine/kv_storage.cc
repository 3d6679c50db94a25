// SPDX-License-Identifier: Apache-2.0

#include "engine/kv_storage.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "base/bf16.h"
#include "base/enum_names.h"

namespace sheaf {

void KvStorage::Unmap::operator()(char* data) const { munmap(data, bytes); }

namespace {

int64_t ElementBytes(kernels::KvType type) {
  return type == kernels::KvType::kBf16 ? sizeof(uint16_t) : sizeof(float);
}

// WriteF32 and WriteBf16 write the elements of one token. Key i is lane `lane`
// of a row of 16, and value i is head_dim elements away from those of other
// tokens. A row holds one place of the head, or one token, in f32; in bfloat16
// it holds two of them, side by side.
void WriteF32(const float* k, const float* v, int32_t dim, int32_t lane,
              int32_t t, float* keys, float* values) {
  for (int32_t i = 0; i < dim; ++i) keys[i * kernels::kPanel + lane] = k[i];
  std::copy_n(v, dim, values + int64_t{t} * dim);
}

void WriteBf16(const float* k, const float* v, int32_t dim, int32_t lane,
               int32_t t, uint16_t* keys, uint16_t* values) {
  for (int32_t i = 0; i < dim; ++i) {
    keys[(i / 2 * kernels::kPanel + lane) * 2 + i % 2] = ToBf16(k[i]);
    values[(int64_t{t / 2} * dim + i) * 2 + t % 2] = ToBf16(v[i]);
  }
}

constexpr EnumNames<kernels::KvType, 2> kKvTypes = {
    {{{kernels::KvType::kF32, "f32"}, {kernels::KvType::kBf16, "bf16"}}}};

}  // namespace

int64_t KvStorage::RowBytes() const {
  return dims_.head_dim * ElementBytes(dims_.type);
}

absl::string_view KvTypeName(kernels::KvType type) {
  return kKvTypes.Name(type);
}

std::optional<kernels::KvType> ParseKvType(absl::string_view name) {
  return kKvTypes.Parse(name);
}

KvPoolShape KvStorage::ShapeOf(const KvDims& dims) {
  const int32_t heads_by_tokens =
      kernels::kPanel *
      std::lcm(dims.num_self_kv_heads, dims.num_cross_kv_heads);
  KvPoolShape shape;
  shape.block_bytes = int64_t{dims.num_layers} * 2 * dims.head_dim *
                      heads_by_tokens * ElementBytes(dims.type);
  shape.self_block_tokens = heads_by_tokens / dims.num_self_kv_heads;
  shape.cross_block_tokens = heads_by_tokens / dims.num_cross_kv_heads;
  return shape;
}

absl::StatusOr<KvStorage> KvStorage::Create(const KvDims& dims,
                                            int64_t capacity_bytes) {
  if (dims.type == kernels::KvType::kBf16 && dims.head_dim % 2 != 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "kv_type is bf16, which needs an even d_kv; it is %d", dims.head_dim));
  }
  KvPoolShape shape = ShapeOf(dims);
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
  // Large pages, if the machine has them, because a step touches every block.
  madvise(data, bytes, MADV_HUGEPAGE);
  std::memset(data, 0, bytes);
  storage.data_ =
      std::unique_ptr<char[], Unmap>(static_cast<char*>(data), Unmap{bytes});
  return storage;
}

void KvStorage::Write(Attention attention, int32_t layer, int32_t kv_head,
                      const int32_t* block_ids, int32_t token_index,
                      const float* k, const float* v) {
  const int32_t dim = dims_.head_dim;
  const int32_t block_tokens = shape_.block_tokens(attention);
  const int32_t t = token_index % block_tokens;
  const int32_t lane = t % kernels::kPanel;
  char* head = data_.get() +
               block_ids[token_index / block_tokens] * shape_.block_bytes +
               HeadOffset(attention, layer, kv_head);
  char* keys = head + (t - lane) * RowBytes();
  char* values = head + block_tokens * RowBytes();
  if (dims_.type == kernels::KvType::kBf16) {
    WriteBf16(k, v, dim, lane, t, reinterpret_cast<uint16_t*>(keys),
              reinterpret_cast<uint16_t*>(values));
  } else {
    WriteF32(k, v, dim, lane, t, reinterpret_cast<float*>(keys),
             reinterpret_cast<float*>(values));
  }
}

void KvStorage::CopyBlock(int32_t from, int32_t to) {
  std::memcpy(data_.get() + to * shape_.block_bytes,
              data_.get() + from * shape_.block_bytes, shape_.block_bytes);
}

}  // namespace sheaf
