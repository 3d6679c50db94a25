// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "text/added_token_files.h"
#include "text/tokenizer.h"

namespace sheaf {

// The tokenizer of models whose pieces follow the marks of pretraining:
// `spiece.model` with the ids of SetIdsAfterMarks(), or a `tokenizer.json`.
// NotFound if there is neither. Any other error names the file and the broken
// rule.
absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadMarkedTokenizer(
    const AddedTokenFiles& added);

}  // namespace sheaf
