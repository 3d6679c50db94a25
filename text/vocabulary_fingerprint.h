// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "text/tokenizers.h"

namespace sheaf {

// A hash of how the ids of both tokenizers read. Other models, and other orders
// of the same tokens, have other fingerprints. REQUIRES: there are tokenizers.
uint64_t VocabularyFingerprint(const Tokenizers& tokenizers);

}  // namespace sheaf
