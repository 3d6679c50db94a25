// SPDX-License-Identifier: Apache-2.0

#define SHEAF_VECTOR_BYTES 32

#include "bench/read_loops.inl.h"

namespace sheaf {

extern const ReadLoop* const kAvx2ReadLoops;
const ReadLoop* const kAvx2ReadLoops = kLoops;

}  // namespace sheaf
