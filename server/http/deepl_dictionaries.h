// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"
#include "server/caller_glossaries.h"
#include "server/http/body_fields.h"
#include "text/terms/term_list.h"

// The dictionaries of glossaries as DeepL's API has them.
namespace sheaf {

// The pairs of languages that the model translates, without scripts and
// regions. `languages` is that of LibreTranslateLanguages().
class GlossaryPairs {
 public:
  explicit GlossaryPairs(const nlohmann::json& languages);

  bool Has(const std::string& source, const std::string& target) const {
    return pairs_.count({source, target}) > 0;
  }
  // "en-de, en-fr", cut if there are many.
  std::string Listed() const;
  // The answer of /v2/glossary-language-pairs:
  //   {"supported_languages": [{"source_lang": "en", "target_lang": "de"}]}
  nlohmann::json ToJson() const;

 private:
  std::set<std::pair<std::string, std::string>> pairs_;
};

// A dictionary in a request. The languages are those of GlossaryPairs.
struct DictionaryText {
  std::string source, target;
  std::vector<TermPair> entries;
};

// INVALID_ARGUMENT if a parameter is none of `allowed`, or if there is a file.
absl::Status CheckParameters(const BodyFields& fields,
                             absl::Span<const absl::string_view> allowed);

// Reads "source_lang" and "target_lang", which have any script and region.
// Errors name the parameter, its value and what is allowed.
absl::StatusOr<std::pair<std::string, std::string>> ReadGlossaryPair(
    const BodyFields& fields, const GlossaryPairs& pairs);

// Reads these two, "entries" and "entries_format" (tsv, which is the default,
// or csv).
absl::StatusOr<DictionaryText> ReadDictionary(const BodyFields& fields,
                                              const GlossaryPairs& pairs);

// Reads "dictionaries": an array of objects, or in a form the parameters
// "dictionaries[0].source_lang" and so on. Takes them out of `fields`. No two
// are of the same languages.
absl::StatusOr<std::vector<DictionaryText>> TakeDictionaries(
    BodyFields& fields, const GlossaryPairs& pairs);

// {"source_lang": "en", "target_lang": "de", "entry_count": 1}
nlohmann::json DictionaryJson(const CallerDictionary& dictionary);
// "2026-01-31T12:00:00.000Z"
std::string CreationTimeText(const CallerGlossary& glossary);

}  // namespace sheaf
