#include "text/tokenizer.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "text/charsmap.h"
#include "text/sentencepiece_library.h"
#include "text/sentencepiece_model.h"
#include "text/stream_detokenizer.h"
#include "text/tokenizer_files.h"
#include "text/utf8.h"

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
      token.kind = Kind::kByte;
      token.byte = static_cast<uint8_t>(BytePieceValue(piece.text));
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

// The added tokens that are found in normalized texts, or those that are not.
AddedTokenSplitter MakeSplitter(const std::vector<AddedToken>& tokens,
                                const TextPreparation* normalization) {
  std::vector<const AddedToken*> chosen;
  std::vector<std::string> patterns;
  absl::flat_hash_set<std::string> seen;
  for (const AddedToken& token : tokens) {
    if (token.is_normalized != (normalization != nullptr)) continue;
    std::string pattern = normalization == nullptr
                              ? token.text
                              : Normalize(*normalization, token.text);
    if (!seen.insert(pattern).second) continue;
    chosen.push_back(&token);
    patterns.push_back(std::move(pattern));
  }
  return AddedTokenSplitter(
      std::move(chosen),
      std::vector<absl::string_view>(patterns.begin(), patterns.end()));
}

// The model as a library gets it. Special tokens are never pieces: they are
// added tokens. Prepared texts need no rules for spaces.
SentencePieceModel LibraryModel(const SentencePieceModel& model,
                                const std::vector<AddedToken>& added_tokens,
                                bool has_preparation) {
  SentencePieceModel out = model;
  for (const AddedToken& token : added_tokens) {
    if (!token.is_special ||
        token.id >= static_cast<int32_t>(out.pieces.size()))
      continue;
    PieceType& type = out.pieces[token.id].type;
    if (type != PieceType::kUnknown) type = PieceType::kControl;
  }
  if (!has_preparation) return out;
  out.charsmap.clear();
  out.adds_dummy_prefix = false;
  out.removes_extra_spaces = false;
  return out;
}

}  // namespace

// What one text, or a part of it, may yield, and the ids so far.
class Tokenizer::Encoding {
 public:
  // The first `prompt_size` bytes of `text` may yield all tokens.
  Encoding(const Tokenizer& tokenizer, absl::string_view text,
           size_t prompt_size, SpecialTokens allowed)
      : tokenizer_(tokenizer), allowed_(allowed) {
    if (tokenizer_.splitter_.is_empty()) {
      AddSegment(text, prompt_size, /*is_first=*/true);
      return;
    }
    for (const TextPart& part :
         tokenizer_.splitter_.Split(text, prompt_size, allowed)) {
      const size_t begin = part.text.data() - text.data();
      if (part.token != nullptr) {
        ids_.push_back(part.token->id);
      } else {
        AddSegment(part.text, prompt_size - std::min(begin, prompt_size),
                   begin == 0);
      }
    }
  }

  std::vector<int32_t> TakeIds() { return std::move(ids_); }

 private:
  // Text without added tokens that are found in texts as they are.
  void AddSegment(absl::string_view text, size_t prompt_size, bool is_first) {
    const bool is_prepared = tokenizer_.preparation_.has_value();
    if (!is_prepared && tokenizer_.normalized_splitter_.is_empty()) {
      AddPieces(text, is_first);
      return;
    }
    const TextPreparation& normalization = tokenizer_.normalization_;
    const std::string normalized = Normalize(normalization, text);
    prompt_size = std::min(prompt_size, text.size());
    const size_t normalized_prompt_size =
        prompt_size == text.size()
            ? normalized.size()
            : Normalize(normalization, text.substr(0, prompt_size)).size();
    const std::vector<TextPart> parts = tokenizer_.normalized_splitter_.Split(
        normalized, normalized_prompt_size, allowed_);
    // SentencePiece normalizes by itself.
    if (!is_prepared && parts.size() == 1 && parts[0].token == nullptr) {
      AddPieces(text, is_first);
      return;
    }
    for (const TextPart& part : parts) {
      if (part.token != nullptr) {
        ids_.push_back(part.token->id);
        continue;
      }
      AddPieces(part.text, is_first && part.text.data() == normalized.data());
    }
  }

  void AddPieces(absl::string_view text, bool is_first) {
    std::string prepared;
    if (tokenizer_.preparation_.has_value()) {
      prepared = MarkSpaces(*tokenizer_.preparation_, text, is_first);
      text = prepared;
    }
    if (text.empty()) return;
    const SentencePieceLibrary& library =
        allowed_ == SpecialTokens::kNone ||
                tokenizer_.sentinel_library_ == nullptr
            ? *tokenizer_.library_
            : *tokenizer_.sentinel_library_;
    if (library.Encode(std::string_view(text.data(), text.size()), scratch_)) {
      ids_.insert(ids_.end(), scratch_.begin(), scratch_.end());
    } else {
      ids_.push_back(tokenizer_.unknown_id_);
    }
  }

  const Tokenizer& tokenizer_;
  const SpecialTokens allowed_;
  std::vector<int32_t> ids_;
  std::vector<int32_t> scratch_;
};

Tokenizer::Tokenizer(TokenizerFiles files)
    : preparation_(std::move(files.preparation)),
      normalization_(preparation_.has_value()
                         ? *preparation_
                         : TextPreparation{.charsmap = files.model.charsmap}),
      added_tokens_(std::move(files.added_tokens)),
      splitter_(MakeSplitter(added_tokens_, nullptr)),
      normalized_splitter_(MakeSplitter(added_tokens_, &normalization_)),
      eos_id_(files.eos_id),
      num_pieces_(static_cast<int32_t>(files.model.pieces.size())),
      keeps_extra_spaces_(!files.model.removes_extra_spaces),
      warnings_(std::move(files.warnings)) {
  SetTokens(files.model);
}

Tokenizer::~Tokenizer() = default;

void Tokenizer::SetTokens(const SentencePieceModel& model) {
  const bool drops_word_space =
      preparation_.has_value()
          ? preparation_->prefix != TextPreparation::Prefix::kNever
          : model.adds_dummy_prefix || model.removes_extra_spaces;
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    if (piece.type == PieceType::kUnknown) {
      unknown_id_ = static_cast<int32_t>(tokens_.size());
    }
    tokens_.push_back(IsSentinelName(piece.text)
                          ? dropped_
                          : MakeToken(piece, drops_word_space));
  }
  for (const AddedToken& token : added_tokens_) {
    if (token.id >= static_cast<int32_t>(tokens_.size())) {
      tokens_.resize(token.id + 1);
    }
    Token& read = tokens_[token.id];
    if (read.kind == Token::Kind::kUnknown) continue;
    read =
        token.is_special ? dropped_ : TextToken(token.text, drops_word_space);
  }
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Load(
    const std::string& directory, int32_t vocab_size) {
  absl::StatusOr<TokenizerFiles> files =
      ReadTokenizerFiles(directory, vocab_size);
  if (!files.ok()) return files.status();
  const SentencePieceModel model = LibraryModel(
      files->model, files->added_tokens, files->preparation.has_value());
  auto tokenizer = absl::WrapUnique(new Tokenizer(*std::move(files)));
  if (absl::Status status = tokenizer->CreateLibraries(model); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(directory, ": ", status.message()));
  }
  return tokenizer;
}

absl::Status Tokenizer::CreateLibraries(const SentencePieceModel& model) {
  SentencePieceModel without_sentinels = model;
  bool has_sentinels = false;
  for (SentencePieceModel::Piece& piece : without_sentinels.pieces) {
    if (!IsSentinelName(piece.text) || piece.type == PieceType::kControl) {
      continue;
    }
    piece.type = PieceType::kControl;
    has_sentinels = true;
  }
  std::string error;
  library_ = SentencePieceLibrary::Create(Serialize(without_sentinels), error);
  if (has_sentinels && library_ != nullptr) {
    sentinel_library_ = SentencePieceLibrary::Create(Serialize(model), error);
  }
  if (library_ != nullptr && (!has_sentinels || sentinel_library_ != nullptr)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("SentencePiece refuses the model: ", error));
}

std::vector<int32_t> Tokenizer::Encode(absl::string_view text,
                                       SpecialTokens allowed) const {
  if (!IsValidUtf8(text)) {
    return Encode(ApplyCharsMap(/*charsmap=*/"", text), allowed);
  }
  return Encoding(*this, text, /*prompt_size=*/0, allowed).TakeIds();
}

std::vector<int32_t> Tokenizer::EncodePrompted(absl::string_view prompt,
                                               absl::string_view text) const {
  if (!IsValidUtf8(prompt) || !IsValidUtf8(text)) {
    return EncodePrompted(ApplyCharsMap(/*charsmap=*/"", prompt),
                          ApplyCharsMap(/*charsmap=*/"", text));
  }
  // Such a sentinel is found by a library, which reads a whole text.
  if (sentinel_library_ != nullptr && absl::StrContains(prompt, "<extra_id_")) {
    std::vector<int32_t> ids = Encode(prompt, SpecialTokens::kAll);
    const std::vector<int32_t> rest = Encode(text);
    ids.insert(ids.end(), rest.begin(), rest.end());
    return ids;
  }
  return Encoding(*this, absl::StrCat(prompt, text), prompt.size(),
                  SpecialTokens::kNone)
      .TakeIds();
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
