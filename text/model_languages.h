// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/config_files.h"
#include "text/languages.h"

namespace sheaf {

struct LanguagePair {
  Language source, target;
};

// The pairs of a list such as "en-de,en-pt_BR". Within a language, '_' stands
// for '-'. An empty text is an empty list. INVALID_ARGUMENT names `field`, the
// pair and what is allowed.
absl::StatusOr<std::vector<LanguagePair>> ParseLanguagePairs(
    absl::string_view field, absl::string_view text);

// The languages of a model that its files or its name tell. A side is empty if
// it is a group of languages, such as "mul" or "ROMANCE".
struct ModelLanguages {
  std::vector<Language> sources, targets;
};

// The languages of a name of Helsinki-NLP's models: "opus-mt-en-de",
// "Helsinki-NLP/opus-mt-tc-big-cat_oci_spa-en". Nullopt for other names.
std::optional<ModelLanguages> LanguagesOfName(absl::string_view name);

// `source_lang` and `target_lang` of tokenizer_config.json, else
// LanguagesOfName() of `_name_or_path` in config.json, else of `model_name`.
// Nullopt if none tells. Errors are those of tokenizer_config.json.
absl::StatusOr<std::optional<ModelLanguages>> ReadModelLanguages(
    const ConfigFiles& files, absl::string_view model_name);

// Whether the `_name_or_path` of config.json, or `model_name`, says that the
// model summarizes: one of its words is "cnn", "xsum" or "samsum", or begins
// with "summar".
bool IsNamedSummarizer(const ConfigFiles& files, absl::string_view model_name);

}  // namespace sheaf
