// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "text/language_detector.h"
#include "text/language_set.h"
#include "text/tasks.h"

// Which languages of a model a text may be in (language_detector.h).
namespace sheaf {

// A language by its BCP 47 tag, with DetectedLanguage's confidence.
struct LanguageGuess {
  std::string tag;
  float confidence = 0;
};

// Guesses for a text, most confident first; empty if it does not show its
// language.
std::vector<LanguageGuess> GuessLanguages(absl::string_view text,
                                          absl::FunctionRef<bool()> is_wanted);

// The same among `offers`, with their tags. A detected language that is not
// among them counts for the nearest offer (LanguageDistance()), else for one
// that differs in its script only, else counts half for one of its group of
// languages that are easily confused ("gl" for "pt").
//
// If no offer is left, the result is one with confidence 0: English if it is
// offered and the text's first letter is Latin, else the first offer in the
// script of that letter, else the first offer. REQUIRES: `offers` is not empty.
std::vector<LanguageGuess> GuessAmong(const LanguageSet& offers,
                                      absl::string_view text,
                                      absl::FunctionRef<bool()> is_wanted);

// A translation of a text, and the language from which it translates, if that
// was detected.
struct TextTranslation {
  Translation translation;
  std::optional<LanguageGuess> detected = std::nullopt;
};

// As ModelTasks::FindTranslation(), except that an empty source language, or
// "auto", is detected if there are several. A model that does not read the name
// of the language may have none (GuessAmong() has no better than confidence 0);
// then no language is detected.
absl::StatusOr<TextTranslation> FindTranslationOf(
    absl::string_view text, const ModelTasks& tasks,
    absl::string_view source_language, absl::string_view target_language,
    absl::FunctionRef<bool()> is_wanted);

// Tells which sentences of a text are in the language of its translation
// already.
//
// Thread-safe: immutable.
class TargetLanguageTest {
 public:
  // REQUIRES: FindTranslationOf() returned `found` for the target language.
  TargetLanguageTest(const TextTranslation& found,
                     absl::string_view target_language);

  // Whether CLD2 is certain that the sentence is in the target language, in its
  // script. If the whole text is, whether CLD2 is not certain that the sentence
  // is in another one.
  bool IsInTarget(absl::string_view sentence,
                  absl::FunctionRef<bool()> is_wanted) const;

 private:
  bool IsTarget(const Language& language) const;

  Language target_;
  bool is_text_in_target_ = false;
  LanguageDetector detector_;
};

}  // namespace sheaf
