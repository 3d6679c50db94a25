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
};

// The largest one that this processor has.
Isa DetectIsa();

absl::string_view IsaName(Isa isa);  // "portable", "avx2", "avx512"

// The inverse of IsaName(); nullopt for any other text.
std::optional<Isa> ParseIsa(absl::string_view name);

}  // namespace sheaf::kernels
