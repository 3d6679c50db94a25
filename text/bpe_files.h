// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "text/tokenizer_json.h"

namespace sheaf {

// Reads `vocab.json` and `merges.txt`, the older form of a byte-level
// tokenizer.json. `adds_prefix_space` says whether a space is put before a
// text. Texts are surrounded by "<s>" and "</s>". "<unk>" stands for bytes
// without a token. NotFound if there is no merges.txt. INVALID_ARGUMENT names
// the file and the broken rule.
absl::StatusOr<TokenizerDefinition> ReadBpeFiles(const std::string& directory,
                                                 int32_t vocab_size,
                                                 bool adds_prefix_space);

}  // namespace sheaf
