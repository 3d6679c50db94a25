// SPDX-License-Identifier: Apache-2.0

#include "text/sentencepiece_encoder.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "text/charsmap.h"
#include "text/sentencepiece_library.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_files.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

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

// The model as a library receives it. Special tokens are never pieces, because
// they are added tokens. Prepared texts need no rules for spaces.
SentencePieceModel LibraryModel(const SentencePieceModel& model,
                                const std::vector<AddedToken>& added_tokens,
                                bool has_preparation) {
  SentencePieceModel out = model;
  for (const AddedToken& token : added_tokens) {
    if (!token.is_special ||
        token.id >= static_cast<int32_t>(out.pieces.size())) {
      continue;
    }
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

// Encodes one text: the tokens that each part of it may yield, and the ids so
// far.
class SentencePieceEncoder::Encoding {
 public:
  // The first `prompt_size` bytes of `text` may yield all tokens.
  Encoding(const SentencePieceEncoder& encoder, absl::string_view text,
           size_t prompt_size, SpecialTokens allowed)
      : encoder_(encoder), allowed_(allowed) {
    if (encoder_.splitter_.is_empty()) {
      AddSegment(text, prompt_size, /*is_first=*/true);
      return;
    }
    for (const TextPart& part :
         encoder_.splitter_.Split(text, prompt_size, allowed)) {
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
  // Adds text that has no added tokens of splitter_.
  void AddSegment(absl::string_view text, size_t prompt_size, bool is_first) {
    const bool is_prepared = encoder_.preparation_.has_value();
    if (!is_prepared && encoder_.normalized_splitter_.is_empty()) {
      AddPieces(text, is_first);
      return;
    }
    const TextPreparation& normalization = encoder_.normalization_;
    const std::string normalized = Normalize(normalization, text);
    prompt_size = std::min(prompt_size, text.size());
    const size_t normalized_prompt_size =
        prompt_size == text.size()
            ? normalized.size()
            : Normalize(normalization, text.substr(0, prompt_size)).size();
    const std::vector<TextPart> parts = encoder_.normalized_splitter_.Split(
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
    if (encoder_.preparation_.has_value()) {
      prepared = MarkSpaces(*encoder_.preparation_, text, is_first);
      text = prepared;
    }
    if (text.empty()) return;
    const SentencePieceLibrary& library =
        allowed_ == SpecialTokens::kNone ||
                encoder_.sentinel_library_ == nullptr
            ? *encoder_.library_
            : *encoder_.sentinel_library_;
    if (library.Encode(std::string_view(text.data(), text.size()), scratch_)) {
      ids_.insert(ids_.end(), scratch_.begin(), scratch_.end());
    } else {
      ids_.push_back(encoder_.unknown_id_);
    }
  }

  const SentencePieceEncoder& encoder_;
  const SpecialTokens allowed_;
  std::vector<int32_t> ids_;
  std::vector<int32_t> scratch_;
};

SentencePieceEncoder::SentencePieceEncoder(const TokenizerFiles& files)
    : preparation_(files.preparation),
      normalization_(preparation_.has_value()
                         ? *preparation_
                         : TextPreparation{.charsmap = files.model.charsmap}),
      added_tokens_(files.added_tokens),
      splitter_(MakeSplitter(added_tokens_, nullptr)),
      normalized_splitter_(MakeSplitter(added_tokens_, &normalization_)) {
  const auto& pieces = files.model.pieces;
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (pieces[id].type == PieceType::kUnknown) {
      unknown_id_ = static_cast<int32_t>(id);
    }
  }
}

SentencePieceEncoder::~SentencePieceEncoder() = default;

absl::StatusOr<std::unique_ptr<const SentencePieceEncoder>>
SentencePieceEncoder::Create(const TokenizerFiles& files) {
  auto encoder = absl::WrapUnique(new SentencePieceEncoder(files));
  absl::Status status = encoder->CreateLibraries(LibraryModel(
      files.model, files.added_tokens, files.preparation.has_value()));
  if (!status.ok()) return status;
  return encoder;
}

absl::Status SentencePieceEncoder::CreateLibraries(
    const SentencePieceModel& model) {
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

std::vector<int32_t> SentencePieceEncoder::Encode(absl::string_view prompt,
                                                  absl::string_view text,
                                                  SpecialTokens allowed) const {
  if (!IsValidUtf8(prompt) || !IsValidUtf8(text)) {
    return Encode(ApplyCharsMap(/*charsmap=*/"", prompt),
                  ApplyCharsMap(/*charsmap=*/"", text), allowed);
  }
  // Only a library finds a sentinel that is a piece, and it reads whole texts.
  if (sentinel_library_ != nullptr && absl::StrContains(prompt, "<extra_id_")) {
    std::vector<int32_t> ids = Encode("", prompt, SpecialTokens::kAll);
    const std::vector<int32_t> rest = Encode("", text, allowed);
    ids.insert(ids.end(), rest.begin(), rest.end());
    return ids;
  }
  if (prompt.empty()) {
    return Encoding(*this, text, /*prompt_size=*/0, allowed).TakeIds();
  }
  return Encoding(*this, absl::StrCat(prompt, text), prompt.size(), allowed)
      .TakeIds();
}

}  // namespace sheaf
