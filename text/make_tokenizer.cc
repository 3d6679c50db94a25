// SPDX-License-Identifier: Apache-2.0

#include "text/make_tokenizer.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "text/bpe_encoder.h"
#include "text/byte_alphabet.h"
#include "text/sentencepiece_encoder.h"
#include "text/sentencepiece_model.h"
#include "text/utf8.h"

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

// A token whose text writes bytes, or is no such text and stands for itself.
Token ByteLevelToken(const std::string& text) {
  Token token;
  token.text = AlphabetBytes(text).value_or(text);
  token.kind =
      IsValidUtf8(token.text) ? Token::Kind::kText : Token::Kind::kBytes;
  return token;
}

}  // namespace

Tokenizer::Table MakeTable(TokenizerFiles files) {
  const SentencePieceModel& model = files.model;
  const bool drops_word_space =
      files.bpe.has_value() ? model.adds_dummy_prefix
      : files.preparation.has_value()
          ? files.preparation->prefix != TextPreparation::Prefix::kNever
          : model.adds_dummy_prefix || model.removes_extra_spaces;
  const bool drops_unknown =
      files.keeps_space_of_unknown || files.bpe.has_value();
  const bool is_byte_level = files.bpe.has_value() && files.bpe->is_byte_level;
  Tokenizer::Table table;
  table.eos_id = files.eos_id;
  table.keeps_extra_spaces = !model.removes_extra_spaces;
  if (files.bpe.has_value()) {
    table.broken_bytes = is_byte_level
                             ? Tokenizer::BrokenBytes::kReplacedTogether
                             : Tokenizer::BrokenBytes::kSpoilRun;
  }
  table.surrounding = std::move(files.surrounding);
  table.warnings = std::move(files.warnings);
  std::vector<Token>& tokens = table.tokens;
  tokens.reserve(files.tokens().size() + files.added_tokens.size());
  for (const SentencePieceModel::Piece& piece : files.tokens()) {
    const bool is_dropped =
        piece.text.empty() || IsSentinelName(piece.text) ||
        (drops_unknown && piece.type == PieceType::kUnknown);
    const bool is_bytes =
        is_byte_level && piece.type != PieceType::kControl && !is_dropped;
    tokens.push_back(is_dropped ? Token()
                     : is_bytes ? ByteLevelToken(piece.text)
                                : MakeToken(piece, drops_word_space));
  }
  for (const AddedToken& added : files.added_tokens) {
    if (added.id >= static_cast<int32_t>(tokens.size())) {
      tokens.resize(added.id + 1);
    }
    Token& token = tokens[added.id];
    if (token.kind == Token::Kind::kUnknown) continue;
    token = added.is_special ? Token()
            : is_byte_level  ? ByteLevelToken(added.text)
                             : TextToken(added.text, drops_word_space);
  }
  return table;
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> MakeTokenizer(
    TokenizerFiles files, absl::string_view name,
    absl::FunctionRef<Tokenizer::EncoderPtr(Tokenizer::EncoderPtr)> wrap) {
  if (files.bpe.has_value()) {
    auto encoder = std::make_unique<const BpeEncoder>(files);
    return std::make_unique<const Tokenizer>(MakeTable(std::move(files)),
                                             wrap(std::move(encoder)));
  }
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
