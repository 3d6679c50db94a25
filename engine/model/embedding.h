// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/model/weights.h"

namespace sheaf {

// Makes the rows that enter a stack: the embedding of a token, scaled, plus the
// vector of its position, then a norm. A model has only some of these.
//
// Immutable, so all members of a team may call it at once.
class StackEmbedding {
 public:
  // Tokens of one source, or of one sequence, whose positions are counted.
  class Counter {
   public:
    // `num_tokens` tokens lie before the first.
    Counter(const Architecture& architecture, int32_t num_tokens)
        : architecture_(architecture), next_(num_tokens) {}

    // The place of the next token, or -1 if it is padding and has none.
    int32_t Next(int32_t id) {
      const bool is_skipped = architecture_.positions.skips_padding &&
                              id == architecture_.tokens.pad_id;
      return is_skipped ? -1 : next_++;
    }

   private:
    const Architecture& architecture_;
    int32_t next_;
  };

  // Places are below `max_len`.
  StackEmbedding(const Weights& weights, Stack stack,
                 const kernels::Kernels& kernels, int32_t max_len);

  // Writes the row of token `id` at `place`, as a Counter says, to out
  // [d_model].
  void Embed(int32_t id, int32_t place, float* out) const;

 private:
  const Weights& weights_;
  const kernels::Kernels& kernels_;
  const Stack stack_;
  const StackShape& shape_;
  const NormWeights& norm_;
  std::vector<float> computed_;        // [max_len, d_model], or empty
  const float* place_zero_ = nullptr;  // [num_places_, d_model]; null for none
  int64_t num_places_ = 0;
};

}  // namespace sheaf
