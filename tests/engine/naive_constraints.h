// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/constraints.h"

namespace sheaf {

// Whether `form` ends with the last of the first `size` tokens. A word ends at
// the end of the tokens and before a token that does not continue it.
inline bool EndsAt(const std::vector<int32_t>& tokens, size_t size,
                   const TermForm& form,
                   const std::vector<bool>& continues_word) {
  if (form.tokens.size() > size ||
      !std::equal(form.tokens.begin(), form.tokens.end(),
                  tokens.begin() + size - form.tokens.size())) {
    return false;
  }
  return !form.ends_word || size == tokens.size() ||
         !continues_word[tokens[size]];
}

// The terms that `tokens` lack, by the definition of ConstraintSet: each place
// stands for the missing term with the longest form there, of equals the first.
inline std::vector<bool> LackedTerms(const std::vector<int32_t>& tokens,
                                     const std::vector<RequiredTerm>& terms,
                                     const std::vector<bool>& continues_word) {
  std::vector<bool> is_lacked(terms.size(), true);
  for (size_t size = 1; size <= tokens.size(); ++size) {
    size_t longest = 0;
    size_t found = 0;
    for (size_t i = 0; i < terms.size(); ++i) {
      if (!is_lacked[i]) continue;
      for (const TermForm& form : terms[i]) {
        if (form.tokens.size() > longest &&
            EndsAt(tokens, size, form, continues_word)) {
          longest = form.tokens.size();
          found = i;
        }
      }
    }
    if (longest > 0) is_lacked[found] = false;
  }
  return is_lacked;
}

inline bool HasAllTerms(const std::vector<int32_t>& tokens,
                        const std::vector<RequiredTerm>& terms,
                        const std::vector<bool>& continues_word) {
  const std::vector<bool> lacked = LackedTerms(tokens, terms, continues_word);
  return std::find(lacked.begin(), lacked.end(), true) == lacked.end();
}

}  // namespace sheaf
