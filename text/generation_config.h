// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "nlohmann/json_fwd.hpp"

namespace sheaf {

enum class EarlyStopping { kNo, kYes, kNever };

// The limits for the values of requests and of a model's files.
inline constexpr int32_t kMaxBeams = 16;
inline constexpr int32_t kMaxNgramSize = 64;
inline constexpr float kMaxLengthPenalty =
    10.0f;  // the minimum is its negative
inline constexpr float kMinRepetitionPenalty = 0.01f;
inline constexpr float kMaxRepetitionPenalty = 100.0f;
inline constexpr float kMaxTemperature = 100.0f;
inline constexpr int32_t kMaxBadWords = 10'000;
inline constexpr int32_t kMaxBadWordTokens = 64;

using BadWords = std::vector<std::vector<int32_t>>;

// The decoding that a model's files ask for. A field is absent if they do not
// have its key.
struct DecodingDefaults {
  std::optional<int32_t> max_new_tokens;
  std::optional<int32_t> min_new_tokens;
  std::optional<int32_t> beam_size;
  std::optional<int32_t> num_hypotheses;
  std::optional<float> length_penalty;
  std::optional<EarlyStopping> early_stopping;
  std::optional<float> repetition_penalty;
  std::optional<int32_t> no_repeat_ngram_size;
  std::optional<float> temperature;  // 0 if do_sample is false
  // For sampling; set only if do_sample is true.
  std::optional<int32_t> top_k;
  std::optional<float> top_p;
  std::optional<float> min_p;
  std::optional<int32_t> forced_first_token;
  std::optional<int32_t> forced_last_token;   // at the last possible place
  std::shared_ptr<const BadWords> bad_words;  // null: none
  std::vector<int32_t> suppressed_tokens;
  std::vector<int32_t> first_suppressed_tokens;
  bool is_renormalized = false;
};

// An object that has generation keys.
struct GenerationKeys {
  std::string where;  // begins the messages: the file, and the task if any
  const nlohmann::json* object;  // not owned
};

// The kind of file that is the first of several sources of keys.
enum class KeyHolder {
  kModelConfig,       // config.json, in which other keys describe the model
  kGenerationConfig,  // generation_config.json
  kTask,              // an object of task_specific_params
};

// Reads the keys of transformers' GenerationConfig (4.57 and 5.24), each from
// the first of `sources` that has it. A null there stands for the built-in
// default. If the two keys for a length are in different sources, the earlier
// source counts.
//
// INVALID_ARGUMENT names file, key, value and what is allowed. Token ids must
// be less than `vocab_size`. Adds to `warnings` the keys of the first source, a
// `holder`, that this server does not follow, each with its effect. Keys that
// are neutral or change nothing are left out.
//
// REQUIRES: sources is not empty.
absl::StatusOr<DecodingDefaults> ReadGenerationKeys(
    absl::Span<const GenerationKeys> sources, KeyHolder holder,
    int32_t vocab_size, std::vector<std::string>& warnings);

// Whether the generation keys of config.json count if generation_config.json
// does not have them. This is so if the latter's "_from_model_config" says that
// it was made from the former. transformers 4.57 then reads only config.json.
// 5.24 never reads it if there is a generation_config.json.
bool CountsModelConfig(const nlohmann::json& generation_config);

// Warns of the generation keys of `config` that have no effect because there is
// a `generation_config`, that this server does not follow, or that only one
// version of the reference reads. Keys that are neutral, or have the same value
// in both files, are left out.
void WarnOfModelConfigKeys(const nlohmann::json& config,
                           const nlohmann::json& generation_config,
                           std::vector<std::string>& warnings);

}  // namespace sheaf
