// SPDX-License-Identifier: Apache-2.0

#include "text/marks.h"

#include <unicode/uchar.h>

#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr int kDividingMarks = 16;  // between words
constexpr int kSpacedMarks = 4;     // at an end, set off by white space
constexpr int kEqualMarks = 4;      // at an end
constexpr int kMaxJoinedMarks = 8;  // at an end, without white space

bool IsCombining(int32_t character) {
  return (U_MASK(u_charType(character)) & U_GC_M_MASK) != 0;
}

bool IsTerminal(int32_t character) {
  const int32_t property = SentenceBreak(character);
  return property == U_SB_ATERM || property == U_SB_STERM;
}

int NumMarks(absl::string_view text, TextRange range) {
  int n = 0;
  for (size_t at = range.begin; at < range.end;) {
    n += !IsWhitespace(NextCharacter(text, at));
  }
  return n;
}

// Whether at least kEqualMarks equal characters begin at `at`.
bool HasEqualAfter(absl::string_view text, size_t at, size_t end) {
  const int32_t first = NextCharacter(text, at);
  for (int n = 1; n < kEqualMarks; ++n) {
    if (at >= end || NextCharacter(text, at) != first) return false;
  }
  return true;
}

// Whether at least kEqualMarks equal characters end at `at`.
bool HasEqualBefore(absl::string_view text, size_t at, size_t begin) {
  const int32_t last = PreviousCharacter(text, at);
  for (int n = 1; n < kEqualMarks; ++n) {
    if (at <= begin || PreviousCharacter(text, at) != last) return false;
  }
  return true;
}

// The end of the marks that stay with the word before them.
size_t KeptAfterWord(absl::string_view text, TextRange marks) {
  int left = NumMarks(text, marks);
  int kept = 0;
  for (size_t at = marks.begin; at < marks.end;) {
    size_t next = at;
    const int32_t character = NextCharacter(text, next);
    if (IsWhitespace(character)) {
      if (left >= kSpacedMarks) return at;
    } else {
      if (HasEqualAfter(text, at, marks.end)) {
        return IsTerminal(character) ? next : at;
      }
      if (++kept > kMaxJoinedMarks) return marks.begin;
      --left;
    }
    at = next;
  }
  return marks.end;
}

// The beginning of the marks that stay with the word after them.
size_t KeptBeforeWord(absl::string_view text, TextRange marks) {
  int left = NumMarks(text, marks);
  int kept = 0;
  for (size_t at = marks.end; at > marks.begin;) {
    size_t next = at;
    if (IsWhitespace(PreviousCharacter(text, next))) {
      if (left >= kSpacedMarks) return at;
    } else {
      if (HasEqualBefore(text, at, marks.begin)) return at;
      if (++kept > kMaxJoinedMarks) return marks.end;
      --left;
    }
    at = next;
  }
  return marks.begin;
}

bool IsListMark(int32_t character) {
  switch (character) {
    case '-':
    case '*':
    case '+':
    case '>':     // quoted
    case '#':     // heading
    case 0xB7:    // middle dot
    case 0x2013:  // dashes
    case 0x2014:
    case 0x2022:  // bullets
    case 0x2023:
    case 0x25AA:
    case 0x25CF:
    case 0x25E6:
      return true;
    default:
      return false;
  }
}

// Whether `marks`, which begin a sentence, are list marks set off by a space.
bool AreListMarks(absl::string_view text, TextRange marks) {
  int32_t character = 0;
  for (size_t at = marks.begin; at < marks.end;) {
    character = NextCharacter(text, at);
    if (!IsListMark(character) && !IsWhitespace(character)) return false;
  }
  return marks.size() > 0 && IsWhitespace(character);
}

}  // namespace

TextRange Trim(absl::string_view text, TextRange range) {
  while (range.begin < range.end) {
    size_t next = range.begin;
    if (!IsWhitespace(NextCharacter(text, next))) break;
    range.begin = next;
  }
  while (range.end > range.begin) {
    size_t previous = range.end;
    if (!IsWhitespace(PreviousCharacter(text, previous))) break;
    range.end = previous;
  }
  return range;
}

void AppendReadableParts(absl::string_view text, TextRange sentence,
                         std::vector<TextRange>& parts) {
  bool has_word = false;
  TextRange part;
  TextRange marks = {sentence.begin, sentence.begin};  // since the last word
  const auto end_part = [&] {
    part.end = KeptAfterWord(text, marks);
    parts.push_back(Trim(text, part));
  };
  for (size_t at = sentence.begin; at < sentence.end;) {
    const int32_t character = NextCharacter(text, at);
    if (has_word && marks.size() == 0 && IsCombining(character)) {
      marks = {at, at};
    } else if (!IsLetterOrDigit(character)) {
      marks.end = at;
    } else {
      if (has_word && marks.size() >= kDividingMarks &&
          NumMarks(text, marks) >= kDividingMarks) {
        end_part();
        has_word = false;
      }
      if (!has_word) {
        part.begin = KeptBeforeWord(text, marks);
        if (AreListMarks(text, {part.begin, marks.end})) part.begin = marks.end;
      }
      has_word = true;
      marks = {at, at};
    }
  }
  if (has_word) end_part();
}

}  // namespace sheaf
