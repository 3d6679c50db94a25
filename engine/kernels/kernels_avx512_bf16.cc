// SPDX-License-Identifier: Apache-2.0

// The kernels compiled for AVX-512 with products of bfloat16. CMakeLists.txt
// sets the options.

#include "engine/kernels/table.inl.h"

namespace sheaf::kernels {
namespace {

// For Processor::has_fast_avx512_bf16 == false. The arithmetic of the encoder's
// attention is its limit, so f32 is faster. The limit of most other products in
// bfloat16 is memory.
constexpr Kernels TableForSlowBf16() {
  Kernels table = TableOf(Isa::kAvx512);
  table.narrow_encode_type = EncodeType::kF32;
  return table;
}

}  // namespace

extern const Kernels kAvx512Bf16Kernels;
constinit const Kernels kAvx512Bf16Kernels = TableOf(Isa::kAvx512);

extern const Kernels kAvx512SlowBf16Kernels;
constinit const Kernels kAvx512SlowBf16Kernels = TableForSlowBf16();

}  // namespace sheaf::kernels
