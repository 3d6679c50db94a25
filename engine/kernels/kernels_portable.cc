// SPDX-License-Identifier: Apache-2.0

// The kernels compiled for any processor. CMakeLists.txt sets the options.

#include "engine/kernels/table.inl.h"

namespace sheaf::kernels {

extern const Kernels kPortableKernels;
constinit const Kernels kPortableKernels = TableOf(Isa::kPortable);

}  // namespace sheaf::kernels
