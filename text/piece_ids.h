// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "text/tokenizer_files.h"

namespace sheaf {

// Functions that set `piece_ids`, `vocabulary` and `keeps_space_of_unknown` of
// files whose `model` is set, for models whose ids are not those of
// SentencePiece. InvalidArgument names the file `path` and the broken rule.

// Each piece has the id that `tokens` (by id; empty strings are no tokens) have
// for its text. A piece that is not there is unknown. Characters that are no
// piece may be a token, except for tags such as ">>deu<<". The tokens `unknown`
// and `end` must be there. `path` is the file of the tokens.
absl::Status SetIdsByVocabulary(absl::string_view path,
                                std::vector<std::string> tokens,
                                absl::string_view unknown,
                                absl::string_view end, TokenizerFiles& files);

// <s>, <pad>, </s>, <unk>, and then the pieces from the fourth on, as in
// fairseq. The first three pieces must be <unk>, <s> and </s>.
absl::Status SetIdsAfterFour(absl::string_view path, TokenizerFiles& files);

// The number of ids before the first piece in SetIdsAfterMarks().
inline constexpr int32_t kMarkedOffset = 103;

// <pad>, </s>, <mask_1>, <mask_2>, <unk_2> and so on, and then the pieces from
// the third on, which must be <unk> and follows <pad> and </s>. Each has the id
// that is kMarkedOffset higher than that of the piece.
absl::Status SetIdsAfterMarks(absl::string_view path, TokenizerFiles& files);

}  // namespace sheaf
