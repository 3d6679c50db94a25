#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "text/added_tokens.h"
#include "text/sentencepiece_model.h"
#include "text/text_preparation.h"

namespace sheaf {

// The tokenizer of a model directory, checked.
struct TokenizerFiles {
  SentencePieceModel model;
  // Null: texts go to SentencePiece as they are.
  std::optional<TextPreparation> preparation;
  // Each id and each text is there once. Those below model.pieces.size() have
  // the text of their piece.
  std::vector<AddedToken> added_tokens;
  int32_t eos_id = -1;
  std::vector<std::string> warnings;  // what of the files is not followed
};

// Reads `spiece.model`, `tokenizer.json` or both, `tokenizer_config.json`,
// `added_tokens.json` and `special_tokens_map.json`, as far as they are there.
//
//   1. Pieces are those of spiece.model. A tokenizer.json beside it must have
//      the same, and then says how texts are prepared. One of a kind that is
//      not supported is left out with a warning.
//   2. Added tokens are those of tokenizer.json, of `added_tokens_decoder` in
//      tokenizer_config.json, and of added_tokens.json; the first that has a
//      token gives its flags. Without any, `extra_ids` sentinels (100) follow
//      the pieces, if the vocabulary has room. Special tokens that are named
//      without an id come last.
//   3. Tokens of added_tokens.json, and normalized tokens of which normalizing
//      leaves no visible character, are found in the text as it is.
//   4. Control tokens (end, padding, unknown, beginning, and control pieces)
//      need SpecialTokens::kAll; sentinels and other special tokens need
//      kSentinels; added tokens that are not special need nothing.
//
// NotFound if there is neither spiece.model nor tokenizer.json. Another error
// names the file, the field and what is allowed: an id beyond `vocab_size`,
// files that disagree.
absl::StatusOr<TokenizerFiles> ReadTokenizerFiles(const std::string& directory,
                                                  int32_t vocab_size);

}  // namespace sheaf
