#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

enum class EarlyStopping { kNo, kYes, kNever };

// What a request, or a model's file, may ask for.
inline constexpr int32_t kMaxNgramSize = 64;
inline constexpr float kMaxLengthPenalty = 10.0f;  // or as far below 0
inline constexpr float kMinRepetitionPenalty = 0.01f;
inline constexpr float kMaxRepetitionPenalty = 100.0f;
inline constexpr float kMaxTemperature = 100.0f;

// What a model's files say of decoding; absent where they say nothing.
struct DecodingDefaults {
  std::optional<int32_t> max_new_tokens;
  std::optional<int32_t> min_new_tokens;
  std::optional<int32_t> beam_size;
  std::optional<int32_t> num_hypotheses;
  std::optional<float> length_penalty;
  std::optional<EarlyStopping> early_stopping;
  std::optional<float> repetition_penalty;
  std::optional<int32_t> no_repeat_ngram_size;
  std::optional<float> temperature;  // only if the files ask for sampling
  std::optional<int32_t> top_k;
  std::optional<float> top_p;
  std::optional<int32_t> forced_last_token;  // at the last place there is

  // Fills what is absent here from `other`.
  void FillFrom(const DecodingDefaults& other);
};

// Something the model was trained for, with the prompt that asks for it.
struct Task {
  enum class Kind { kTranslation, kSummarization };

  std::string name;  // "translation_en_to_de", "summarization"
  Kind kind;
  std::string prefix;           // put before the source text
  std::string source_language;  // "en"; empty for summarization
  std::string target_language;
  DecodingDefaults defaults;  // the model's own filled in
};

// What a model directory says of tasks and defaults.
struct ModelTasks {
  std::vector<Task> tasks;         // in the order of their names
  DecodingDefaults defaults;       // the model's own (generation_config.json)
  // What of the files is not followed, each with its effect.
  std::vector<std::string> warnings;

  const Task* summarization() const;  // null: none

  // The task for two BCP 47 tags. An empty source stands for the one language
  // that the model translates to the target from. INVALID_ARGUMENT names the
  // field whose tag is none; UNIMPLEMENTED lists the pairs there are.
  absl::StatusOr<const Task*> FindTranslation(
      absl::string_view source_language,
      absl::string_view target_language) const;
};

// Reads `task_specific_params` of config.json and the defaults of
// generation_config.json in `directory`. If `tasks_file` is not empty, that
// file's object stands in for `task_specific_params`. INVALID_ARGUMENT names
// file, key, value and what is allowed.
absl::StatusOr<ModelTasks> LoadModelTasks(const std::string& directory,
                                          const std::string& tasks_file);

// The same from the files' texts. An absent file has an empty text.
absl::StatusOr<ModelTasks> ParseModelTasks(
    absl::string_view config_json, absl::string_view generation_config_json,
    absl::string_view tasks_json);

}  // namespace sheaf
