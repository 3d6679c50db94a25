// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/status/status.h"
#include "engine/model/description.h"
#include "engine/model/weight_source.h"

namespace sheaf {

// Compares a checkpoint with the description, before any memory is allocated
// for weights, and sets what only the checkpoint knows:
//   tensors                what it calls each tensor of ListTensors()
//   architecture.is_tied   whether the head is absent or equals the table
//   warnings               tensors that have no place in the model
//
// NOT_FOUND names a tensor that is absent. INVALID_ARGUMENT names a tensor
//   - of another shape than the architecture's,
//   - of a type that is not read, or
//   - that changes what the model computes in an unknown way (a bias, a further
//     layer, an adapter, a scale of quantized weights, an embedding that only
//     one stack uses), because such a checkpoint must not be served as another
//     model,
// or says what CheckSupported() says.
absl::Status MatchTensors(const WeightSource& source,
                          ModelDescription& description);

}  // namespace sheaf
