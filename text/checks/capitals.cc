// SPDX-License-Identifier: Apache-2.0

#include "text/checks/capitals.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "text/abbreviations.h"
#include "text/checks/letter_case.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// A word and how its letters are written.
struct Word {
  TextRange range;
  int num_letters = 0;
  int num_upper = 0;
  int num_lower = 0;
  bool begins_upper = false;
  bool has_digit = false;
};

bool HasTitles(absl::string_view language) {
  return PrimaryLanguage(language) == "en";
}

Word ReadWord(absl::string_view text, size_t begin, size_t limit) {
  Word word;
  word.range = {begin, begin};
  for (size_t at = begin; at < limit;) {
    const int32_t character = NextCharacter(text, at);
    if (!IsWordCharacter(character)) break;
    const bool is_upper = u_isupper(character) || u_istitle(character);
    if (word.num_letters == 0) word.begins_upper = is_upper;
    word.num_letters += IsLetter(character);
    word.num_upper += is_upper;
    word.num_lower += u_islower(character);
    word.has_digit |= IsNumber(character);
    word.range.end = at;
  }
  return word;
}

// The words with a letter outside the ranges of `kept`.
std::vector<Word> FindWords(absl::string_view text,
                            absl::Span<const TextRange> kept) {
  std::vector<Word> words;
  size_t next_kept = 0;
  for (size_t at = 0; at < text.size();) {
    if (next_kept < kept.size() && at >= kept[next_kept].begin) {
      at = std::max(at, kept[next_kept++].end);
      continue;
    }
    const size_t limit =
        next_kept < kept.size() ? kept[next_kept].begin : text.size();
    const Word word = ReadWord(text, at, limit);
    if (word.num_letters > 0) words.push_back(word);
    if (word.range.size() > 0) {
      at = word.range.end;
    } else {
      NextCharacter(text, at);
    }
  }
  return words;
}

bool IsAllCapitals(const std::vector<Word>& words) {
  constexpr int kMinLetters = 2;  // of each of two words
  constexpr int kMinLettersOfOne = 4;
  int num_words = 0;
  bool has_long = false;
  for (const Word& word : words) {
    if (word.num_lower > 0) return false;
    if (word.num_upper < kMinLetters) continue;
    ++num_words;
    has_long |= word.num_upper >= kMinLettersOfOne;
  }
  return num_words > 1 || has_long;
}

bool IsTitle(const std::vector<Word>& words) {
  constexpr size_t kMinWords = 3;
  constexpr int kMajorLetters = 4;
  if (words.size() < kMinWords || !words.front().begins_upper) return false;
  int num_capitals = 0;
  for (const Word& word : words) {
    if (word.num_letters >= kMajorLetters && !word.begins_upper) return false;
    num_capitals += word.begins_upper && word.num_lower > 0;
  }
  return num_capitals > 1;
}

// Whether a word of a sentence keeps its capitals.
bool KeepsCapitals(absl::string_view text, const Word& word, bool is_english,
                   bool has_small_letters) {
  if (word.has_digit) return true;
  if (is_english && Slice(text, word.range) == "I") return true;
  const int later_capitals = word.num_upper - (word.begins_upper ? 1 : 0);
  return has_small_letters && later_capitals > 0;
}

// Replaces ranges of a translation by their forms in another case, with the
// alignment that their tokens have.
class CaseSetter {
 public:
  explicit CaseSetter(const EditedText& target) : target_(target) {}

  void Keep(size_t end) {
    for (; at_ < end; ++at_) places_.push_back(text_.size() + at_ - begin_);
    absl::StrAppend(&text_, Slice(target_.text, {begin_, end}));
    begin_ = end;
  }

  void Set(TextRange range, LetterCase letter_case,
           absl::string_view language) {
    Keep(range.begin);
    const CasedText cased =
        ToCase(Slice(target_.text, range), letter_case, language);
    for (; at_ < range.end; ++at_) {
      places_.push_back(text_.size() + cased.places[at_ - range.begin]);
    }
    text_ += cased.text;
    begin_ = range.end;
  }

  EditedText Finish() {
    Keep(target_.text.size());
    places_.push_back(text_.size());
    EditedText result = {std::move(text_), target_.alignment};
    for (AlignedSpan& span : result.alignment) {
      span.target = {places_[span.target.begin], places_[span.target.end]};
    }
    return result;
  }

 private:
  const EditedText& target_;
  std::string text_;
  std::vector<size_t> places_;  // in text_, by place in the target
  size_t at_ = 0;               // places_.size()
  size_t begin_ = 0;            // what is before is in text_
};

}  // namespace

Capitals CapitalsOf(absl::string_view segment, absl::string_view language,
                    absl::Span<const TextRange> kept) {
  const std::vector<Word> words = FindWords(segment, kept);
  if (IsAllCapitals(words)) return Capitals::kAll;
  if (HasTitles(language) && IsTitle(words)) return Capitals::kTitle;
  return Capitals::kNone;
}

ReplacedSource ToSentenceCase(absl::string_view segment,
                              absl::string_view language,
                              absl::Span<const TextRange> kept) {
  const std::vector<Word> words = FindWords(segment, kept);
  const bool is_english = PrimaryLanguage(language) == "en";
  const bool has_small_letters =
      std::any_of(words.begin(), words.end(),
                  [](const Word& w) { return w.num_lower > 0; });
  // A kept range at the beginning is the sentence's first word.
  bool is_first = kept.empty() || words.empty() ||
                  kept.front().begin > words.front().range.begin;
  ReplacedSource sentence;
  size_t at = 0;
  for (const Word& word : words) {
    const bool stays =
        KeepsCapitals(segment, word, is_english, has_small_letters);
    sentence.Keep(segment, {at, word.range.begin});
    at = word.range.end;
    std::string text(Slice(segment, word.range));
    if (!stays) text = ToLowerCase(text, language);
    if (is_first && !stays) {
      text = ToCase(text, LetterCase::kTitle, language).text;
    }
    is_first = false;
    if (text == Slice(segment, word.range)) {
      sentence.Keep(segment, word.range);
    } else {
      sentence.Replace(word.range, text);
    }
  }
  sentence.Keep(segment, {at, segment.size()});
  return sentence;
}

EditedText SetCapitals(const EditedText& target, Capitals capitals,
                       absl::string_view language,
                       absl::Span<const TextRange> kept) {
  if (capitals == Capitals::kNone ||
      (capitals == Capitals::kTitle && !HasTitles(language))) {
    return target;
  }
  CaseSetter setter(target);
  constexpr int kMajorLetters = 4;
  const std::vector<Word> words = FindWords(target.text, kept);
  for (const Word& word : words) {
    if (capitals == Capitals::kAll) {
      setter.Set(word.range, LetterCase::kUpper, language);
    } else if (word.num_letters >= kMajorLetters ||
               word.range.begin == words.front().range.begin) {
      setter.Set(word.range, LetterCase::kTitle, language);
    }
  }
  return setter.Finish();
}

}  // namespace sheaf
