// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sheaf {

// How byte pair encoding joins the characters of a word to tokens. Ids are
// those of a vocabulary.
struct BpeModel {
  // `left` followed by `right` becomes `merged`.
  struct Merge {
    int32_t left = -1;
    int32_t right = -1;
    int32_t merged = -1;
  };

  std::vector<Merge> merges;  // the first in this list is applied first
  // Tokens are strings of bytes, which their texts write in the alphabet of
  // byte_alphabet.h. Otherwise they are strings of characters.
  bool is_byte_level = false;
  // The id of characters that are no token. -1: each has a token, or byte
  // fallback.
  int32_t unknown_id = -1;
  bool fuses_unknown = false;  // consecutive ones in a word are one token
  // Characters that are no token become the tokens of their bytes, "<0x0A>".
  bool has_byte_fallback = false;
  bool ignores_merges = false;  // a word that is a token is not split
};

}  // namespace sheaf
