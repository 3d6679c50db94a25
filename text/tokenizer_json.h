#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "text/added_tokens.h"
#include "text/sentencepiece_model.h"
#include "text/text_preparation.h"

namespace sheaf {

inline constexpr uint64_t kMaxTokenizerJsonBytes = uint64_t{64} << 20;

// A `tokenizer.json` of the kind that transformers writes for a model of
// SentencePiece's Unigram type.
struct TokenizerJson {
  // Pieces of the types normal, unknown, unused and byte, not checked yet; the
  // end-of-sequence piece is control. Its table and spaces are `preparation`'s.
  SentencePieceModel model;
  TextPreparation preparation;
  std::vector<AddedToken> added_tokens;  // `needs` is not set
};

// Reads the text of such a file, which may have at most `max_pieces` pieces:
//   model           Unigram
//   normalizer      null, Precompiled, or a Sequence of Precompiled, Strip
//                   (right) and Replace (of runs of spaces)
//   pre_tokenizer   Metaspace, or WhitespaceSplit and Metaspace
//   post_processor  TemplateProcessing: the text and the end-of-sequence token
//   decoder         Metaspace
// UNIMPLEMENTED names the field of another kind of tokenizer; InvalidArgument
// names the rule that is broken. Errors begin with `name`.
absl::StatusOr<TokenizerJson> ParseTokenizerJson(absl::string_view text,
                                                 absl::string_view name,
                                                 int32_t max_pieces);

// A value as it may stand in a message: one line, cut if long.
std::string ShownJson(const nlohmann::json& value);

// The flags of an added token, as an object of any of a tokenizer's files has
// them (`content`, `lstrip`, ...). Errors begin with `where`.
absl::StatusOr<AddedToken> ParseAddedToken(const nlohmann::json& object,
                                           absl::string_view where);

}  // namespace sheaf
