// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/status/statusor.h"
#include "engine/kernels/isa.h"
#include "engine/model/linear.h"
#include "engine/thread_team.h"

namespace sheaf {

// The best rates of the machine, with all members of the team: the bounds that
// the time of a step is compared with.
struct Roofline {
  double read_bytes_per_second = 0;
  double gemm_flops_per_second = 0;  // a multiply-add is two
};

// Measures reads with the widest vectors of the machine, and products with
// weights of the given type and the kernels of `isa`. Takes about two seconds
// and temporary memory of four times the last cache, at least 256 MB and at
// most 2 GB. RESOURCE_EXHAUSTED if the machine does not give the memory.
absl::StatusOr<Roofline> MeasureRoofline(ThreadTeam& team, WeightType type,
                                         kernels::Isa isa);

}  // namespace sheaf
