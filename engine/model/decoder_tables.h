// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "engine/kernels/kernels.h"
#include "engine/model/embedding.h"
#include "engine/model/head_finisher.h"
#include "engine/model/relative_bias.h"
#include "engine/model/weights.h"

namespace sheaf {

// The tables that decoders index by the position of a token. Immutable, so all
// members of a team may read it at once.
struct DecoderTables {
  // Positions are below `max_positions`.
  DecoderTables(const Weights& weights, const kernels::Kernels& kernels,
                int32_t max_positions)
      : max_positions(max_positions),
        embedding(weights, Stack::kDecoder, kernels, max_positions),
        biases(weights.architecture, Stack::kDecoder,
               weights.decoder_stack.position_biases, max_positions),
        finisher(weights, Stack::kDecoder, kernels, max_positions) {}

  const int32_t max_positions;
  const StackEmbedding embedding;
  const LayerBiases biases;
  const HeadFinisher finisher;
};

}  // namespace sheaf
