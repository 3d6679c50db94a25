// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sheaf {

// The language, script and region of a BCP 47 tag. A region chooses the script
// that it implies ("zh-TW" is "zh-Hant"), and one of several variants of a
// language that a model has.
struct Language {
  std::string code;    // canonical and shortest: "de" for "deu", "he" for "iw"
  std::string script;  // "Hans"; the usual one if the tag has none
  std::string region;  // "BR"; empty: the tag has none
  // Whether the tag has a script, or a region that implies an unusual one.
  bool has_script = false;
  // Whether ICU lists the language. If not, only the form of the code is known.
  bool is_known = true;

  // "zh-Hant", or "zh" if the tag has no script; with the region if it has one.
  std::string ToString() const;
};

// The language of a tag, or of a code as checkpoints write it. Nullopt if it is
// malformed, or that of a group of languages.
std::optional<Language> ReadLanguage(absl::string_view tag);

// INVALID_ARGUMENT, with `field` and the tag in the message, if the tag is
// malformed or ICU does not know its language.
absl::StatusOr<Language> ParseLanguage(absl::string_view field,
                                       absl::string_view tag);
absl::Status UnknownLanguage(absl::string_view field, absl::string_view tag);

// The tag of the language that is usual in a script: "sat" for "Olck". Empty:
// ICU does not know one, or the script has many.
std::string TagOfScript(absl::string_view script);

// Whether two tags have the same meaning.
bool IsSame(const Language& a, const Language& b);

// The distance between the language that a model offers and the one that a
// request asks for. 0 means the same, and nullopt another language. In addition
// to the same language, script and region, these match:
//   - any region; nearest is none, then the usual one,
//   - a script that only one of the tags has, and that is the usual one,
//   - an offer without a script, for any script that is asked for,
//   - an offer in another script, if no script is asked for,
//   - a language and the macrolanguage that it belongs to ("nb" and "no").
std::optional<int32_t> LanguageDistance(const Language& asked,
                                        const Language& offered);

// For each of different languages, the shortest tag that tells it from the
// others: "de" for German in Latin script, "zh-Hans" only beside "zh-Hant".
std::vector<std::string> ShortestTags(absl::Span<const Language> languages);

}  // namespace sheaf
