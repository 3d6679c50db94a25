// SPDX-License-Identifier: Apache-2.0

// The kernels compiled for AVX-512 with products of bfloat16. CMakeLists.txt
// sets the options.

#include "engine/kernels/table.inl.h"

namespace sheaf::kernels {

extern const Kernels kAvx512Bf16Kernels;
constinit const Kernels kAvx512Bf16Kernels = TableOf(Isa::kAvx512);

}  // namespace sheaf::kernels
