// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/config_files.h"
#include "text/prompt_template.h"
#include "text/tokenizers.h"

namespace sheaf {

// The task and the languages of a text that is to be encoded.
struct TextPrompt {
  absl::string_view prefix = "";  // of its task; empty: none
  // Elements of Tokenizers::languages. Null: the request names none.
  const LanguageToken* source_language = nullptr;
  const LanguageToken* target_language = nullptr;
};

// When a model summarizes although its files name no task.
enum class Summaries {
  kIfTask,   // never
  kIfNamed,  // if its name says so (IsNamedSummarizer())
  kAlways,
};

// How the models of one family read and write text. families.cc is the only
// file of text/ that names a family.
struct TextFamily {
  absl::Span<const absl::string_view> model_types;  // of config.json

  // Reads the tokenizers of a model directory, for vocabularies of these sizes.
  // NotFound if there is none. Any other error names the file and the rule that
  // it breaks.
  absl::StatusOr<Tokenizers> (*load)(const ConfigFiles& files,
                                     int32_t source_vocab_size,
                                     int32_t target_vocab_size);

  // REQUIRES: `tokenizers` was made by load() and has tokenizers.
  PromptTemplate (*make_template)(const Tokenizers& tokenizers,
                                  const TextPrompt& prompt);

  Summaries summaries = Summaries::kIfTask;
};

// The family of a model directory, by `model_type` of its config.json.
// INVALID_ARGUMENT names the supported ones.
absl::StatusOr<const TextFamily*> FindTextFamily(const ConfigFiles& files);

}  // namespace sheaf
