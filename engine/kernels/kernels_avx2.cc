// SPDX-License-Identifier: Apache-2.0

// The kernels compiled for AVX2 with FMA. CMakeLists.txt sets the options.

#include "engine/kernels/table.inl.h"

namespace sheaf::kernels {

extern const Kernels kAvx2Kernels;
constinit const Kernels kAvx2Kernels = TableOf(Isa::kAvx2);

}  // namespace sheaf::kernels
