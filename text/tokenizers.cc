// SPDX-License-Identifier: Apache-2.0

#include "text/tokenizers.h"

#include <algorithm>

namespace sheaf {

std::vector<std::string> Tokenizers::warnings() const {
  std::vector<std::string> all;
  for (const Tokenizer* tokenizer : {source.get(), target.get()}) {
    if (tokenizer == nullptr) continue;
    for (const std::string& warning : tokenizer->warnings()) {
      // Both may have read the same file.
      if (std::find(all.begin(), all.end(), warning) == all.end()) {
        all.push_back(warning);
      }
    }
  }
  return all;
}

}  // namespace sheaf
