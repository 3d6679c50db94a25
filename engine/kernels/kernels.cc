// SPDX-License-Identifier: Apache-2.0

#include "engine/kernels/kernels.h"

#include <algorithm>

namespace sheaf::kernels {

extern const Kernels kPortableKernels;
#if defined(__x86_64__) && !defined(SHEAF_PORTABLE_KERNELS)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kAvx512Bf16Kernels;
extern const Kernels kAvx512SlowBf16Kernels;
extern const Kernels kAmxKernels;
#endif

const Kernels& KernelsFor(Isa isa, const Processor& processor) {
#if defined(__x86_64__) && !defined(SHEAF_PORTABLE_KERNELS)
  if (isa == Isa::kAmx) return kAmxKernels;
  if (isa == Isa::kAvx512) {
    if (!processor.has_avx512_bf16) return kAvx512Kernels;
    return processor.has_fast_avx512_bf16 ? kAvx512Bf16Kernels
                                          : kAvx512SlowBf16Kernels;
  }
  if (isa == Isa::kAvx2) return kAvx2Kernels;
#endif
  (void)isa;
  (void)processor;
  return kPortableKernels;
}

ReadAhead::Piece ReadAhead::Take(int64_t bytes) {
  if (next == end) return {nullptr, 0};
  const Piece taken = {next->at + offset,
                       std::min(bytes, next->bytes - offset)};
  offset += taken.bytes;
  if (offset == next->bytes) {
    ++next;
    offset = 0;
  }
  return taken;
}

const Kernels& KernelsFor(Isa isa) { return KernelsFor(isa, ThisProcessor()); }

}  // namespace sheaf::kernels
