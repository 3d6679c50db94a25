#include "server/text/tokenizer.h"

#include <string_view>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "engine/check.h"
#include "files/input_file.h"
#include "server/text/sentencepiece_library.h"
#include "server/text/sentencepiece_model.h"

namespace sheaf {
namespace {

constexpr uint64_t kMaxModelBytes = uint64_t{64} << 20;
constexpr absl::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

Tokenizer::Token MakeToken(const SentencePieceModel::Piece& piece,
                           const SentencePieceModel& model) {
  using Kind = Tokenizer::Token::Kind;
  Tokenizer::Token token;
  switch (piece.type) {
    case PieceType::kControl:
      break;
    case PieceType::kByte:
      token.kind = Kind::kByte;
      token.byte = static_cast<uint8_t>(BytePieceValue(piece.text));
      break;
    case PieceType::kUnknown:
      token.kind = Kind::kText;
      token.text = model.unknown_surface;
      break;
    case PieceType::kNormal:
    case PieceType::kUserDefined:
    case PieceType::kUnused:
      token.kind = Kind::kText;
      token.has_word_space =
          absl::StartsWith(piece.text, kSpaceMark) &&
          (model.adds_dummy_prefix || model.removes_extra_spaces);
      token.text = absl::StrReplaceAll(piece.text, {{kSpaceMark, " "}});
      break;
  }
  return token;
}

}  // namespace

Tokenizer::Tokenizer(const SentencePieceModel& model,
                     std::unique_ptr<SentencePieceLibrary> library)
    : library_(std::move(library)),
      eos_id_(model.eos_id),
      keeps_extra_spaces_(!model.removes_extra_spaces) {
  tokens_.reserve(model.pieces.size());
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    if (piece.type == PieceType::kUnknown) unknown_id_ = num_pieces();
    tokens_.push_back(MakeToken(piece, model));
  }
}

Tokenizer::~Tokenizer() = default;

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Load(
    const std::string& path, int32_t vocab_size) {
  absl::StatusOr<std::string> bytes = ReadTextFile(path, kMaxModelBytes);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<SentencePieceModel> model =
      ReadSentencePieceModel(*bytes, vocab_size);
  if (!model.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", model.status().message()));
  }
  std::string error;
  std::unique_ptr<SentencePieceLibrary> library =
      SentencePieceLibrary::Create(Serialize(*model), error);
  if (library == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": SentencePiece refuses it: ", error));
  }
  return absl::WrapUnique(new Tokenizer(*model, std::move(library)));
}

std::vector<int32_t> Tokenizer::Encode(absl::string_view text) const {
  std::vector<int32_t> ids;
  if (text.empty()) return ids;
  if (!library_->Encode(std::string_view(text.data(), text.size()), ids)) {
    ids.assign(1, unknown_id_);
  }
  return ids;
}

std::string Tokenizer::Decode(absl::Span<const int32_t> ids) const {
  std::vector<int32_t> kept;
  kept.reserve(ids.size());
  for (int32_t id : ids) {
    if (token(id).kind != Token::Kind::kDropped) kept.push_back(id);
  }
  std::string text;
  const bool is_ok = library_->Decode(kept, text);
  SHEAF_CHECK(is_ok);
  return text;
}

const Tokenizer::Token& Tokenizer::token(int32_t id) const {
  return id >= 0 && id < num_pieces() ? tokens_[id] : dropped_;
}

}  // namespace sheaf
