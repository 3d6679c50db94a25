#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// The language and script of a BCP 47 tag. A region counts for the script
// that it implies alone: "zh-TW" is "zh-Hant", "de-AT" is "de".
struct Language {
  std::string code;    // canonical and shortest: "de" for "deu", "he" for "iw"
  std::string script;  // "Hans"; the usual one if the tag says none
  bool has_script = false;  // the tag says it, or a region that implies another
                            // than the usual one
  bool has_region = false;

  // "zh-Hant"; "zh" if the tag says no script.
  std::string ToString() const;
};

// INVALID_ARGUMENT, with `field` and the tag in the message, if the tag is
// malformed or its language is none that ICU knows.
absl::StatusOr<Language> ParseLanguage(absl::string_view field,
                                       absl::string_view tag);

// Whether two tags mean the same.
bool IsSame(const Language& a, const Language& b);

// How far what is `offered` is from what is `asked` for; the least is best, 0
// is the same, and nullopt is another language. Beyond the same language and
// script there match
//   - a script that only one of the tags says, and that is the usual one,
//   - an offer that says no script, whatever script is asked for,
//   - an offer in another script, if no script is asked for,
//   - a language and the macrolanguage that it belongs to ("nb" and "no").
std::optional<int32_t> LanguageDistance(const Language& asked,
                                        const Language& offered);

}  // namespace sheaf
