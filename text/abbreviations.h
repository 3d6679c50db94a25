// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <unordered_map>

#include "absl/strings/string_view.h"

namespace sheaf {

// The language of a tag: "zh" for "zh-Hans".
absl::string_view PrimaryLanguage(absl::string_view language);

// The meaning of a full stop after a word.
enum class StopWord {
  kNone,
  kNeverEnds,     // "Dr.", "e.g.": no sentence ends here
  kMayEnd,        // "U.S.", "Inc.": a sentence ends if an opener follows
  kBeforeNumber,  // "No. 5", "Jan. 3": no sentence ends before a number
};

// The words of one language that decide whether a full stop ends a sentence.
// The tables are in abbreviations.cc, where their format is explained.
//
// Thread-safe: immutable.
class SentenceWords {
 public:
  // The words of `language`, a lower-case ISO 639 code with or without a script
  // or region ("zh-Hans"). A language without a table has the words that all
  // languages share. The reference is valid forever.
  static const SentenceWords& For(absl::string_view language);

  // `word` comes without its last full stop and without spaces: "z.B" for
  // "z. B.".
  StopWord Find(absl::string_view word) const;

  // Whether `word`, which has a capital first letter, commonly begins a
  // sentence and is rarely part of a name: pronouns, articles, conjunctions.
  bool IsOpener(absl::string_view word) const;

  // Whether a number with a full stop is an ordinal ("3. Oktober"), and the
  // words before or after it that make it one even before a capital letter.
  bool has_ordinals() const { return has_ordinals_; }
  bool IsBeforeOrdinal(absl::string_view word) const;
  bool IsAfterOrdinal(absl::string_view word) const;

  // Whether `word` reports direct speech ("said").
  bool IsSpeechVerb(absl::string_view word) const;

 private:
  struct Word {
    StopWord stop = StopWord::kNone;
    bool needs_capital = false;
    bool is_opener = false;
    bool is_before_ordinal = false;
    bool is_after_ordinal = false;
    bool is_speech_verb = false;
  };

  static std::unordered_map<std::string, SentenceWords> MakeAll();
  void AddStops(const char* words, StopWord stop);
  void Mark(const char* words, bool Word::*fact);
  Word Lookup(absl::string_view word) const;

  std::unordered_map<std::string, Word> words_;  // by word in lower case
  std::string street_suffix_;  // "str" in "Hauptstr."; empty for none
  bool has_ordinals_ = false;
};

}  // namespace sheaf
