// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/languages.h"

namespace sheaf {

// A language of a text.
//
// The confidence is the share of the text's letters, in bytes, that are in the
// language by CLD2's rules. Letters count half where CLD2 does not call its
// result reliable, for example in short texts. A language whose confidence is
// at most 0.5 is therefore a guess, or one of several in the text. The
// confidences of a text's languages add up to at most 1.
struct DetectedLanguage {
  Language language;
  float confidence = 0;
};

// Finds the languages of texts with CLD2, in pieces of a few KiB, so that the
// time is linear in the text. Markup is read as text.
//
// The script of a language is set if the language has several and the text is
// not in the usual one ("sr-Latn"). Chinese is "zh-Hans" or "zh-Hant".
//
// Thread-safe: immutable, and CLD2 has no state. The only unit that uses CLD2.
class LanguageDetector {
 public:
  // Favours the expected languages if they are at most 4. Others can be found
  // too.
  explicit LanguageDetector(absl::Span<const Language> expected = {});

  // The languages of the text, most confident first; empty if it has no letter,
  // or none of a known language. Calls `is_wanted` about once per millisecond.
  // Once that returns false, the rest of the text does not count. REQUIRES:
  // `text` is UTF-8.
  std::vector<DetectedLanguage> Detect(
      absl::string_view text,
      absl::FunctionRef<bool()> is_wanted = [] { return true; }) const;

 private:
  std::string hints_;  // codes of CLD2, separated by commas; empty: none
};

}  // namespace sheaf
