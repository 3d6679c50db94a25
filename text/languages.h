// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// The language and script of a BCP 47 tag. A region counts only for the script
// that it implies: "zh-TW" is "zh-Hant", "de-AT" is "de".
struct Language {
  std::string code;    // canonical and shortest: "de" for "deu", "he" for "iw"
  std::string script;  // "Hans"; the usual one if the tag has none
  // Whether the tag has a script, or a region that implies an unusual one.
  bool has_script = false;
  bool has_region = false;

  // "zh-Hant", or "zh" if the tag has no script.
  std::string ToString() const;
};

// INVALID_ARGUMENT, with `field` and the tag in the message, if the tag is
// malformed or ICU does not know its language.
absl::StatusOr<Language> ParseLanguage(absl::string_view field,
                                       absl::string_view tag);

// Whether two tags have the same meaning.
bool IsSame(const Language& a, const Language& b);

// The distance between the language that a model offers and the one that a
// request asks for. 0 means the same, and nullopt another language. In addition
// to the same language and script, these match:
//   - a script that only one of the tags has, and that is the usual one,
//   - an offer without a script, for any script that is asked for,
//   - an offer in another script, if no script is asked for,
//   - a language and the macrolanguage that it belongs to ("nb" and "no").
std::optional<int32_t> LanguageDistance(const Language& asked,
                                        const Language& offered);

}  // namespace sheaf
