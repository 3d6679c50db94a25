// SPDX-License-Identifier: Apache-2.0

// The kernels compiled for AVX-512. CMakeLists.txt sets the options.

#include "engine/kernels/table.inl.h"

namespace sheaf::kernels {

extern const Kernels kAvx512Kernels;
constinit const Kernels kAvx512Kernels = TableOf(Isa::kAvx512);

}  // namespace sheaf::kernels
