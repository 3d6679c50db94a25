// SPDX-License-Identifier: Apache-2.0

#include "text/bpe_vocabulary.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"
#include "base/key_reader.h"
#include "text/byte_alphabet.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using nlohmann::json;

// Published models have 2 or 3, a merge for each way to make a token from two.
constexpr int64_t kMaxMergesPerToken = 16;

}  // namespace

absl::Status BpeVocabulary::Invalid(absl::string_view rule) const {
  return absl::InvalidArgumentError(absl::StrCat(name_, ": ", rule));
}

absl::Status BpeVocabulary::AddToken(const std::string& text, const json& id) {
  if (!id.is_number_unsigned() ||
      id.get<uint64_t>() >= static_cast<uint64_t>(vocab_size_)) {
    return Invalid(
        absl::StrFormat("token %s has id %s; the model's vocab_size is %d",
                        Quoted(text), Shown(id), vocab_size_));
  }
  const auto index = id.get<size_t>();
  if (text.empty()) {
    return Invalid(absl::StrFormat("the token of id %d is empty", index));
  }
  if (index >= pieces_.size()) {
    pieces_.resize(index + 1, {"", 0, PieceType::kUnused});
  }
  SentencePieceModel::Piece& piece = pieces_[index];
  if (!piece.text.empty()) {
    return Invalid(absl::StrFormat("tokens %s and %s have id %d",
                                   Quoted(piece.text), Quoted(text), index));
  }
  piece.text = text;
  piece.type = PieceType::kNormal;
  return absl::OkStatus();
}

absl::Status BpeVocabulary::AddMerge(absl::string_view first,
                                     absl::string_view second) {
  const auto num_merges = static_cast<int64_t>(merge_ends_.size() / 2);
  if (num_merges == kMaxMergesPerToken * vocab_size_) {
    return Invalid(
        absl::StrFormat("more than %d merges; the model's vocab_size is %d",
                        num_merges, vocab_size_));
  }
  for (const absl::string_view part : {first, second}) {
    absl::StrAppend(&merge_bytes_, part);
    merge_ends_.push_back(static_cast<uint32_t>(merge_bytes_.size()));
  }
  return absl::OkStatus();
}

absl::Status BpeVocabulary::AddMerge(absl::string_view both) {
  const size_t space = both.find(' ');
  if (space == both.npos || both.find(' ', space + 1) != both.npos) {
    return Invalid(
        absl::StrFormat("merge %d is %s; two tokens with a space "
                        "between them are needed",
                        merge_ends_.size() / 2, Quoted(both)));
  }
  return AddMerge(both.substr(0, space), both.substr(space + 1));
}

int32_t BpeVocabulary::IdOf(absl::string_view text) const {
  const auto id = ids_.find(text);
  return id == ids_.end() ? -1 : id->second;
}

absl::string_view BpeVocabulary::MergePart(size_t index) const {
  const size_t begin = index == 0 ? 0 : merge_ends_[index - 1];
  return absl::string_view(merge_bytes_)
      .substr(begin, merge_ends_[index] - begin);
}

absl::Status BpeVocabulary::IndexTokens() {
  if (pieces_.empty()) return Invalid("the vocabulary has no tokens");
  ids_.reserve(pieces_.size());
  for (size_t id = 0; id < pieces_.size(); ++id) {
    const std::string& text = pieces_[id].text;
    if (text.empty()) continue;
    const auto [known, is_new] =
        ids_.try_emplace(text, static_cast<int32_t>(id));
    if (!is_new) {
      return Invalid(absl::StrFormat("token %s has the ids %d and %d",
                                     Quoted(text), known->second, id));
    }
  }
  return absl::OkStatus();
}

absl::Status BpeVocabulary::FindMerges(BpeModel& model) const {
  model.merges.reserve(merge_ends_.size() / 2);
  for (size_t i = 0; i < merge_ends_.size(); i += 2) {
    const absl::string_view parts[] = {MergePart(i), MergePart(i + 1)};
    const std::string merged = absl::StrCat(parts[0], parts[1]);
    const BpeModel::Merge merge = {.left = IdOf(parts[0]),
                                   .right = IdOf(parts[1]),
                                   .merged = IdOf(merged)};
    if (merge.left < 0 || merge.right < 0 || merge.merged < 0) {
      return Invalid(absl::StrFormat(
          "merge %d joins %s and %s; %s is no token", i / 2, Quoted(parts[0]),
          Quoted(parts[1]),
          Quoted(merge.left < 0    ? parts[0]
                 : merge.right < 0 ? parts[1]
                                   : absl::string_view(merged))));
    }
    model.merges.push_back(merge);
  }
  return absl::OkStatus();
}

// Each character must become a token.
absl::Status BpeVocabulary::CheckCoverage(const BpeModel& model) const {
  for (int32_t byte = 0; byte < 256; ++byte) {
    const auto value = static_cast<uint8_t>(byte);
    std::string text;
    if (model.has_byte_fallback) {
      text = absl::StrFormat("<0x%02X>", value);
    } else if (model.is_byte_level) {
      AppendCharacter(ByteCharacter(value), text);
    } else {
      break;
    }
    const int32_t id = IdOf(text);
    if (id >= 0) continue;
    if (model.has_byte_fallback || model.unknown_id < 0) {
      return Invalid(absl::StrFormat("there is no token %s for the byte 0x%02X",
                                     Quoted(text), value));
    }
  }
  if (model.has_byte_fallback || model.is_byte_level || model.unknown_id >= 0) {
    return absl::OkStatus();
  }
  return Invalid("characters that are no token need an unk_token");
}

absl::Status BpeVocabulary::Finish(
    absl::string_view unknown, BpeModel& model,
    std::vector<SentencePieceModel::Piece>& pieces) {
  absl::Status status = IndexTokens();
  if (!status.ok()) return status;
  if (!unknown.empty()) {
    model.unknown_id = IdOf(unknown);
    if (model.unknown_id < 0) {
      return Invalid(
          absl::StrCat("unk_token ", Quoted(unknown), " is no token"));
    }
    pieces_[model.unknown_id].type = PieceType::kUnknown;
  }
  if (status = FindMerges(model); !status.ok()) return status;
  if (status = CheckCoverage(model); !status.ok()) return status;
  ids_.clear();
  pieces = std::move(pieces_);
  return absl::OkStatus();
}

}  // namespace sheaf
