// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <optional>

#include "absl/strings/string_view.h"

namespace sheaf::kernels {

// The instruction sets that the kernels are compiled for, each a superset of
// the one before.
enum class Isa {
  kPortable,  // what every x86-64 (or other) processor has
  kAvx2,      // AVX2, FMA, F16C
  kAvx512,    // AVX-512 F, BW, DQ, VL, VNNI; BF16 if the processor has it
  kAmx,       // these with BF16; and AMX tiles of int8 and bfloat16
};

// The instructions that a processor has and its operating system supports.
struct Processor {
  bool has_avx2;  // with FMA and F16C
  bool has_avx512;
  bool has_avx512_bf16;
  // Whether it makes more products of bfloat16 (vdpbf16ps) per second than of
  // f32: a Zen 4 makes twice as many, and an Emerald Rapids 0.8 times. A rule
  // rather than a measurement, so that the bits of a model's results are the
  // same from start to start.
  bool has_fast_avx512_bf16;
  bool has_amx;
};

const Processor& ThisProcessor();

struct DetectedIsa {
  Isa isa;  // the largest one that this process can use
  // Whether the processor has kAmx, but the operating system does not let this
  // process use it.
  bool is_amx_refused;
};

// `request_tiles` asks the operating system for AMX tiles and returns whether
// they may be used. It is called only if the processor has all of kAmx.
DetectedIsa DetectIsa(const Processor& processor, bool (*request_tiles)());

// Does the same for ThisProcessor() and this process, once. The answer holds
// for all threads and forked children. Linux refuses before 5.16, or if a
// filter of system calls does.
const DetectedIsa& DetectThisIsa();

// The largest one that this process can use.
inline Isa DetectIsa() { return DetectThisIsa().isa; }

absl::string_view IsaName(Isa isa);  // "portable", "avx2", "avx512", "amx"

// The inverse of IsaName(); nullopt for any other text.
std::optional<Isa> ParseIsa(absl::string_view name);

}  // namespace sheaf::kernels
