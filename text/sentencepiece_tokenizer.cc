// SPDX-License-Identifier: Apache-2.0

#include "text/sentencepiece_tokenizer.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "text/sentencepiece_encoder.h"
#include "text/sentencepiece_model.h"

namespace sheaf {
namespace {

using Token = Tokenizer::Token;

constexpr absl::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

Token TextToken(absl::string_view text, bool drops_word_space) {
  Token token;
  token.kind = Token::Kind::kText;
  token.has_word_space = drops_word_space && absl::StartsWith(text, kSpaceMark);
  token.text = absl::StrReplaceAll(text, {{kSpaceMark, " "}});
  return token;
}

Token MakeToken(const SentencePieceModel::Piece& piece, bool drops_word_space) {
  Token token;
  switch (piece.type) {
    case PieceType::kControl:
      break;
    case PieceType::kByte:
      token.kind = Token::Kind::kBytes;
      token.text =
          std::string(1, static_cast<char>(BytePieceValue(piece.text)));
      break;
    case PieceType::kUnknown:
      token.kind = Token::Kind::kUnknown;
      break;
    case PieceType::kNormal:
    case PieceType::kUserDefined:
    case PieceType::kUnused:
      return TextToken(piece.text, drops_word_space);
  }
  return token;
}

}  // namespace

Tokenizer::Table MakeTable(TokenizerFiles files) {
  const SentencePieceModel& model = files.model;
  const bool drops_word_space =
      files.preparation.has_value()
          ? files.preparation->prefix != TextPreparation::Prefix::kNever
          : model.adds_dummy_prefix || model.removes_extra_spaces;
  // The references of such models drop unknown tokens before they join the
  // text, so that the space before stays.
  const bool has_own_ids = !files.vocabulary.empty();
  Tokenizer::Table table;
  table.eos_id = files.eos_id;
  table.keeps_extra_spaces = !model.removes_extra_spaces;
  table.warnings = std::move(files.warnings);
  std::vector<Token>& tokens = table.tokens;
  tokens.reserve(files.tokens().size() + files.added_tokens.size());
  for (const SentencePieceModel::Piece& piece : files.tokens()) {
    const bool is_dropped = piece.text.empty() || IsSentinelName(piece.text) ||
                            (has_own_ids && piece.type == PieceType::kUnknown);
    tokens.push_back(is_dropped ? Token() : MakeToken(piece, drops_word_space));
  }
  for (const AddedToken& added : files.added_tokens) {
    if (added.id >= static_cast<int32_t>(tokens.size())) {
      tokens.resize(added.id + 1);
    }
    Token& token = tokens[added.id];
    if (token.kind == Token::Kind::kUnknown) continue;
    token =
        added.is_special ? Token() : TextToken(added.text, drops_word_space);
  }
  return table;
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> MakeSentencePieceTokenizer(
    TokenizerFiles files, absl::string_view name,
    absl::FunctionRef<Tokenizer::EncoderPtr(Tokenizer::EncoderPtr)> wrap) {
  absl::StatusOr<std::unique_ptr<const SentencePieceEncoder>> encoder =
      SentencePieceEncoder::Create(files);
  if (!encoder.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": ", encoder.status().message()));
  }
  return std::make_unique<const Tokenizer>(MakeTable(std::move(files)),
                                           wrap(*std::move(encoder)));
}

}  // namespace sheaf
