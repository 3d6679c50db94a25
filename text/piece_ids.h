// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "text/tokenizer_files.h"

namespace sheaf {

// Functions that set `piece_ids` and `vocabulary` of files whose `model` is
// set, for models whose ids are not those of SentencePiece. InvalidArgument
// names the broken rule but not the file.

// Each piece has the id that `tokens` (by id; empty strings are no tokens) have
// for its text. A piece that is not there is unknown. The tokens `unknown` and
// `end` must be there.
absl::Status SetIdsByVocabulary(std::vector<std::string> tokens,
                                absl::string_view unknown,
                                absl::string_view end, TokenizerFiles& files);

// <s>, <pad>, </s>, <unk>, and then the pieces from the third on, as in
// fairseq. The first three pieces must be <unk>, <s> and </s>.
absl::Status SetIdsAfterFour(TokenizerFiles& files);

// <pad>, </s>, the marks of pretraining, and then the pieces from the second
// on, which is <unk> and must have the id 105. The pieces before must be
// control pieces.
absl::Status SetIdsAfterMarks(TokenizerFiles& files);

}  // namespace sheaf
