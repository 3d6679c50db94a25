// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "text/added_tokens.h"
#include "text/sentencepiece_model.h"
#include "text/text_preparation.h"

namespace sheaf {

inline constexpr uint64_t kMaxTokenizerJsonBytes = uint64_t{64} << 20;

// A `tokenizer.json` of the kind that transformers writes for a model of
// SentencePiece's Unigram type.
struct TokenizerJson {
  // Not checked yet. Pieces are of the types normal, unknown, unused and byte,
  // and the end-of-sequence piece is of type control. The table and the rules
  // for spaces are in `preparation`.
  SentencePieceModel model;
  TextPreparation preparation;
  std::vector<AddedToken> added_tokens;  // `needs` is not set
};

// Reads the text of such a file, which may have at most `max_pieces` pieces:
//   model           Unigram
//   normalizer      null, Precompiled, or a Sequence of Precompiled, Strip
//                   (right) and Replace (of runs of spaces)
//   pre_tokenizer   Metaspace, or WhitespaceSplit and Metaspace
//   post_processor  TemplateProcessing: the text and the end-of-sequence token
//   decoder         Metaspace
// UNIMPLEMENTED names the field of another kind of tokenizer. InvalidArgument
// names the broken rule. Errors begin with `name`.
absl::StatusOr<TokenizerJson> ParseTokenizerJson(absl::string_view text,
                                                 absl::string_view name,
                                                 int32_t max_pieces);

// An added token from its object (`content`, `lstrip`, ...), which has the same
// form in all files of a tokenizer. Errors begin with `where`.
absl::StatusOr<AddedToken> ParseAddedToken(const nlohmann::json& object,
                                           absl::string_view where);

}  // namespace sheaf
