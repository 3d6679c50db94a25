// SPDX-License-Identifier: Apache-2.0

#include "text/bpe_encoder.h"

#include "text/sentencepiece_model.h"
#include "text/text_preparation.h"

namespace sheaf {
namespace {

std::vector<SentencePieceModel::Piece> WithoutSpecialPieces(
    std::vector<SentencePieceModel::Piece> pieces,
    const std::vector<AddedToken>& added_tokens) {
  for (const AddedToken& token : added_tokens) {
    if (token.is_special && token.id < static_cast<int32_t>(pieces.size()) &&
        pieces[token.id].type != PieceType::kUnknown) {
      pieces[token.id].type = PieceType::kControl;
    }
  }
  return pieces;
}

}  // namespace

BpeEncoder::BpeEncoder(const TokenizerFiles& files)
    : AddedTokenEncoder(files.added_tokens, *files.preparation,
                        /*receives_normalized=*/true),
      words_(WithoutSpecialPieces(files.model.pieces, files.added_tokens),
             *files.bpe) {}

void BpeEncoder::AppendText(absl::string_view text, bool is_first,
                            SpecialTokens /*allowed*/,
                            std::vector<int32_t>& ids) const {
  BpeWordEncoder::Scratch scratch;
  SplitWords(preparation(), text, is_first, [&](absl::string_view word) {
    words_.Append(word, scratch, ids);
  });
}

}  // namespace sheaf
