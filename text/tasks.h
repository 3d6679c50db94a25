// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/config_files.h"
#include "text/families.h"
#include "text/generation_config.h"
#include "text/language_set.h"
#include "text/languages.h"
#include "text/model_languages.h"

namespace sheaf {

// A task that the model was trained for, with its prompt.
struct Task {
  enum class Kind {
    kTranslation,     // from one language to one other
    kAnyTranslation,  // from any of ModelTasks::sources to any of its targets
    kSummarization,
  };

  std::string name;  // "translation_en_to_de", "translation", "summarization"
  Kind kind;
  std::string prefix;        // put before the source text
  Language source_language;  // of kTranslation
  Language target_language;
  // Set for kTranslation by a multilingual model.
  std::optional<LanguageToken> source_token = std::nullopt;
  std::optional<LanguageToken> target_token = std::nullopt;
  DecodingDefaults defaults;  // the model's own where the task has none
};

// A task and the tokens for a translation from one language to another.
struct Translation {
  const Task* task;
  // Null: the model has no token for it, or the language is not known.
  const LanguageToken* source_token = nullptr;
  const LanguageToken* target_token = nullptr;
  // The language by whose rules sentences end: "de"; "" if it is not known.
  std::string source_code = "";

  TextPrompt prompt() const {
    return {task->prefix, source_token, target_token};
  }
};

// Whether a source language stands for any: it is empty, or "auto".
bool IsAnySource(absl::string_view tag);

// The tasks and defaults that a model directory defines.
struct ModelTasks {
  std::vector<Task> tasks;  // in the order of their names
  // The languages of kAnyTranslation, which excludes kTranslation. No source
  // means that the model does not tell which languages it reads.
  LanguageSet sources, targets;
  // Whether the source language is a part of what the model reads.
  bool needs_source = false;
  DecodingDefaults defaults;  // the model's own
  // The content of the files that is not followed, each with its effect.
  std::vector<std::string> warnings;

  // Null: none.
  const Task* summarization() const { return Find(Task::Kind::kSummarization); }
  const Task* any_translation() const {
    return Find(Task::Kind::kAnyTranslation);
  }

  // The translation for two BCP 47 tags. Among the tasks that match both
  // (LanguageDistance()), it has the nearest target, then the nearest source.
  // An empty source, or "auto", stands for the only language from which the
  // model translates to the target, or for any if the model does not read its
  // name. INVALID_ARGUMENT names the field whose tag is invalid, missing or
  // ambiguous. UNIMPLEMENTED lists the languages or pairs that the model has.
  absl::StatusOr<Translation> FindTranslation(
      absl::string_view source_language,
      absl::string_view target_language) const;

  // The languages from which the model translates to a BCP 47 tag. Empty: it
  // does not tell which it reads. Errors are those of FindTranslation().
  absl::StatusOr<LanguageSet> SourcesTo(
      absl::string_view target_language) const;

 private:
  const Task* Find(Task::Kind kind) const;
};

// Inputs of the tasks of a model directory, in addition to its files. The
// pointers may be null.
struct TaskSources {
  // The text of a tasks file; its object replaces `task_specific_params`.
  absl::string_view tasks_json = "";
  // The pairs that the model translates; they replace all that the files name.
  absl::Span<const LanguagePair> pairs = {};
  const TextFamily* family = nullptr;
  const Tokenizers* tokenizers = nullptr;
  absl::string_view model_name = "";  // ModelName() of the directory
  int32_t vocab_size = 0;  // of what the model writes; 0: as config.json says
};

// The tasks and defaults of a model directory.
//
// Tasks are `task_specific_params` of config.json. If there is no translation
// among them, a model has those that its languages make possible: all pairs of
// the languages of its tokenizer, or those of ReadModelLanguages(). If there is
// no summarization among them, the family tells whether the model summarizes
// (TextFamily::summaries).
//
// Defaults are those of a task, then those of generation_config.json, and if
// there is none (or it CountsModelConfig()) the same keys at the top level of
// config.json. INVALID_ARGUMENT names file, key, value and what is allowed.
absl::StatusOr<ModelTasks> ReadModelTasks(const ConfigFiles& files,
                                          const TaskSources& sources = {});

// The text of a tasks file, which is not empty. An empty path gives an empty
// text.
absl::StatusOr<std::string> ReadTasksFile(const std::string& path);

}  // namespace sheaf
