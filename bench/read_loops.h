// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "engine/kernels/isa.h"

// Loops that do nothing but read memory, as fast as the processor lets them.
// No single one is the fastest on every machine: the hardware's prefetchers
// decide how many streams they follow and how far ahead. So there are several,
// and who wants the bandwidth takes the best.
namespace sheaf {

struct ReadLoop {
  int32_t num_streams;     // places read in turns
  int32_t prefetch_bytes;  // how far ahead; 0: no prefetch by software
  // Reads `bytes` from `data`; returns a sum of it, so that it is not
  // optimized away. REQUIRES: data on a cache line, bytes a multiple of 1024.
  uint64_t (*read)(const void* data, int64_t bytes);
};

inline constexpr int kNumReadLoops = 12;

// [kNumReadLoops], with loads as wide as the ISA's vectors.
// REQUIRES: isa is not above DetectIsa().
const ReadLoop* ReadLoopsFor(kernels::Isa isa);

}  // namespace sheaf
