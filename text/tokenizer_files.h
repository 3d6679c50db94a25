// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "text/added_tokens.h"
#include "text/bpe_model.h"
#include "text/sentencepiece_model.h"
#include "text/text_preparation.h"

namespace sheaf {

struct AddedTokenFiles;

// The checked content of the tokenizer files of a model directory.
struct TokenizerFiles {
  // The tokens that are not added, by id. A token without a text is none.
  const std::vector<SentencePieceModel::Piece>& tokens() const {
    return vocabulary.empty() ? model.pieces : vocabulary;
  }

  SentencePieceModel model;
  // How words become pieces of `model`. Absent: as SentencePiece does.
  std::optional<BpeModel> bpe;
  // The ids of the pieces, which are indices of `vocabulary`. Both are empty if
  // the ids are those of SentencePiece (piece_ids.h).
  std::vector<int32_t> piece_ids;
  std::vector<SentencePieceModel::Piece> vocabulary;
  // Absent if texts go to SentencePiece as they are.
  std::optional<TextPreparation> preparation;
  // Each id and each text occurs once. Ids less than tokens().size() have the
  // text of their token.
  std::vector<AddedToken> added_tokens;
  // Whether the space before an unknown token stays when its text is left out,
  // because the reference drops such tokens before it joins the text.
  bool keeps_space_of_unknown = false;
  int32_t eos_id = -1;                        // -1: none
  std::optional<SurroundingIds> surrounding;  // if a file has them
  std::vector<std::string> warnings;          // of content that is not followed
};

// Reads `tokenizer.json` into `out`, except for the added tokens, which are in
// `added.json_tokens`. NotFound if there is none. Any other error names the
// file, the field and what is allowed.
absl::Status ReadTokenizerJsonAlone(AddedTokenFiles& added,
                                    TokenizerFiles& out);

// Reads `spiece.model`, `tokenizer.json` or both, or if there is neither,
// `vocab.json` and `merges.txt`. If they exist, also reads
// `tokenizer_config.json`, `added_tokens.json` and `special_tokens_map.json`.
//
//   1. The pieces are those of spiece.model. If there is a tokenizer.json too,
//   it
//      must have the same pieces, and defines how texts are prepared. If its
//      kind is not supported, it is ignored with a warning.
//   2. The added tokens are those of tokenizer.json, of `added_tokens_decoder`
//   in
//      tokenizer_config.json, and of added_tokens.json. The first file that has
//      a token gives its flags. If there are none, `extra_ids` sentinels (100)
//      follow the pieces, if the vocabulary has room. Special tokens that are
//      named without an id come last.
//   3. Tokens of added_tokens.json are found in the text as it is, and so are
//      normalized tokens that have no visible character after normalization.
//   4. Control tokens (end, padding, unknown, beginning, and control pieces)
//      need SpecialTokens::kAll. Sentinels and other special tokens need
//      kSentinels. Added tokens that are not special need nothing.
//
// NotFound if there is neither spiece.model nor tokenizer.json. Any other
// error, such as an id that is not less than `vocab_size`, names the file, the
// field and what is allowed.
absl::StatusOr<TokenizerFiles> ReadTokenizerFiles(const std::string& directory,
                                                  int32_t vocab_size);

}  // namespace sheaf
