// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "text/added_tokens.h"
#include "text/bpe_model.h"
#include "text/sentencepiece_model.h"
#include "text/text_preparation.h"

namespace sheaf {

inline constexpr uint64_t kMaxTokenizerJsonBytes = uint64_t{64} << 20;

// The content of a `tokenizer.json`, or of other files of the same meaning.
struct TokenizerDefinition {
  // Not checked yet if Unigram. Pieces are of the types normal, unknown, unused
  // and byte, and those around a text are of type control. `eos_piece` is the
  // first after the text; empty: none. The table and the rules for spaces are
  // in `preparation`, except that adds_dummy_prefix says that the first space
  // of a decoded text is dropped, and removes_extra_spaces that all of them
  // are.
  SentencePieceModel model;
  std::optional<BpeModel> bpe;  // absent: Unigram
  TextPreparation preparation;
  std::vector<AddedToken> added_tokens;  // `needs` is not set
  SurroundingIds surrounding;
};

// Reads the text of such a file, for a vocabulary of `max_pieces`. The model is
// of type BPE or Unigram. The steps around it are those of
// tokenizer_json_steps.h; a Unigram model needs Metaspace, and a token after
// the text. UNIMPLEMENTED names the field of another kind of tokenizer.
// InvalidArgument names the broken rule. Errors begin with `name`.
absl::StatusOr<TokenizerDefinition> ParseTokenizerJson(absl::string_view text,
                                                       absl::string_view name,
                                                       int32_t max_pieces);

// An added token from its object (`content`, `lstrip`, ...), which has the same
// form in all files of a tokenizer. Errors begin with `where`.
absl::StatusOr<AddedToken> ParseAddedToken(const nlohmann::json& object,
                                           absl::string_view where);

}  // namespace sheaf
