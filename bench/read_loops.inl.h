// SPDX-License-Identifier: Apache-2.0

// The loops of read_loops.h with vectors of SHEAF_VECTOR_BYTES, compiled once
// for every Isa (read_loops_*.cc). As in the kernels, nothing here may be an
// inline function with external linkage.

#include "bench/read_loops.h"

namespace sheaf {
namespace {

typedef uint64_t ReadVec
    __attribute__((vector_size(SHEAF_VECTOR_BYTES), may_alias));

constexpr int64_t kLineBytes = 64;
constexpr int64_t kTurnBytes = 2 * kLineBytes;  // of a stream before the next

template <int kStreams, int kPrefetchBytes>
uint64_t Read(const void* data, int64_t bytes) {
  const int64_t part = bytes / kStreams;
  const char* base = static_cast<const char*>(data);
  ReadVec sum[kStreams] = {};
  for (int64_t at = 0; at < part; at += kTurnBytes) {
#pragma GCC unroll 8
    for (int s = 0; s < kStreams; ++s) {
      const char* p = base + s * part + at;
      if constexpr (kPrefetchBytes > 0) {
        __builtin_prefetch(p + kPrefetchBytes);
        __builtin_prefetch(p + kPrefetchBytes + kLineBytes);
      }
#pragma GCC unroll 8
      for (int64_t i = 0; i < kTurnBytes; i += SHEAF_VECTOR_BYTES) {
        sum[s] += *reinterpret_cast<const ReadVec*>(p + i);
      }
    }
  }
  uint64_t total = 0;
  for (int s = 0; s < kStreams; ++s) {
    for (int i = 0; i < SHEAF_VECTOR_BYTES / 8; ++i) total += sum[s][i];
  }
  return total;
}

constexpr ReadLoop kLoops[kNumReadLoops] = {
    {1, 0, Read<1, 0>}, {1, 512, Read<1, 512>}, {1, 4096, Read<1, 4096>},
    {2, 0, Read<2, 0>}, {2, 512, Read<2, 512>}, {2, 4096, Read<2, 4096>},
    {4, 0, Read<4, 0>}, {4, 512, Read<4, 512>}, {4, 2048, Read<4, 2048>},
    {8, 0, Read<8, 0>}, {8, 512, Read<8, 512>}, {8, 2048, Read<8, 2048>},
};

}  // namespace
}  // namespace sheaf
