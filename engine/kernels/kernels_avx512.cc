// The kernels compiled for AVX-512: CMakeLists.txt sets the options.
#define SHEAF_VECTOR_BYTES 64

#include "engine/kernels/table.inl.h"

namespace sheaf::kernels {

extern const Kernels kAvx512Kernels;
constinit const Kernels kAvx512Kernels = TableOf(Isa::kAvx512);

}  // namespace sheaf::kernels
