// SPDX-License-Identifier: Apache-2.0

#define SHEAF_VECTOR_BYTES 64

#include "bench/read_loops.inl.h"

namespace sheaf {

extern const ReadLoop* const kAvx512ReadLoops;
const ReadLoop* const kAvx512ReadLoops = kLoops;

}  // namespace sheaf
