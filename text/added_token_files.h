// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
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
  std::vector<AddedToken> json_tokens;  // `added_tokens` of tokenizer.json
  NamedObject config;                   // tokenizer_config.json
  NamedObject list;                     // added_tokens.json
  NamedObject special_map;              // special_tokens_map.json
};

// Sets `out.added_tokens` and `out.eos_id` by the rules 2 to 4 of
// ReadTokenizerFiles(). REQUIRES: `out.model` is checked.
absl::Status CollectAddedTokens(AddedTokenFiles files, TokenizerFiles& out);

}  // namespace sheaf
