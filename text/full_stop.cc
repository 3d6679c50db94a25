// SPDX-License-Identifier: Apache-2.0

#include "text/full_stop.h"

#include <unicode/uchar.h>

#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// Longer words are neither abbreviations nor relevant numbers.
constexpr size_t kMaxWordBytes = 64;

bool IsApostrophe(int32_t character) {
  return character == '\'' || character == 0x2019;
}

bool IsPartOfWord(int32_t character) {
  return IsLetterOrDigit(character) || u_getCombiningClass(character) != 0;
}

// Whether a character ends a word on its left side: white space, quotes,
// brackets, dashes and clause punctuation.
bool IsBeforeWord(int32_t character) {
  if (IsWhitespace(character)) return true;
  switch (character) {
    case '.':
    case '-':
      return false;
    default:
      break;
  }
  switch (SentenceBreak(character)) {
    case U_SB_CLOSE:
    case U_SB_SCONTINUE:
    case U_SB_STERM:
      return true;
    default:
      return false;
  }
}

// The word that ends at `end`. It begins with a letter or digit, and may have
// full stops, hyphens and signs within. Empty if it is too long.
absl::string_view WordBefore(absl::string_view text, size_t end) {
  size_t begin = end;
  for (size_t at = end; at > 0;) {
    const int32_t character = PreviousCharacter(text, at);
    if (IsBeforeWord(character)) break;
    if (end - at > kMaxWordBytes) return "";
    if (IsPartOfWord(character)) begin = at;
  }
  return text.substr(begin, end - begin);
}

// The end of the word before the one that begins at `begin`. 0 if there is
// none, or if not only white space separates them.
size_t EndOfWordBefore(absl::string_view text, size_t begin) {
  size_t end = begin;
  while (end > 0) {
    size_t at = end;
    if (!IsWhitespace(PreviousCharacter(text, at))) return end;
    if (begin - at > kMaxWordBytes) return 0;
    end = at;
  }
  return 0;
}

int NumLetters(absl::string_view word) {
  int n = 0;
  for (size_t at = 0; at < word.size();) {
    if (!u_isalpha(NextCharacter(word, at))) return 0;
    ++n;
  }
  return n;
}

bool IsNumber(absl::string_view word) {
  for (size_t at = 0; at < word.size();) {
    if (!u_isdigit(NextCharacter(word, at))) return false;
  }
  return !word.empty();
}

bool IsRoman(absl::string_view word) {
  return !word.empty() && (word.find_first_not_of("IVXLC") == word.npos ||
                           word.find_first_not_of("ivx") == word.npos);
}

bool BeginsWithCapital(absl::string_view word) {
  size_t at = 0;
  return !word.empty() && IsUpperCase(NextCharacter(word, at));
}

// "U.S", "Ph.D", "J.-P", "EE.UU": only letters, in parts of one or two.
bool HasShortParts(absl::string_view word) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(word, absl::ByAnyChar(".-"), absl::SkipEmpty());
  return absl::StrContains(word, ".") && parts.size() > 1 &&
         absl::c_all_of(parts, [](absl::string_view part) {
           const int letters = NumLetters(part);
           return letters == 1 || letters == 2;
         });
}

// Decides about one full stop.
class Judge {
 public:
  Judge(const FullStop& stop, const SentenceWords& words)
      : stop_(stop),
        words_(words),
        word_(WordBefore(stop.text, stop.at)),
        next_(WordAt(stop.text, stop.next)),
        next_is_number_(u_isdigit(CharacterAt(stop.next))),
        next_has_full_stop_(
            absl::StartsWith(stop.text.substr(stop.next + next_.size()), ".")),
        next_is_opener_(!next_is_number_ && IsOpener()) {}

  bool Ends() const {
    if (word_.empty()) return true;
    if (IsListMark() || IsWithinAbbreviation()) return false;
    if (IsNumber(word_)) return NumberEnds();
    switch (Find()) {
      case StopWord::kNeverEnds:
        return false;
      case StopWord::kMayEnd:
        return next_is_opener_;
      case StopWord::kBeforeNumber:
        if (next_is_number_ || IsRomanNumberNext() || IsLetterNext() ||
            IsAbbreviationNext()) {
          return false;
        }
        break;  // "p. 5" is a page, and "P. Hays" has an initial
      case StopWord::kNone:
        break;
    }
    if (NumLetters(word_) == 1) return InitialEnds();
    if (words_.has_ordinals() && IsRoman(word_)) return next_is_opener_;
    return true;
  }

 private:
  size_t begin() const { return stop_.at - word_.size(); }

  int32_t CharacterAt(size_t at) const { return NextCharacter(stop_.text, at); }

  absl::string_view PreviousWord() const {
    const size_t end = EndOfWordBefore(stop_.text, begin());
    return WordBefore(stop_.text, end);
  }

  // A single letter with a full stop always counts as an initial.
  bool IsOpener() const {
    return !(next_has_full_stop_ && NumLetters(next_) == 1) &&
           words_.IsOpener(next_);
  }

  // The first full stop in "z. B." or "v. Chr."
  bool IsWithinAbbreviation() const {
    if (!next_has_full_stop_) return false;
    if (NumLetters(word_) == 1 && NumLetters(next_) == 1) return true;
    return words_.Find(absl::StrCat(word_, ".", next_)) != StopWord::kNone;
  }

  // "1.", "a.", "IV." at the beginning, and "Step 3." if no ordinary sentence
  // begins after it.
  bool IsListMark() const {
    const bool is_number = IsNumber(word_);
    if (begin() <= stop_.first) {
      return is_number ? word_.size() <= 3
                       : NumLetters(word_) == 1 ||
                             (IsRoman(word_) && word_.size() <= 4);
    }
    if (!is_number || word_.size() > 3 || next_is_opener_) return false;
    const absl::string_view previous = PreviousWord();
    return BeginsWithCapital(previous) && NumLetters(previous) > 0 &&
           EndOfWordBefore(stop_.text, begin()) - previous.size() <=
               stop_.first;
  }

  // "der 3. Oktober", "3. 10. 1990".
  bool NumberEnds() const {
    constexpr size_t kMaxOrdinalDigits = 3;
    if (!words_.has_ordinals() || word_.size() > kMaxOrdinalDigits) return true;
    if (next_is_number_) return word_.size() > 2;
    if (next_is_opener_) return true;
    return !words_.IsAfterOrdinal(next_) &&
           !words_.IsBeforeOrdinal(PreviousWord());
  }

  // The entry of the longest abbreviation that ends here: "R", "d.R" or "i.d.R"
  // for "i. d. R.".
  StopWord Find() const {
    constexpr int kMaxParts = 4;
    constexpr int kMaxPartLetters = 4;
    StopWord found = HasShortParts(word_) ? StopWord::kMayEnd : StopWord::kNone;
    if (const StopWord stop = words_.Find(word_); stop != StopWord::kNone) {
      found = stop;
    }
    if (const size_t hyphen = word_.rfind('-'); hyphen != word_.npos) {
      const StopWord stop = words_.Find(word_.substr(hyphen + 1));
      if (found == StopWord::kNone) found = stop;
    }
    std::string key(word_);
    bool has_letters_alone = NumLetters(word_) == 1;
    size_t begin = this->begin();
    for (int i = 1; i < kMaxParts; ++i) {
      const size_t end = EndOfWordBefore(stop_.text, begin);
      if (end == 0 || stop_.text[end - 1] != '.') break;
      const absl::string_view part = WordBefore(stop_.text, end - 1);
      const int letters = NumLetters(part);
      if (letters == 0 || letters > kMaxPartLetters) break;
      key = absl::StrCat(part, ".", key);
      begin = end - 1 - part.size();
      has_letters_alone = has_letters_alone && letters == 1;
      if (const StopWord stop = words_.Find(key); stop != StopWord::kNone) {
        found = stop;
      } else if (has_letters_alone && found == StopWord::kNone) {
        found = StopWord::kMayEnd;
      }
    }
    return found;
  }

  // True for "J. Weaver", "p. 5", and false for "x. The", "you and I. John".
  bool InitialEnds() const {
    if (next_is_number_) return false;
    if (!BeginsWithCapital(word_) || next_is_opener_) return true;
    return word_ == "I" && words_.IsOpener("I") &&
           !BeginsWithCapital(PreviousWord());
  }

  bool IsRomanNumberNext() const {
    return next_.size() > 1 && IsRoman(next_) && BeginsWithCapital(next_);
  }

  // True for "Tel. No. 5", "Mon. Jan. 5", and false for "No. No."
  bool IsAbbreviationNext() const {
    return next_has_full_stop_ && !words_.IsOpener(next_) &&
           words_.Find(next_) != StopWord::kNone;
  }

  // "Fig. B"
  bool IsLetterNext() const {
    return NumLetters(next_) == 1 && !next_is_opener_;
  }

  const FullStop& stop_;
  const SentenceWords& words_;
  const absl::string_view word_;  // before the full stop
  const absl::string_view next_;
  const bool next_is_number_;
  const bool next_has_full_stop_;
  const bool next_is_opener_;
};

}  // namespace

bool EndsSentence(const FullStop& stop, const SentenceWords& words) {
  return Judge(stop, words).Ends();
}

absl::string_view WordAt(absl::string_view text, size_t at) {
  size_t end = at;
  for (size_t next = at; next < text.size() && next - at < kMaxWordBytes;) {
    const int32_t character = NextCharacter(text, next);
    if (IsPartOfWord(character)) {
      end = next;
    } else if (!IsApostrophe(character)) {
      break;
    }
  }
  return text.substr(at, end - at);
}

bool IsLowerCase(int32_t character) {
  return SentenceBreak(character) == U_SB_LOWER;
}

bool IsUpperCase(int32_t character) {
  return SentenceBreak(character) == U_SB_UPPER;
}

}  // namespace sheaf
