// SPDX-License-Identifier: Apache-2.0

#include "text/sentences.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include "absl/strings/match.h"
#include "text/abbreviations.h"
#include "text/full_stop.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr int32_t kEllipsis = 0x2026;

bool IsDash(int32_t character) {
  return character == '-' || (character >= 0x2012 && character <= 0x2015);
}

bool IsQuote(int32_t character) {
  return u_hasBinaryProperty(character, UCHAR_QUOTATION_MARK);
}

bool IsOpeningBracket(int32_t character) {
  return u_charType(character) == U_START_PUNCTUATION;
}

// Han and Kana, which are written without spaces between words and with 。
bool IsIdeographic(int32_t character) {
  switch (u_getIntPropertyValue(character, UCHAR_SCRIPT)) {
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
      return true;
    default:
      return false;
  }
}

// “ ‘ «, which close a quotation in some languages.
bool IsOpeningQuote(int32_t character) {
  return u_charType(character) == U_INITIAL_PUNCTUATION;
}

bool IsClosingQuoteOrBracket(int32_t character) {
  return SentenceBreak(character) == U_SB_CLOSE &&
         !IsOpeningBracket(character) && !IsOpeningQuote(character);
}

// Whether a character may occur between terminal punctuation and the end of the
// sentence. In addition to quotes and brackets, these are Markdown's marks and
// invisible characters.
bool IsCloser(int32_t character) {
  switch (character) {
    case '*':
    case '_':
    case '`':
    case '~':
      return true;
    default:
      break;
  }
  switch (SentenceBreak(character)) {
    case U_SB_CLOSE:
      return !IsOpeningBracket(character);
    case U_SB_EXTEND:
    case U_SB_FORMAT:
      return true;
    default:
      return false;
  }
}

// Whether a sign begins a sentence even before a lower-case letter. Code and
// variables have such signs, and Spanish.
bool BeginsSentence(int32_t character) {
  if (character == 0xBF || character == 0xA1) return true;
  constexpr absl::string_view kSigns = "`<@{$%/\\";
  return character < 0x80 &&
         absl::StrContains(kSigns, static_cast<char>(character));
}

// Terminal punctuation and the closing signs after it: "?!", "...", `."`, ".
// »".
struct Cluster {
  size_t begin = 0;
  size_t end = 0;
  int num_full_stops = 0;
  bool is_ellipsis = false;
  bool is_strong = false;       // has more than full stops
  bool is_closed = false;       // has a closing quote or bracket
  bool needs_no_space = false;  // of a script without spaces
};

class Scanner {
 public:
  Scanner(absl::string_view text, absl::string_view language,
          absl::FunctionRef<bool()> is_wanted)
      : text_(text),
        is_wanted_(is_wanted),
        words_(SentenceWords::For(language)),
        is_greek_(PrimaryLanguage(language) == "el"),
        is_french_(PrimaryLanguage(language) == "fr"),
        first_(text.size()) {}

  std::vector<size_t> Scan() {
    constexpr size_t kBytesAtOnce = 16 << 10;
    size_t next_question = kBytesAtOnce;
    for (size_t at = 0; at < text_.size();) {
      if (at >= next_question) {
        if (!is_wanted_()) break;
        next_question = at + kBytesAtOnce;
      }
      const size_t begin = at;
      const int32_t character = NextCharacter(text_, at);
      if (first_ == text_.size() && IsLetterOrDigit(character)) first_ = begin;
      if (IsLineBreak(character)) {
        End(at);
      } else if (IsTerminator(character)) {
        const Cluster cluster = ReadCluster(begin);
        at = cluster.end;
        if (EndsAt(cluster)) End(at);
      }
    }
    if (ends_.empty() || ends_.back() != text_.size()) End(text_.size());
    return std::move(ends_);
  }

 private:
  void End(size_t at) {
    ends_.push_back(at);
    begin_ = at;
    first_ = text_.size();
  }

  // 0 at the end of the text.
  int32_t CharacterAt(size_t at) const {
    return at < text_.size() ? NextCharacter(text_, at) : 0;
  }

  int32_t CharacterBefore(size_t at) const {
    return at > begin_ ? PreviousCharacter(text_, at) : 0;
  }

  bool IsTerminator(int32_t character) const {
    switch (character) {
      case '.':
      case '!':
      case '?':
      case kEllipsis:
        return true;
      case ';':
      case 0x37E:  // Greek's question mark
        return is_greek_;
      default:
        break;
    }
    if (character < 0x80) return false;
    const int32_t property = SentenceBreak(character);
    return property == U_SB_STERM || property == U_SB_ATERM;
  }

  // Whether this terminal punctuation ends a sentence without white space after
  // it.
  static bool NeedsNoSpace(int32_t character) {
    return character >= 0x80 && character != kEllipsis &&
           SentenceBreak(character) == U_SB_STERM &&
           !(character >= 0x203C && character <= 0x2049);
  }

  // The first letter, digit or line break at `at` or after it. text.size() if
  // there is none. All calls together read each sign once. REQUIRES: no earlier
  // call had a greater `at`.
  size_t NextLetterOrBreak(size_t at) {
    if (at <= next_letter_) return next_letter_;
    for (next_letter_ = at; next_letter_ < text_.size();) {
      size_t next = next_letter_;
      const int32_t character = NextCharacter(text_, next);
      if (IsLetterOrDigit(character) || IsLineBreak(character)) break;
      next_letter_ = next;
    }
    return next_letter_;
  }

  // The end of the white space at `at`, within the line.
  size_t SkipSpaces(size_t at) const {
    while (at < text_.size()) {
      size_t next = at;
      const int32_t character = NextCharacter(text_, next);
      if (!IsWhitespace(character) || IsLineBreak(character)) break;
      at = next;
    }
    return at;
  }

  // The end of "[12]" at `at`, the mark of a footnote. `at` if there is none.
  size_t SkipFootnote(size_t at) const {
    constexpr size_t kMaxDigits = 3;
    if (CharacterAt(at) != '[') return at;
    size_t end = at + 1;
    while (end < text_.size() && text_[end] >= '0' && text_[end] <= '9') ++end;
    const size_t digits = end - at - 1;
    return digits > 0 && digits <= kMaxDigits && CharacterAt(end) == ']'
               ? end + 1
               : at;
  }

  void Add(int32_t character, Cluster& cluster) const {
    if (IsTerminator(character)) {
      if (character == '.') {
        ++cluster.num_full_stops;
      } else if (character == kEllipsis) {
        cluster.is_ellipsis = true;
      } else if (SentenceBreak(character) != U_SB_ATERM) {
        cluster.is_strong = true;
      }
      cluster.needs_no_space |= NeedsNoSpace(character);
    } else if (SentenceBreak(character) == U_SB_CLOSE) {
      cluster.is_closed = true;
    }
  }

  // Whether the sign at `at`, after white space, belongs to the punctuation
  // before it. True for "! ?" and ". »", and false for "»" before a word.
  bool IsSpacedPart(size_t at) const {
    if (at >= text_.size()) return false;
    const int32_t character = NextCharacter(text_, at);
    if (!IsTerminator(character) && !IsClosingQuoteOrBracket(character)) {
      return false;
    }
    const int32_t next = CharacterAt(at);
    return next == 0 || IsWhitespace(next) || IsTerminator(next) ||
           SentenceBreak(next) == U_SB_SCONTINUE;
  }

  Cluster ReadCluster(size_t begin) const {
    Cluster cluster;
    cluster.begin = begin;
    for (size_t at = begin; at < text_.size();) {
      const int32_t character = NextCharacter(text_, at);
      if (IsTerminator(character) ||
          (IsCloser(character) &&
           !(cluster.needs_no_space && IsOpeningQuote(character)))) {
        Add(character, cluster);
      } else if (const size_t end = SkipFootnote(cluster.end);
                 end > cluster.end) {
        at = end;
      } else if (IsWhitespace(character) && !IsLineBreak(character)) {
        at = SkipSpaces(at);
        if (!IsSpacedPart(at)) break;
        continue;
      } else {
        break;
      }
      cluster.end = at;
    }
    cluster.is_ellipsis |= cluster.num_full_stops > 1;
    return cluster;
  }

  // Whether a sentence ends with the cluster, before the end of the line.
  bool EndsAt(const Cluster& cluster) {
    if (cluster.end == text_.size()) return false;
    const int32_t before = CharacterBefore(cluster.begin);
    const int32_t after = CharacterAt(cluster.end);
    if (!IsWhitespace(after)) {
      const bool is_ideographic =
          cluster.is_strong && IsIdeographic(before) && IsIdeographic(after);
      return (cluster.needs_no_space || is_ideographic) &&
             EndsWithoutSpace(cluster, after);
    }
    const size_t next = SkipSpaces(cluster.end);
    if (next == text_.size() || IsLineBreak(CharacterAt(next))) return false;
    if (IsOpeningBracket(before) && cluster.is_closed) return false;
    return EndsBefore(next, cluster);
  }

  // 「行くぞ！」と言った。 “走！”他说。
  bool EndsWithoutSpace(const Cluster& cluster, int32_t after) const {
    if (SentenceBreak(after) == U_SB_SCONTINUE) return false;
    // "３．５"
    if (u_isdigit(CharacterBefore(cluster.begin)) && u_isdigit(after)) {
      return false;
    }
    if (!cluster.is_closed) return true;
    constexpr absl::string_view kParticles = "とってはがをにのもでへやなだ";
    constexpr absl::string_view kSpeechVerbs = "说說道问問喊叫答";
    constexpr int kMaxSpeaker = 6;  // characters, including the verb
    size_t at = cluster.end;
    for (int i = 0; i < kMaxSpeaker && at < text_.size(); ++i) {
      const size_t begin = at;
      const int32_t character = NextCharacter(text_, at);
      const absl::string_view written = text_.substr(begin, at - begin);
      if (!IsIdeographic(character)) return true;
      if (i == 0 && absl::StrContains(kParticles, written)) return false;
      if (absl::StrContains(kSpeechVerbs, written)) return false;
    }
    return true;
  }

  // Whether a sentence ends with the cluster if the line continues at `next`,
  // after white space.
  bool EndsBefore(size_t next, const Cluster& cluster) {
    const size_t letter = NextLetterOrBreak(next);
    if (letter == text_.size() || IsLineBreak(CharacterAt(letter))) return true;
    const int32_t sign = CharacterAt(next);
    const bool has_dash = IsDash(sign);
    if (has_dash ? !MayEndBeforeDash(next, cluster) : Continues(next)) {
      return false;
    }
    if (cluster.needs_no_space) return true;
    const bool is_lower = IsLowerCase(CharacterAt(letter)) &&
                          !IsIdentifier(letter) && !BeginsSentence(sign);
    if (cluster.is_strong) {
      if (is_lower) {
        return !cluster.is_closed && !has_dash && !IsSpaced(cluster) &&
               IsLowerCase(CharacterAt(first_));
      }
      return !IsConditional(cluster, next) && !IsSpeech(cluster, letter);
    }
    if (is_lower) return false;
    if (cluster.is_ellipsis) return first_ < cluster.begin;
    return !IsSpeech(cluster, letter) && EndsSentence({.text = text_,
                                                       .at = cluster.begin,
                                                       .first = first_,
                                                       .next = letter},
                                                      words_);
  }

  // True for `"Yes." - "No."`, and false for `"Yes!" - shouts`.
  bool MayEndBeforeDash(size_t at, const Cluster& cluster) const {
    constexpr size_t kMaxDashes = 3;
    const size_t begin = at;
    while (IsDash(CharacterAt(at)) && at - begin < 3 * kMaxDashes) {
      NextCharacter(text_, at);
    }
    return !cluster.is_closed || IsQuote(CharacterAt(SkipSpaces(at)));
  }

  // True for a comma or similar, and false for the eyes of ":-)".
  bool Continues(size_t at) const {
    if (SentenceBreak(NextCharacter(text_, at)) != U_SB_SCONTINUE) return false;
    const int32_t next = CharacterAt(at);
    return next == 0 || IsWhitespace(next) || IsLetterOrDigit(next);
  }

  // "iPhone", "foo_bar", "std::vector", "main()": a name that keeps its small
  // first letter.
  bool IsIdentifier(size_t at) const {
    const absl::string_view word = WordAt(text_, at);
    for (size_t i = 0; i < word.size();) {
      if (IsUpperCase(NextCharacter(word, i))) return true;
    }
    const absl::string_view rest = text_.substr(at + word.size(), 2);
    return absl::StartsWith(rest, "_") || absl::StartsWith(rest, "::") ||
           absl::StartsWith(rest, "(");
  }

  // Whether white space is on its left side, as for an operator. French
  // punctuation has it too and does not count.
  bool IsSpaced(const Cluster& cluster) const {
    return !is_french_ && IsWhitespace(CharacterBefore(cluster.begin));
  }

  // "a ? B : c"
  bool IsConditional(const Cluster& cluster, size_t next) const {
    constexpr size_t kMaxOperand = 100;
    if (!IsSpaced(cluster) || cluster.is_closed) return false;
    absl::string_view rest = text_.substr(next, kMaxOperand);
    rest = rest.substr(0, rest.find_first_of("?!\n"));
    return absl::StrContains(rest, " : ");
  }

  // True for `"Why?" John asked.`, and false for `"Yes." He said no.`
  bool IsSpeech(const Cluster& cluster, size_t letter) const {
    if (!cluster.is_closed || !IsQuote(CharacterBefore(cluster.end))) {
      return false;
    }
    const absl::string_view speaker = WordAt(text_, letter);
    const size_t end = letter + speaker.size();
    const size_t verb = SkipSpaces(end);
    return (speaker == "I" || !words_.IsOpener(speaker)) && verb > end &&
           words_.IsSpeechVerb(WordAt(text_, verb));
  }

  const absl::string_view text_;
  const absl::FunctionRef<bool()> is_wanted_;
  const SentenceWords& words_;
  const bool is_greek_;
  const bool is_french_;
  std::vector<size_t> ends_;
  size_t begin_ = 0;  // of the sentence being read
  size_t first_;      // its first letter or digit; text_.size() if none yet
  size_t next_letter_ = 0;  // NextLetterOrBreak()'s last result
};

}  // namespace

std::vector<size_t> SentenceEnds(absl::string_view text,
                                 absl::string_view language,
                                 absl::FunctionRef<bool()> is_wanted) {
  return Scanner(text, language, is_wanted).Scan();
}

}  // namespace sheaf
