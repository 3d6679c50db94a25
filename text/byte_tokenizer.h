// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "text/added_token_files.h"
#include "text/tokenizer.h"

namespace sheaf {

// The tokenizer of models that read bytes: <pad>, </s> and <unk>, then the 256
// bytes, then as many sentinels as `extra_ids` in tokenizer_config.json says
// (125). Bytes that are no part of a character have no text. Errors are those
// of CollectAddedTokens().
absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadByteTokenizer(
    AddedTokenFiles files);

}  // namespace sheaf
