// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "text/added_token_files.h"
#include "text/tokenizer_files.h"

namespace sheaf {

// CollectAddedTokens() for a directory in which a SentencePiece model, whose
// path is `model_path`, defines the pieces, and that may have a tokenizer.json
// too. The tokens of that file must be those of `files`, at the same ids. If
// its kind is not supported, it is ignored with a warning. Errors name the file
// and the token.
absl::Status CollectTokensBesideModel(AddedTokenFiles added,
                                      const std::string& model_path,
                                      TokenizerFiles& files);

// ReadTokenizerJsonAlone() and CollectAddedTokens(), for a directory that has
// no SentencePiece model and whose special tokens no text may yield. NotFound
// if there are no such files.
absl::StatusOr<TokenizerFiles> CollectTokensWithoutModel(AddedTokenFiles added);

}  // namespace sheaf
