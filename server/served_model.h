// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/families.h"
#include "text/tasks.h"

namespace sheaf {

// Describes the model that the server serves. Immutable after start.
struct ServedModel {
  std::string name;          // --model_name, else the directory's name
  std::string architecture;  // "T5ForConditionalGeneration"
  int64_t num_parameters = 0;
  int32_t num_query_heads = 0;
  int32_t num_kv_heads = 0;
  int32_t num_cross_kv_heads = 0;
  std::string weight_type;  // as computed with
  std::string kv_type;
  int64_t weight_bytes = 0;
  bool has_shortlist = false;
  int64_t kv_bytes_per_token = 0;        // self-attention
  int64_t cross_kv_bytes_per_token = 0;  // per source token
  int32_t max_source_tokens = 0;
  // The length that the positions of source and output allow; 0: any.
  int32_t max_positions = 0;
  int32_t source_vocab_size = 0;
  int32_t vocab_size = 0;      // of the output
  int32_t start_token_id = 0;  // of the decoder
  // The decoder's start token and the end tokens, which no answer contains.
  std::vector<int32_t> no_output_ids;

  Tokenizers tokenizers;                    // null pointers: token ids only
  const TextFamily* text_family = nullptr;  // null only without tokenizers
  ModelTasks tasks;

  // The parts of the model's files that are ignored, each with its effect.
  std::vector<std::string> warnings;
};

}  // namespace sheaf
