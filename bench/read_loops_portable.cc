// SPDX-License-Identifier: Apache-2.0

#define SHEAF_VECTOR_BYTES 16

#include "bench/read_loops.inl.h"

namespace sheaf {

extern const ReadLoop* const kPortableReadLoops;
const ReadLoop* const kPortableReadLoops = kLoops;

}  // namespace sheaf
