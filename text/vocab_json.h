// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sheaf {

// The tokens of a `vocab.json` (an object with the id of each token), by id.
// Ids that no token has are empty strings. NotFound if there is no such file.
// Any other error names the file, the token and the rule that it breaks:
//   1. A token is not empty, has at most 1,024 bytes and no NUL byte.
//   2. Its id is less than `vocab_size`, and no other token has it.
absl::StatusOr<std::vector<std::string>> ReadVocabJson(const std::string& path,
                                                       int32_t vocab_size);

}  // namespace sheaf
