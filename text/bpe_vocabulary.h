// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "text/bpe_model.h"
#include "text/sentencepiece_model.h"

namespace sheaf {

// Collects the tokens and merges of a byte pair encoder while its files are
// read, in any order, and checks them. Errors are INVALID_ARGUMENT and begin
// with `name`.
class BpeVocabulary {
 public:
  // Ids are less than `vocab_size`. `name` must outlive this.
  BpeVocabulary(absl::string_view name, int32_t vocab_size)
      : name_(name), vocab_size_(vocab_size) {}

  absl::Status AddToken(const std::string& text, const nlohmann::json& id);

  // `first` and `second` in one string are separated by a space.
  absl::Status AddMerge(absl::string_view first, absl::string_view second);
  absl::Status AddMerge(absl::string_view both);

  // Moves the tokens to `pieces` and the merges to `model`, whose other members
  // are set, except for unknown_id. `unknown` is the text of the token for
  // characters that are no token; empty: none. Ids between others that have no
  // token are unused pieces without text.
  absl::Status Finish(absl::string_view unknown, BpeModel& model,
                      std::vector<SentencePieceModel::Piece>& pieces);

 private:
  absl::Status Invalid(absl::string_view rule) const;
  absl::Status IndexTokens();
  absl::Status FindMerges(BpeModel& model) const;
  absl::Status CheckCoverage(const BpeModel& model) const;
  // -1: it is no token.
  int32_t IdOf(absl::string_view text) const;
  absl::string_view MergePart(size_t index) const;

  const absl::string_view name_;
  const int32_t vocab_size_;
  std::vector<SentencePieceModel::Piece> pieces_;
  absl::flat_hash_map<absl::string_view, int32_t> ids_;  // by text
  // Both parts of all merges, one after the other.
  std::string merge_bytes_;
  std::vector<uint32_t> merge_ends_;  // of each part
};

}  // namespace sheaf
