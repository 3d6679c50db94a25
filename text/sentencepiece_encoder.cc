// SPDX-License-Identifier: Apache-2.0

#include "text/sentencepiece_encoder.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "text/sentencepiece_library.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_files.h"

namespace sheaf {
namespace {

// The model as a library receives it. Special tokens are never pieces, because
// they are added tokens. Prepared texts need no rules for spaces.
SentencePieceModel LibraryModel(const SentencePieceModel& model,
                                const std::vector<AddedToken>& added_tokens,
                                bool has_preparation) {
  SentencePieceModel out = model;
  absl::flat_hash_set<absl::string_view> special;
  for (const AddedToken& token : added_tokens) {
    if (token.is_special) special.insert(token.text);
  }
  for (SentencePieceModel::Piece& piece : out.pieces) {
    if (piece.type != PieceType::kUnknown && special.contains(piece.text)) {
      piece.type = PieceType::kControl;
    }
  }
  if (!has_preparation) return out;
  out.charsmap.clear();
  out.adds_dummy_prefix = false;
  out.removes_extra_spaces = false;
  return out;
}

}  // namespace

SentencePieceEncoder::SentencePieceEncoder(const TokenizerFiles& files)
    : AddedTokenEncoder(files.added_tokens,
                        files.preparation.value_or(
                            TextPreparation{.charsmap = files.model.charsmap}),
                        /*receives_normalized=*/files.preparation.has_value()),
      is_prepared_(files.preparation.has_value()),
      piece_ids_(files.piece_ids) {
  const auto& tokens = files.tokens();
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].type == PieceType::kUnknown) {
      unknown_id_ = static_cast<int32_t>(id);
    }
  }
  const auto& pieces = files.model.pieces;
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (pieces[id].type == PieceType::kUnknown) {
      library_unknown_id_ = static_cast<int32_t>(id);
    }
  }
  if (!piece_ids_.empty()) SetOtherIds(files);
}

// Added tokens are found before SentencePiece sees a text, where it may yield
// them at all.
void SentencePieceEncoder::SetOtherIds(const TokenizerFiles& files) {
  const auto& tokens = files.tokens();
  std::vector<bool> is_known(tokens.size(), false);
  for (int32_t id : piece_ids_) is_known[id] = true;
  for (const AddedToken& token : files.added_tokens) {
    if (token.id < static_cast<int32_t>(tokens.size())) {
      is_known[token.id] = true;
    }
  }
  for (size_t id = 0; id < tokens.size(); ++id) {
    const SentencePieceModel::Piece& token = tokens[id];
    if (is_known[id] || token.text.empty() ||
        token.type != PieceType::kNormal) {
      continue;
    }
    other_ids_[token.text] = static_cast<int32_t>(id);
  }
}

void SentencePieceEncoder::MapIds(const SentencePieceLibrary& library,
                                  absl::string_view text,
                                  std::vector<int32_t>& ids) const {
  std::vector<std::string> pieces;  // only if one may be another token
  if (!other_ids_.empty() &&
      std::find(ids.begin(), ids.end(), library_unknown_id_) != ids.end() &&
      !library.Encode(std::string_view(text.data(), text.size()), pieces)) {
    pieces.clear();
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool is_unknown = ids[i] == library_unknown_id_;
    ids[i] = piece_ids_[ids[i]];
    if (!is_unknown || i >= pieces.size()) continue;
    const auto other = other_ids_.find(pieces[i]);
    if (other != other_ids_.end()) ids[i] = other->second;
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
  // Only a library finds a sentinel that is a piece, and it reads whole texts.
  if (sentinel_library_ != nullptr && absl::StrContains(prompt, "<extra_id_")) {
    std::vector<int32_t> ids = Encode("", prompt, SpecialTokens::kAll);
    const std::vector<int32_t> rest = Encode("", text, allowed);
    ids.insert(ids.end(), rest.begin(), rest.end());
    return ids;
  }
  return AddedTokenEncoder::Encode(prompt, text, allowed);
}

void SentencePieceEncoder::AppendText(absl::string_view text, bool is_first,
                                      SpecialTokens allowed,
                                      std::vector<int32_t>& ids) const {
  std::string prepared;
  if (is_prepared_) {
    prepared = MarkSpaces(preparation(), text, is_first);
    text = prepared;
  }
  if (text.empty()) return;
  const SentencePieceLibrary& library =
      allowed == SpecialTokens::kNone || sentinel_library_ == nullptr
          ? *library_
          : *sentinel_library_;
  std::vector<int32_t> pieces;
  if (library.Encode(std::string_view(text.data(), text.size()), pieces)) {
    if (!piece_ids_.empty()) MapIds(library, text, pieces);
    ids.insert(ids.end(), pieces.begin(), pieces.end());
  } else {
    ids.push_back(unknown_id_);
  }
}

}  // namespace sheaf
