// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/config_files.h"
#include "text/prompt_template.h"
#include "text/tokenizer.h"

namespace sheaf {

// How the models of one family read and write text. families.cc is the only
// file of text/ that names a family.
struct TextFamily {
  absl::Span<const absl::string_view> model_types;  // of config.json

  // Reads the tokenizer of a model directory. Errors are those of
  // Tokenizer::Load().
  absl::StatusOr<std::unique_ptr<const Tokenizer>> (*load_tokenizer)(
      const std::string& directory, int32_t vocab_size);

  // Makes the template for texts of a task with this prefix. An empty prefix
  // stands for a text without a task.
  PromptTemplate (*make_template)(const Tokenizer& tokenizer,
                                  absl::string_view text_prefix);
};

// The family of a model directory, by `model_type` of its config.json.
// INVALID_ARGUMENT names the supported ones.
absl::StatusOr<const TextFamily*> FindTextFamily(const ConfigFiles& files);

}  // namespace sheaf
