// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "engine/model/families/family.h"

namespace sheaf {

// BART, mBART, Marian (OPUS-MT), M2M100, NLLB and Pegasus: one block with
// biases and layer norms, in five settings.
const Family& BartFamily();

}  // namespace sheaf
