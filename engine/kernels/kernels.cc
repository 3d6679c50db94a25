// SPDX-License-Identifier: Apache-2.0

#include "engine/kernels/kernels.h"

namespace sheaf::kernels {

extern const Kernels kPortableKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kAvx512Bf16Kernels;
extern const Kernels kAmxKernels;
#endif

const Kernels& KernelsFor(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAmx) return kAmxKernels;
  if (isa == Isa::kAvx512) {
    return __builtin_cpu_supports("avx512bf16") ? kAvx512Bf16Kernels
                                                : kAvx512Kernels;
  }
  if (isa == Isa::kAvx2) return kAvx2Kernels;
#endif
  return kPortableKernels;
}

}  // namespace sheaf::kernels
