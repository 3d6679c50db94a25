// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/config_files.h"
#include "text/generation_config.h"
#include "text/languages.h"

namespace sheaf {

// A task that the model was trained for, with its prompt.
struct Task {
  enum class Kind { kTranslation, kSummarization };

  std::string name;  // "translation_en_to_de", "summarization"
  Kind kind;
  std::string prefix;        // put before the source text
  Language source_language;  // of a translation
  Language target_language;
  DecodingDefaults defaults;  // the model's own where the task has none
};

// The tasks and defaults that a model directory defines.
struct ModelTasks {
  std::vector<Task> tasks;    // in the order of their names
  DecodingDefaults defaults;  // the model's own
  // The content of the files that is not followed, each with its effect.
  std::vector<std::string> warnings;

  const Task* summarization() const;  // null: none

  // The task for two BCP 47 tags. Among the tasks that match both
  // (LanguageDistance()), it has the nearest target, then the nearest source.
  // An empty source, or "auto", stands for the only language from which the
  // model translates to the target. INVALID_ARGUMENT names the field whose tag
  // is invalid or ambiguous. UNIMPLEMENTED lists the pairs that the model has.
  absl::StatusOr<const Task*> FindTranslation(
      absl::string_view source_language,
      absl::string_view target_language) const;
};

// The tasks and defaults of a model directory: `task_specific_params` of
// config.json, then generation_config.json, and if there is none (or it
// CountsModelConfig()) the same keys at the top level of config.json. If
// `tasks_json` is not empty, its object replaces `task_specific_params`.
// INVALID_ARGUMENT names file, key, value and what is allowed.
absl::StatusOr<ModelTasks> ReadModelTasks(const ConfigFiles& files,
                                          absl::string_view tasks_json = "");

// ReadModelTasks() with the text of `tasks_file`; without one if the name is
// empty.
absl::StatusOr<ModelTasks> LoadModelTasks(const ConfigFiles& files,
                                          const std::string& tasks_file);

}  // namespace sheaf
