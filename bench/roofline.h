#pragma once

#include "absl/status/statusor.h"
#include "engine/model/linear.h"
#include "engine/thread_team.h"

namespace sheaf {

// What the machine does at its best, with all members of the team and the
// widest vectors it has: the bounds that a step's time is held against.
struct Roofline {
  double read_bytes_per_second = 0;
  double gemm_flops_per_second = 0;  // a multiply-add is two
};

// Takes about two seconds, and memory for a while: four times the last cache,
// at least 256 MB and at most 2 GB.
// Products are measured with weights of the given type.
// RESOURCE_EXHAUSTED if the machine does not give the memory.
absl::StatusOr<Roofline> MeasureRoofline(ThreadTeam& team, WeightType type);

}  // namespace sheaf
