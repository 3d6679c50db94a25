// SPDX-License-Identifier: Apache-2.0

#include "text/piece_ids.h"

#include <cstddef>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"
#include "text/language_tag_encoder.h"
#include "text/sentencepiece_model.h"

namespace sheaf {
namespace {

using Piece = SentencePieceModel::Piece;

Piece PieceOf(std::string text, PieceType type) {
  return {std::move(text), /*score=*/0, type};
}

// Refuses a model whose first pieces are not those of `types`.
absl::Status CheckFirst(absl::string_view path,
                        const std::vector<Piece>& pieces,
                        const std::vector<PieceType>& types,
                        absl::string_view expected) {
  bool is_same = pieces.size() >= types.size();
  for (size_t i = 0; is_same && i < types.size(); ++i) {
    is_same = pieces[i].type == types[i];
  }
  if (is_same) return absl::OkStatus();
  std::string found;
  for (size_t i = 0; i < types.size() && i < pieces.size(); ++i) {
    absl::StrAppend(&found, i == 0 ? "" : ", ", Quoted(pieces[i].text));
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s: the first pieces are %s; allowed are %s", path, found, expected));
}

// Gives the pieces from `first` on the ids that follow the vocabulary so far.
void AppendPieces(size_t first, TokenizerFiles& files) {
  const std::vector<Piece>& pieces = files.model.pieces;
  for (size_t i = first; i < pieces.size(); ++i) {
    files.piece_ids.push_back(static_cast<int32_t>(files.vocabulary.size()));
    files.vocabulary.push_back(pieces[i]);
  }
}

}  // namespace

absl::Status SetIdsByVocabulary(absl::string_view path,
                                std::vector<std::string> tokens,
                                absl::string_view unknown,
                                absl::string_view end, TokenizerFiles& files) {
  const std::vector<Piece>& pieces = files.model.pieces;
  absl::flat_hash_map<absl::string_view, size_t> indices;
  indices.reserve(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) indices[pieces[i].text] = i;
  constexpr int32_t kNone = -1;
  std::vector<int32_t> ids(pieces.size(), kNone);
  int32_t unknown_id = kNone, end_id = kNone;
  files.vocabulary.reserve(tokens.size());
  for (std::string& token : tokens) {
    const int32_t id = static_cast<int32_t>(files.vocabulary.size());
    // No characters become a tag by themselves (language_tag_encoder.h).
    PieceType type = LanguageTag(token) == token ? PieceType::kUserDefined
                                                 : PieceType::kNormal;
    if (const auto index = indices.find(token); index != indices.end()) {
      type = pieces[index->second].type;
      ids[index->second] = id;
    }
    if (type == PieceType::kUnknown) type = PieceType::kControl;
    if (token == end) {
      type = PieceType::kControl;
      end_id = id;
    }
    if (token == unknown) {
      type = PieceType::kUnknown;
      unknown_id = id;
    }
    files.vocabulary.push_back(PieceOf(std::move(token), type));
  }
  for (const auto& [token, id] :
       {std::pair{unknown, unknown_id}, std::pair{end, end_id}}) {
    if (id != kNone) continue;
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: there is no token %s", path, Quoted(token)));
  }
  for (int32_t& id : ids) {
    if (id == kNone) id = unknown_id;
  }
  files.piece_ids = std::move(ids);
  files.keeps_space_of_unknown = true;
  return absl::OkStatus();
}

absl::Status SetIdsAfterFour(absl::string_view path, TokenizerFiles& files) {
  const absl::Status status = CheckFirst(
      path, files.model.pieces,
      {PieceType::kUnknown, PieceType::kControl, PieceType::kControl},
      "an unknown and two control pieces (<unk>, <s>, </s>)");
  if (!status.ok()) return status;
  files.vocabulary = {PieceOf("<s>", PieceType::kControl),
                      PieceOf("<pad>", PieceType::kControl),
                      PieceOf("</s>", PieceType::kControl),
                      PieceOf("<unk>", PieceType::kUnknown)};
  files.piece_ids = {3, 0, 2};
  AppendPieces(/*first=*/3, files);
  files.keeps_space_of_unknown = true;
  return absl::OkStatus();
}

absl::Status SetIdsAfterMarks(absl::string_view path, TokenizerFiles& files) {
  const absl::Status status = CheckFirst(
      path, files.model.pieces,
      {PieceType::kControl, PieceType::kControl, PieceType::kUnknown},
      "two control pieces and an unknown one (<pad>, </s>, <unk>)");
  if (!status.ok()) return status;
  files.vocabulary = {PieceOf("<pad>", PieceType::kControl),
                      PieceOf("</s>", PieceType::kControl),
                      PieceOf("<mask_1>", PieceType::kControl),
                      PieceOf("<mask_2>", PieceType::kControl)};
  for (int32_t i = 2; i < kMarkedOffset; ++i) {
    files.vocabulary.push_back(
        PieceOf(absl::StrCat("<unk_", i, ">"), PieceType::kControl));
  }
  files.piece_ids = {0, 1};
  AppendPieces(/*first=*/2, files);
  files.keeps_space_of_unknown = true;
  return absl::OkStatus();
}

}  // namespace sheaf
