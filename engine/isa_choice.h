// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/kernels/isa.h"

namespace sheaf {

// The instruction set of a program with the flag --isa.
struct IsaChoice {
  kernels::Isa isa;
  std::string warning;  // one line for the log; empty for none
};

// `name` is the flag's value: "auto" for the largest that this process can use,
// or an IsaName() up to that. Any other name is an error, which tells those
// that can be used. Warns if the operating system refuses AMX.
absl::StatusOr<IsaChoice> ChooseIsa(
    absl::string_view name,
    const kernels::DetectedIsa& detected = kernels::DetectThisIsa());

}  // namespace sheaf
