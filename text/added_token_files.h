// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "text/added_tokens.h"
#include "text/tokenizer_files.h"

namespace sheaf {

// The JSON object in one file of a tokenizer, and the path that messages name.
// The object is empty if there is no such file.
struct NamedObject {
  std::string path;
  nlohmann::json value = nlohmann::json::object();
};

// The parts of a model directory that define tokens in addition to the pieces.
struct AddedTokenFiles {
  std::string directory;
  int32_t vocab_size = 0;
  bool has_tokenizer_json = false;
  // Whether the model was trained with sentinels. If no file has them, they
  // follow the pieces, and a user's text may yield special tokens that are no
  // control tokens (SpecialTokens::kSentinels).
  bool has_sentinels = false;
  std::vector<AddedToken> json_tokens;  // `added_tokens` of tokenizer.json
  // Control tokens that the reference's tokenizer adds by itself. They have
  // these ids, unless a file gives others.
  std::vector<AddedToken> implied_tokens;
  NamedObject config;       // tokenizer_config.json
  NamedObject list;         // added_tokens.json
  NamedObject special_map;  // special_tokens_map.json
};

// Reads the JSON files that are named above, except for tokenizer.json. An
// error names the file.
absl::StatusOr<AddedTokenFiles> ReadAddedTokenFiles(
    const std::string& directory, int32_t vocab_size);

// The text of the special token that tokenizer_config.json or
// special_tokens_map.json names by its use, such as "unk_token".
std::string SpecialTokenText(const AddedTokenFiles& files,
                             absl::string_view use,
                             absl::string_view default_text);

// Sets `out.added_tokens` and `out.eos_id` by the rules 2 to 4 of
// ReadTokenizerFiles(). REQUIRES: `out.model` is checked, and piece_ids and
// vocabulary are set.
absl::Status CollectAddedTokens(AddedTokenFiles files, TokenizerFiles& out);

}  // namespace sheaf
