#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/request.h"
#include "text/tokenizer.h"

namespace sheaf {

// A hypothesis as a client gets it.
struct FinishedPart {
  std::string text;
  std::vector<int32_t> tokens;
  float score = 0;
  FinishReason finish_reason = FinishReason::kEos;
};

// The hypothesis with its text, up to the first of `stops`. Without a tokenizer
// (null) it has no text.
FinishedPart WithText(const Hypothesis& hypothesis, const Tokenizer* tokenizer,
                      const std::vector<std::string>& stops);

}  // namespace sheaf
