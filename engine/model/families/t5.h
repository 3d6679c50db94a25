// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "engine/model/families/family.h"

namespace sheaf {

// T5, T5 1.1, Flan-T5, UL2, ByT5, mT5 and UMT5: RMS norms before the
// sub-layers, relative position bias, no biases, unscaled attention scores.
const Family& T5Family();

}  // namespace sheaf
