// The kernels compiled for AVX2 with FMA: CMakeLists.txt sets the options.
#define SHEAF_VECTOR_BYTES 32

#include "engine/kernels/kernels.h"

// In this order.
#include "engine/kernels/simd.inl.h"
//
#include "engine/kernels/gemm.inl.h"
//
#include "engine/kernels/attention.inl.h"
#include "engine/kernels/rowwise.inl.h"

namespace sheaf::kernels {

extern const Kernels kAvx2Kernels;
const Kernels kAvx2Kernels = {
    Isa::kAvx2, RunGemm,  AttendDecode,  AttendEncode,
    RmsNorm,   Activate, ScanMaxAndSum,
};

}  // namespace sheaf::kernels
