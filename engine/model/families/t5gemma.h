// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "engine/model/families/family.h"

namespace sheaf {

// T5Gemma and T5Gemma 2: RMS norms before and after the sub-layers, rotary
// positions, windows in some layers, grouped KV heads in both stacks. T5Gemma
// caps scores and logits; T5Gemma 2 norms queries and keys, and its decoder has
// one attention over its own and the source's tokens.
const Family& T5GemmaFamily();

}  // namespace sheaf
