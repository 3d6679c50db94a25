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

// The limits of what a request or a model's file may ask for.
inline constexpr int32_t kMaxBeams = 16;
inline constexpr int32_t kMaxNgramSize = 64;
inline constexpr float kMaxLengthPenalty = 10.0f;  // or as far below 0
inline constexpr float kMinRepetitionPenalty = 0.01f;
inline constexpr float kMaxRepetitionPenalty = 100.0f;
inline constexpr float kMaxTemperature = 100.0f;
inline constexpr int32_t kMaxBadWords = 10'000;
inline constexpr int32_t kMaxBadWordTokens = 64;

using BadWords = std::vector<std::vector<int32_t>>;

// The decoding that a model's files ask for; absent where they have no key.
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
  // Of sampling, only if do_sample is true.
  std::optional<int32_t> top_k;
  std::optional<float> top_p;
  std::optional<float> min_p;
  std::optional<int32_t> forced_first_token;
  std::optional<int32_t> forced_last_token;   // at the last place there is
  std::shared_ptr<const BadWords> bad_words;  // null: none
  std::vector<int32_t> suppressed_tokens;
  std::vector<int32_t> first_suppressed_tokens;
  bool is_renormalized = false;
};

// An object that has generation keys. Not owned.
struct GenerationKeys {
  std::string where;  // begins the messages: the file, and the task if any
  const nlohmann::json* object;
};

// The kind of file that is the first of several sources of keys.
enum class KeyHolder {
  kModelConfig,       // config.json, in which other keys describe the model
  kGenerationConfig,  // generation_config.json
  kTask,              // an object of task_specific_params
};

// Reads the keys of transformers' GenerationConfig (4.57 and 5.24), each from
// the first of `sources` that has it; a null there stands for the built-in
// default. Of the two keys for a length, which may be in different sources, the
// earlier source counts.
//
// INVALID_ARGUMENT names file, key, value and what is allowed; token ids are
// below `vocab_size`. Adds to `warnings` what the first source, a `holder`, has
// and this server does not follow, each with its effect: keys that are neutral
// or change nothing are left out.
//
// REQUIRES: sources is not empty.
absl::StatusOr<DecodingDefaults> ReadGenerationKeys(
    absl::Span<const GenerationKeys> sources, KeyHolder holder,
    int32_t vocab_size, std::vector<std::string>& warnings);

// Whether the generation keys of config.json count where generation_config.json
// has none: "_from_model_config" there says that it was made from those.
// transformers 4.57 then reads config.json alone, and 5.24 never does beside a
// generation_config.json.
bool CountsModelConfig(const nlohmann::json& generation_config);

// Warns of the generation keys of a config.json that lies beside
// `generation_config`: those that have no effect, not followed ones, and those
// that only one of the reference's versions reads. Keys that are neutral, or
// have the same value there, are left out.
void WarnOfModelConfigKeys(const nlohmann::json& config,
                           const nlohmann::json& generation_config,
                           std::vector<std::string>& warnings);

}  // namespace sheaf
