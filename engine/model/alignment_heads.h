// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/status/status.h"
#include "base/config_files.h"
#include "engine/model/architecture.h"

namespace sheaf {

// Sets `architecture.alignment`, whose other fields are set, from the first of
// these that exists:
//   1. sheaf_alignment.json: {"heads": [[layer, head], ...], "shift": 0 or 1},
//      all from 0 on;
//   2. alignment_heads of generation_config.json, such pairs with shift 0;
//   3. what the family has set;
//   4. all heads of the last layer of the lower half, with shift 1. Of 6
//   layers,
//      the third aligns best in this way (Chen et al. 2020), because there the
//      state is still that of the input token.
// INVALID_ARGUMENT names file, key, value and what is allowed.
absl::Status SetAlignmentHeads(const ConfigFiles& files,
                               Architecture& architecture);

// All heads of all layers: what a choice is made from.
AlignmentHeads AllHeads(const Architecture& architecture);

}  // namespace sheaf
