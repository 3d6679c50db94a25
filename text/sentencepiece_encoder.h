// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "text/added_token_encoder.h"
#include "text/added_tokens.h"

namespace sheaf {

class SentencePieceLibrary;
struct SentencePieceModel;
struct TokenizerFiles;

// Encodes by the pieces of a SentencePiece model, with added tokens between
// them (tokenizer_files.h). A text on which SentencePiece itself fails (none is
// known) becomes one unknown id.
class SentencePieceEncoder : public AddedTokenEncoder {
 public:
  // INVALID_ARGUMENT if SentencePiece refuses the model.
  static absl::StatusOr<std::unique_ptr<const SentencePieceEncoder>> Create(
      const TokenizerFiles& files);
  ~SentencePieceEncoder() override;

  std::vector<int32_t> Encode(absl::string_view prompt, absl::string_view text,
                              SpecialTokens allowed) const override;

 private:
  explicit SentencePieceEncoder(const TokenizerFiles& files);
  absl::Status CreateLibraries(const SentencePieceModel& model);
  void AppendText(absl::string_view text, bool is_first, SpecialTokens allowed,
                  std::vector<int32_t>& ids) const override;
  void SetOtherIds(const TokenizerFiles& files);
  // Turns ids of `library` for `text` into those of the model.
  void MapIds(const SentencePieceLibrary& library, absl::string_view text,
              std::vector<int32_t>& ids) const;

  // library_ matches texts without the sentinels that are pieces of the model.
  // sentinel_library_ matches with them, and is null if there are none.
  std::unique_ptr<SentencePieceLibrary> library_;
  std::unique_ptr<SentencePieceLibrary> sentinel_library_;
  const bool is_prepared_;   // the libraries receive texts that are prepared
  int32_t unknown_id_ = -1;  // of the model
  int32_t library_unknown_id_ = -1;       // the same token's in the libraries
  const std::vector<int32_t> piece_ids_;  // empty: the model's ids are the same
  // Tokens that are no pieces of the SentencePiece model, by text. Characters
  // that it does not know may be one of them.
  absl::flat_hash_map<std::string, int32_t> other_ids_;
};

}  // namespace sheaf
