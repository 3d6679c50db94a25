// The kernels compiled for AVX-512: CMakeLists.txt sets the options.
#define SHEAF_VECTOR_BYTES 64

#include "engine/kernels/kernels.h"

// In this order.
#include "engine/kernels/simd.inl.h"
//
#include "engine/kernels/gemm.inl.h"
//
#include "engine/kernels/attention.inl.h"
#include "engine/kernels/gemm_narrow.inl.h"
#include "engine/kernels/rowwise.inl.h"
#include "engine/kernels/scan.inl.h"

namespace sheaf::kernels {

extern const Kernels kAvx512Kernels;
const Kernels kAvx512Kernels = {
    Isa::kAvx512,
    RunProduct<F32Product>,
    RunProduct<Bf16Product>,
    RunProduct<Int8Product>,
    Int8Panel::kGroup,
    QuantizeRows,
    AttendDecode,
    JoinParts,
    AttendEncode,
    RmsNorm,
    Activate,
    ScanMaxAndSum,
    BlockMaxima,
    ExpWeights,
};

}  // namespace sheaf::kernels
