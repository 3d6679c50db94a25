// SPDX-License-Identifier: Apache-2.0

#include "text/bpe_word_encoder.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <utility>

#include "text/byte_alphabet.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

uint64_t Pack(int32_t high, int32_t low) {
  return static_cast<uint64_t>(static_cast<uint32_t>(high)) << 32 |
         static_cast<uint32_t>(low);
}

bool IsMadeOfText(PieceType type) {
  return type == PieceType::kNormal || type == PieceType::kUserDefined ||
         type == PieceType::kByte;
}

// The character that is the whole text. -1 if it is none or several.
int32_t OnlyCharacter(absl::string_view text) {
  if (text.empty()) return -1;
  size_t end = 0;
  const int32_t character = NextCharacter(text, end);
  return end == text.size() ? character : -1;
}

}  // namespace

BpeWordEncoder::BpeWordEncoder(
    absl::Span<const SentencePieceModel::Piece> pieces, const BpeModel& model)
    : is_byte_level_(model.is_byte_level),
      fuses_unknown_(model.fuses_unknown),
      has_byte_fallback_(model.has_byte_fallback),
      ignores_merges_(model.ignores_merges),
      unknown_id_(model.unknown_id) {
  first_ids_.fill(-1);
  fallback_ids_.fill(-1);
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (!IsMadeOfText(pieces[id].type)) continue;
    AddPiece(pieces[id], static_cast<int32_t>(id));
  }
  merged_ids_.reserve(model.merges.size());
  merges_.reserve(model.merges.size());
  for (const BpeModel::Merge& merge : model.merges) {
    const auto index = static_cast<int32_t>(merged_ids_.size());
    merged_ids_.push_back(merge.merged);
    if (IsMadeOfText(pieces[merge.left].type) &&
        IsMadeOfText(pieces[merge.right].type) &&
        IsMadeOfText(pieces[merge.merged].type)) {
      // The last of equal merges counts, as in the reference.
      merges_[Pack(merge.left, merge.right)] = index;
    }
  }
}

void BpeWordEncoder::AddPiece(const SentencePieceModel::Piece& piece,
                              int32_t id) {
  std::string text = piece.text;
  if (is_byte_level_) {
    std::optional<std::string> bytes = AlphabetBytes(text);
    if (!bytes.has_value()) return;  // only an added token
    text = *std::move(bytes);
    if (text.size() == 1) first_ids_[static_cast<uint8_t>(text[0])] = id;
  } else if (const int32_t character = OnlyCharacter(text); character >= 0) {
    if (character < 128) {
      first_ids_[character] = id;
    } else {
      character_ids_[character] = id;
    }
  }
  const int32_t byte = has_byte_fallback_ ? BytePieceValue(piece.text) : -1;
  if (byte >= 0) fallback_ids_[byte] = id;
  if (ignores_merges_) word_ids_[std::move(text)] = id;
}

void BpeWordEncoder::AddUnknown(absl::string_view character,
                                Scratch& scratch) const {
  std::vector<Scratch::Symbol>& symbols = scratch.symbols;
  if (has_byte_fallback_) {
    for (const char byte : character) {
      symbols.push_back({.id = fallback_ids_[static_cast<uint8_t>(byte)]});
    }
    return;
  }
  const bool is_fused =
      fuses_unknown_ && !symbols.empty() && symbols.back().id == unknown_id_;
  if (!is_fused) symbols.push_back({.id = unknown_id_});
}

void BpeWordEncoder::AddSymbols(absl::string_view word,
                                Scratch& scratch) const {
  for (size_t at = 0; at < word.size();) {
    const size_t begin = at;
    const auto byte = static_cast<uint8_t>(word[at]);
    int32_t id = -1;
    if (is_byte_level_ || byte < 128) {
      id = first_ids_[byte];
      ++at;
    } else {
      const auto found = character_ids_.find(NextCharacter(word, at));
      if (found != character_ids_.end()) id = found->second;
    }
    if (id >= 0) {
      scratch.symbols.push_back({.id = id});
    } else {
      AddUnknown(word.substr(begin, at - begin), scratch);
    }
  }
  const auto size = static_cast<int32_t>(scratch.symbols.size());
  for (int32_t i = 0; i < size; ++i) {
    scratch.symbols[i].previous = i - 1;
    scratch.symbols[i].next = i + 1 < size ? i + 1 : -1;
  }
}

// Sets the merge of a symbol with the next.
void BpeWordEncoder::FindMerge(int32_t index, Scratch& scratch) const {
  Scratch::Symbol& symbol = scratch.symbols[index];
  symbol.merge = -1;
  if (symbol.next < 0) return;
  const auto merge =
      merges_.find(Pack(symbol.id, scratch.symbols[symbol.next].id));
  if (merge == merges_.end()) return;
  symbol.merge = merge->second;
  scratch.queue.push_back(Pack(symbol.merge, index));
}

void BpeWordEncoder::Merge(int32_t index, Scratch& scratch) const {
  std::vector<Scratch::Symbol>& symbols = scratch.symbols;
  Scratch::Symbol& symbol = symbols[index];
  Scratch::Symbol& gone = symbols[symbol.next];
  symbol.id = merged_ids_[symbol.merge];
  symbol.next = gone.next;
  if (gone.next >= 0) symbols[gone.next].previous = index;
  gone.merge = -1;
  for (const int32_t changed : {symbol.previous, index}) {
    if (changed < 0) continue;
    const size_t num_queued = scratch.queue.size();
    FindMerge(changed, scratch);
    if (scratch.queue.size() > num_queued) {
      std::push_heap(scratch.queue.begin(), scratch.queue.end(),
                     std::greater<>());
    }
  }
}

void BpeWordEncoder::Append(absl::string_view word, Scratch& scratch,
                            std::vector<int32_t>& ids) const {
  if (ignores_merges_) {
    const auto id = word_ids_.find(word);
    if (id != word_ids_.end()) {
      ids.push_back(id->second);
      return;
    }
  }
  scratch.symbols.clear();
  scratch.queue.clear();
  AddSymbols(word, scratch);
  if (scratch.symbols.empty()) return;
  const auto size = static_cast<int32_t>(scratch.symbols.size());
  for (int32_t i = 0; i < size; ++i) FindMerge(i, scratch);
  std::vector<uint64_t>& queue = scratch.queue;
  std::make_heap(queue.begin(), queue.end(), std::greater<>());
  while (!queue.empty()) {
    const uint64_t first = queue.front();
    std::pop_heap(queue.begin(), queue.end(), std::greater<>());
    queue.pop_back();
    const auto index = static_cast<int32_t>(first & 0xFFFFFFFF);
    if (scratch.symbols[index].merge == static_cast<int32_t>(first >> 32)) {
      Merge(index, scratch);
    }
  }
  // The first symbol never goes.
  for (int32_t i = 0; i >= 0; i = scratch.symbols[i].next) {
    ids.push_back(scratch.symbols[i].id);
  }
}

}  // namespace sheaf
