// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <vector>

#include "train/common/batch_stream.h"
#include "train/common/token_file.h"
#include "train/uptrain/t5.h"

namespace sheaf {

// Makes a batch of pairs, padded to the longest, on the model's device.
Batch MakeBatch(const std::vector<TokenFile>& files,
                const std::vector<PairRef>& pairs, int64_t start_id,
                at::Device device);

// The dev figures of a file.
struct DevResult {
  double loss = 0;        // mean cross-entropy per target token, in nats
  double token_bleu = 0;  // of the ids of greedy outputs, 0 to 100
  std::vector<std::vector<int32_t>> outputs;
};

struct DevOptions {
  int64_t num_pairs = 500;   // for the loss, from the first
  int64_t num_decoded = 64;  // number of those to decode greedily
  int64_t max_tokens = 64;   // maximum length of an output
  int64_t batch_tokens = 4096;
};

DevResult EvaluateDev(const T5& model, const TokenFile& file,
                      const DevOptions& options, const ForwardOptions& forward);

}  // namespace sheaf
