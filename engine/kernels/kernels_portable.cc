// The kernels compiled for any processor: CMakeLists.txt sets the options.
#define SHEAF_VECTOR_BYTES 16

#include "engine/kernels/table.inl.h"

namespace sheaf::kernels {

extern const Kernels kPortableKernels;
constinit const Kernels kPortableKernels = TableOf(Isa::kPortable);

}  // namespace sheaf::kernels
