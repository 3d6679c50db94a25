// SPDX-License-Identifier: Apache-2.0

#include "text/tokenizer.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "text/sentencepiece_encoder.h"
#include "text/sentencepiece_model.h"
#include "text/stream_detokenizer.h"
#include "text/tokenizer_files.h"

namespace sheaf {
namespace {

constexpr absl::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

Tokenizer::Token TextToken(absl::string_view text, bool drops_word_space) {
  Tokenizer::Token token;
  token.kind = Tokenizer::Token::Kind::kText;
  token.has_word_space = drops_word_space && absl::StartsWith(text, kSpaceMark);
  token.text = absl::StrReplaceAll(text, {{kSpaceMark, " "}});
  return token;
}

Tokenizer::Token MakeToken(const SentencePieceModel::Piece& piece,
                           bool drops_word_space) {
  using Kind = Tokenizer::Token::Kind;
  Tokenizer::Token token;
  switch (piece.type) {
    case PieceType::kControl:
      break;
    case PieceType::kByte:
      token.kind = Kind::kBytes;
      token.text =
          std::string(1, static_cast<char>(BytePieceValue(piece.text)));
      break;
    case PieceType::kUnknown:
      token.kind = Kind::kUnknown;
      break;
    case PieceType::kNormal:
    case PieceType::kUserDefined:
    case PieceType::kUnused:
      return TextToken(piece.text, drops_word_space);
  }
  return token;
}

}  // namespace

Tokenizer::Tokenizer(TokenizerFiles files,
                     std::unique_ptr<const TextEncoder> encoder)
    : encoder_(std::move(encoder)),
      eos_id_(files.eos_id),
      num_pieces_(static_cast<int32_t>(files.model.pieces.size())),
      keeps_extra_spaces_(!files.model.removes_extra_spaces),
      warnings_(std::move(files.warnings)) {
  const SentencePieceModel& model = files.model;
  const bool drops_word_space =
      files.preparation.has_value()
          ? files.preparation->prefix != TextPreparation::Prefix::kNever
          : model.adds_dummy_prefix || model.removes_extra_spaces;
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    tokens_.push_back(IsSentinelName(piece.text)
                          ? dropped_
                          : MakeToken(piece, drops_word_space));
  }
  for (const AddedToken& token : files.added_tokens) {
    if (token.id >= static_cast<int32_t>(tokens_.size())) {
      tokens_.resize(token.id + 1);
    }
    Token& read = tokens_[token.id];
    if (read.kind == Token::Kind::kUnknown) continue;
    read =
        token.is_special ? dropped_ : TextToken(token.text, drops_word_space);
  }
}

Tokenizer::~Tokenizer() = default;

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Load(
    const std::string& directory, int32_t vocab_size,
    absl::FunctionRef<EncoderPtr(EncoderPtr)> wrap) {
  absl::StatusOr<TokenizerFiles> files =
      ReadTokenizerFiles(directory, vocab_size);
  if (!files.ok()) return files.status();
  absl::StatusOr<std::unique_ptr<const SentencePieceEncoder>> encoder =
      SentencePieceEncoder::Create(*files);
  if (!encoder.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(directory, ": ", encoder.status().message()));
  }
  return absl::WrapUnique(
      new Tokenizer(*std::move(files), wrap(*std::move(encoder))));
}

std::vector<int32_t> Tokenizer::Encode(absl::string_view text,
                                       SpecialTokens allowed) const {
  return encoder_->Encode(/*prompt=*/"", text, allowed);
}

std::vector<int32_t> Tokenizer::EncodePrompted(absl::string_view prompt,
                                               absl::string_view text,
                                               SpecialTokens allowed) const {
  return encoder_->Encode(prompt, text, allowed);
}

std::string Tokenizer::Decode(absl::Span<const int32_t> ids) const {
  StreamDetokenizer detokenizer(*this);
  const std::string text = detokenizer.Append(ids);
  return absl::StrCat(text, detokenizer.Finish());
}

const Tokenizer::Token& Tokenizer::token(int32_t id) const {
  return id >= 0 && id < static_cast<int32_t>(tokens_.size()) ? tokens_[id]
                                                              : dropped_;
}

}  // namespace sheaf
