// SPDX-License-Identifier: Apache-2.0

// The kernels compiled for AVX-512 with products of bfloat16, and those that
// multiply by tiles of AMX. CMakeLists.txt sets the options.

#include "engine/kernels/attend_encode_tiles.inl.h"
#include "engine/kernels/gemm_tiles.inl.h"
#include "engine/kernels/table.inl.h"

namespace sheaf::kernels {
namespace {

constexpr Kernels TableWithTiles() {
  Kernels table = TableOf(Isa::kAmx);
  table.gemm_bf16 = MultiplyBf16ByTiles;
  table.gemm_int8 = MultiplyInt8ByTiles;
  table.pack_head = PackHeadForTiles;
  table.attend_encode = AttendEncodeByTiles;
  return table;
}

}  // namespace

extern const Kernels kAmxKernels;
constinit const Kernels kAmxKernels = TableWithTiles();

}  // namespace sheaf::kernels
