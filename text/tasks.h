#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "text/generation_config.h"
#include "text/languages.h"

namespace sheaf {

// Something the model was trained for, with the prompt that asks for it.
struct Task {
  enum class Kind { kTranslation, kSummarization };

  std::string name;  // "translation_en_to_de", "summarization"
  Kind kind;
  std::string prefix;        // put before the source text
  Language source_language;  // of a translation
  Language target_language;
  DecodingDefaults defaults;  // the model's own filled in
};

// What a model directory says of tasks and defaults.
struct ModelTasks {
  std::vector<Task> tasks;    // in the order of their names
  DecodingDefaults defaults;  // the model's own
  // What of the files is not followed, each with its effect.
  std::vector<std::string> warnings;

  const Task* summarization() const;  // null: none

  // The task for two BCP 47 tags: of those that match both (LanguageDistance)
  // the one with the nearest target, then with the nearest source. An empty
  // source, or "auto", stands for the one language that the model translates to
  // the target from. INVALID_ARGUMENT names the field whose tag is none, or
  // stands for several; UNIMPLEMENTED lists the pairs there are.
  absl::StatusOr<const Task*> FindTranslation(
      absl::string_view source_language,
      absl::string_view target_language) const;
};

// Reads tasks and defaults of `directory`: `task_specific_params` of
// config.json, below them generation_config.json, and if there is none (or it
// CountsModelConfig()) the same keys at the top level of config.json. If
// `tasks_file` is not empty, that file's object stands in for
// `task_specific_params`. INVALID_ARGUMENT names file, key, value and what is
// allowed.
absl::StatusOr<ModelTasks> LoadModelTasks(const std::string& directory,
                                          const std::string& tasks_file);

// The same from the files' texts. An absent file has an empty text.
absl::StatusOr<ModelTasks> ParseModelTasks(
    absl::string_view config_json, absl::string_view generation_config_json,
    absl::string_view tasks_json);

}  // namespace sheaf
