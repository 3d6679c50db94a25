// SPDX-License-Identifier: Apache-2.0

#include "text/checks/judge.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "text/abbreviations.h"
#include "text/checks/kept_spans.h"
#include "text/checks/numbers.h"
#include "text/checks/repetition.h"
#include "text/checks/unknown_characters.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// The length of a text in letters of an alphabet.
struct Length {
  double letters = 0;
  double dense = 0;  // those that characters of dense scripts stand for
};

// The number of letters of an alphabet that a character is worth.
double LettersOf(int32_t character) {
  if (character < 0x80) return 1;
  switch (u_getIntPropertyValue(character, UCHAR_SCRIPT)) {
    case USCRIPT_HAN:
      return 3;
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
    case USCRIPT_HANGUL:
      return 2;
    default:
      return 1;
  }
}

Length LengthOf(absl::string_view text) {
  Length length;
  for (size_t at = 0; at < text.size();) {
    const double letters = LettersOf(NextCharacter(text, at));
    length.letters += letters;
    if (letters > 1) length.dense += letters;
  }
  return length;
}

// Adds the warning about the length, if any. The range of the ratio has 99.9 %
// of 266,000 pairs in English and German, in both directions. It is wider where
// a dense script is involved.
void JudgeLength(const SegmentToJudge& segment,
                 std::vector<SegmentWarning>& warnings) {
  constexpr double kAnyLength = 20;  // letters more or less in short texts
  constexpr double kMinRatio = 0.55;
  constexpr double kMaxRatio = 1.85;
  constexpr double kDenseTolerance = 1.5;
  const Length source = LengthOf(segment.source);
  const Length target = LengthOf(segment.target);
  const bool is_dense =
      2 * source.dense > source.letters || 2 * target.dense > target.letters;
  const double tolerance = is_dense ? kDenseTolerance : 1;
  const double ratio =
      (target.letters + kAnyLength) / (source.letters + kAnyLength);
  if (ratio < kMinRatio / tolerance) {
    warnings.push_back(SegmentWarning::kTooShort);
  } else if (ratio > kMaxRatio * tolerance) {
    warnings.push_back(SegmentWarning::kTooLong);
  }
}

// Whether a text has at least three words of two letters, of which two begin
// with a small letter or all letters are capitals. Names have none.
bool HasOrdinaryWords(absl::string_view text) {
  constexpr int kMinWords = 3;
  constexpr int kMinSmall = 2;
  int num_words = 0, num_small = 0;
  bool has_small_letters = false;
  for (size_t at = 0; at < text.size();) {
    int num_letters = 0;
    bool begins_small = false;
    while (at < text.size()) {
      const int32_t character = NextCharacter(text, at);
      if (!IsLetter(character)) break;
      if (num_letters++ == 0) begins_small = !u_isupper(character);
      has_small_letters |= u_islower(character) != 0;
    }
    num_words += num_letters > 1;
    num_small += num_letters > 1 && begins_small;
  }
  return num_words >= kMinWords &&
         (num_small >= kMinSmall || !has_small_letters);
}

bool IsUntranslated(const SegmentToJudge& segment) {
  if (segment.source_language.empty() ||
      PrimaryLanguage(segment.source_language) ==
          PrimaryLanguage(segment.target_language)) {
    return false;
  }
  const auto trimmed = [](absl::string_view text) {
    return Slice(text, Trim(text, {0, text.size()}));
  };
  return trimmed(segment.source) == trimmed(segment.target) &&
         HasOrdinaryWords(segment.source);
}

bool HasUnknownCharacters(const SegmentToJudge& segment) {
  return !AllKept(segment.source, segment.unknown, segment.target) ||
         HasBrokenCharacter(segment.source, segment.target);
}

bool HasOtherNumbers(const SegmentToJudge& segment) {
  const NumberDifferences differences =
      CompareNumbers(segment.source, segment.target, segment.source_language,
                     segment.target_language);
  return !differences.missing.empty() || !differences.added.empty();
}

// The weights are powers of two where one warning is worse than all lesser ones
// together.
int WeightOf(SegmentWarning warning) {
  switch (warning) {
    case SegmentWarning::kEmpty:
      return 64;
    case SegmentWarning::kProtectedSpan:
      return 32;
    case SegmentWarning::kCut:
    case SegmentWarning::kRepetition:
      return 16;
    case SegmentWarning::kNumber:
    case SegmentWarning::kUnknownCharacter:
    case SegmentWarning::kTerm:
      return 8;
    case SegmentWarning::kUntranslated:
      return 4;
    case SegmentWarning::kTooShort:
    case SegmentWarning::kTooLong:
      return 2;
  }
  return 0;
}

int WeightOf(absl::Span<const SegmentWarning> warnings) {
  int weight = 0;
  for (SegmentWarning warning : warnings) weight += WeightOf(warning);
  return weight;
}

}  // namespace

std::vector<SegmentWarning> JudgeSegment(const SegmentToJudge& segment) {
  std::vector<SegmentWarning> warnings;
  const auto warn_if = [&warnings](bool is_true, SegmentWarning warning) {
    if (is_true) warnings.push_back(warning);
  };
  const bool is_empty =
      HasLetterOrDigit(segment.source) && !HasLetterOrDigit(segment.target);
  warn_if(is_empty, SegmentWarning::kEmpty);
  warn_if(segment.is_cut, SegmentWarning::kCut);
  warn_if(!AllKept(segment.source, segment.protected_spans, segment.target),
          SegmentWarning::kProtectedSpan);
  warn_if(HasOtherNumbers(segment), SegmentWarning::kNumber);
  warn_if(HasUnknownCharacters(segment), SegmentWarning::kUnknownCharacter);
  warn_if(NumRepeatedWords(segment.target) > NumRepeatedWords(segment.source),
          SegmentWarning::kRepetition);
  JudgeLength(segment, warnings);
  warn_if(IsUntranslated(segment), SegmentWarning::kUntranslated);
  return warnings;
}

bool IsSuspicious(absl::Span<const SegmentWarning> warnings) {
  return absl::c_any_of(warnings, [](SegmentWarning warning) {
    return warning == SegmentWarning::kEmpty ||
           warning == SegmentWarning::kRepetition ||
           warning == SegmentWarning::kTooShort ||
           warning == SegmentWarning::kTooLong ||
           warning == SegmentWarning::kUntranslated;
  });
}

bool IsBetter(const JudgedTranslation& a, const JudgedTranslation& b) {
  const int weight_of_a = WeightOf(a.warnings);
  const int weight_of_b = WeightOf(b.warnings);
  if (weight_of_a != weight_of_b) return weight_of_a < weight_of_b;
  return a.mean_logprob > b.mean_logprob;
}

}  // namespace sheaf
