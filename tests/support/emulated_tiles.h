// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "engine/kernels/isa.h"

// Lets tests run the kernels of Isa::kAmx on processors without AMX.
namespace sheaf {

// Whether the kernels of `isa` can run in this process. If only AMX itself is
// missing, that is, if the processor has AVX-512 with BF16, this emulates its
// tiles from now on: the kernels are those of the product, and each of their
// tile instructions raises SIGILL, whose handler does what the instruction
// would have done, to the bit. A mistake for which a processor raises an
// exception ends the process with a message.
bool CanRun(kernels::Isa isa);

}  // namespace sheaf
