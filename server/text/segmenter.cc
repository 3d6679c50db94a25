#include "server/text/segmenter.h"

#include <unicode/brkiter.h>
#include <unicode/locid.h>
#include <unicode/utext.h>

#include <algorithm>
#include <memory>

#include "absl/strings/match.h"
#include "server/text/utf8.h"

namespace sheaf {
namespace {

// [begin, end) in bytes.
struct Range {
  size_t begin, end;
  size_t size() const { return end - begin; }
};

absl::string_view Slice(absl::string_view text, Range range) {
  return text.substr(range.begin, range.size());
}

// Without the white space at both ends.
Range Trim(absl::string_view text, Range range) {
  size_t begin = range.begin;
  while (begin < range.end) {
    size_t next = begin;
    if (!IsWhitespace(NextCharacter(text, next))) break;
    begin = next;
  }
  size_t end = begin;
  for (size_t at = begin; at < range.end;) {
    if (!IsWhitespace(NextCharacter(text, at))) end = at;
  }
  return {begin, end};
}

// Counts nothing once in many steps: whoever counts may let other texts have a
// turn meanwhile.
void LetOthersWork(size_t step, TokenCounter count) {
  constexpr size_t kSteps = 8192;  // about a millisecond
  if (step % kSteps == 0) count("");
}

// Where sentences end by ICU's rules, which know each language's abbreviations
// ("ss=standard"): 0 first, the text's size last. If ICU has no rules, the text
// is one sentence.
std::vector<size_t> SentenceBoundaries(absl::string_view text,
                                       const std::string& language,
                                       TokenCounter count) {
  std::vector<size_t> boundaries = {0};
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<icu::BreakIterator> iterator(
      icu::BreakIterator::createSentenceInstance(
          icu::Locale((language + "@ss=standard").c_str()), status));
  UText utext = UTEXT_INITIALIZER;
  utext_openUTF8(&utext, text.data(), static_cast<int64_t>(text.size()),
                 &status);
  if (U_SUCCESS(status)) {
    iterator->setText(&utext, status);
    while (U_SUCCESS(status)) {
      const int32_t at = iterator->next();
      if (at == icu::BreakIterator::DONE) break;
      boundaries.push_back(at);
      LetOthersWork(boundaries.size(), count);
    }
  }
  utext_close(&utext);
  if (boundaries.back() != text.size()) boundaries.push_back(text.size());
  return boundaries;
}

// Sentences, trimmed, that have a letter or a digit.
std::vector<Range> Sentences(absl::string_view text,
                             const std::string& language, TokenCounter count) {
  std::vector<Range> sentences;
  const std::vector<size_t> boundaries =
      SentenceBoundaries(text, language, count);
  for (size_t i = 1; i < boundaries.size(); ++i) {
    LetOthersWork(i, count);
    const Range range = Trim(text, {boundaries[i - 1], boundaries[i]});
    if (HasLetterOrDigit(Slice(text, range))) sentences.push_back(range);
  }
  return sentences;
}

// Cuts a range of a text into pieces of at most max_tokens.
class LongTextCutter {
 public:
  LongTextCutter(absl::string_view text, int64_t max_tokens, TokenCounter count)
      : text_(text),
        max_tokens_(max_tokens),
        count_(count),
        guess_(3 * max_tokens) {}

  void Cut(Range range, std::vector<Range>& pieces) {
    if (count_(Slice(text_, range)) <= max_tokens_) {
      pieces.push_back(range);
      return;
    }
    characters_.clear();
    for (size_t at = range.begin; at < range.end; NextCharacter(text_, at)) {
      characters_.push_back(at);
    }
    characters_.push_back(range.end);
    const size_t last = characters_.size() - 1;
    for (size_t first = 0; first < last;) {
      const size_t longest = Longest(first);
      guess_ = longest - first;
      const size_t end = BestEnd(first, longest);
      const Range piece = Between(first, end);
      if (piece.size() > 0) pieces.push_back(piece);
      first = end;
    }
  }

 private:
  // Trimmed; ends are indexes of characters_.
  Range Between(size_t first, size_t end) const {
    return Trim(text_, {characters_[first], characters_[end]});
  }

  // An end whose piece fits, close to the greatest: guesses the length of the
  // piece before it, then by the tokens a character takes, so that one or two
  // counts will do for a piece.
  size_t Longest(size_t first) const {
    constexpr int kMaxGuesses = 8;
    constexpr double kCloseEnough = 0.9;
    const size_t last = characters_.size() - 1;
    size_t fits = first + 1;  // one character does, by contract
    size_t too_long = last + 1;
    size_t guess = std::min<size_t>(last, first + guess_);
    for (int i = 0; i < kMaxGuesses && fits + 1 < too_long; ++i) {
      const int64_t tokens = count_(Slice(text_, Between(first, guess)));
      (tokens <= max_tokens_ ? fits : too_long) = guess;
      if (fits == last ||
          (tokens <= max_tokens_ &&
           static_cast<double>(tokens) >=
               kCloseEnough * static_cast<double>(max_tokens_))) {
        break;
      }
      const double scaled = 0.97 * static_cast<double>(guess - first) *
                            static_cast<double>(max_tokens_) /
                            static_cast<double>(std::max<int64_t>(tokens, 1));
      guess = std::clamp(first + static_cast<size_t>(scaled), fits + 1,
                         std::min(too_long - 1, last));
    }
    return fits;
  }

  // A better place for the cut in the second half of [first, longest): after
  // clause punctuation, else after white space, else `longest` itself.
  size_t BestEnd(size_t first, size_t longest) const {
    if (longest == characters_.size() - 1) return longest;
    size_t space = 0;
    for (size_t i = longest; i > first + (longest - first) / 2; --i) {
      size_t at = characters_[i - 1];
      const int32_t before = NextCharacter(text_, at);
      if (!IsWhitespace(before)) continue;
      if (space == 0) space = i;
      if (i < first + 2) break;
      at = characters_[i - 2];
      if (IsClauseEnd(NextCharacter(text_, at))) return i;
    }
    return space != 0 ? space : longest;
  }

  static bool IsClauseEnd(int32_t character) {
    switch (character) {
      case ',':
      case ';':
      case ':':
      case ')':
      case 0x2013:
      case 0x2014:
      case 0x3001:
      case 0xFF0C:
      case 0xFF1B:
      case 0x060C:
        return true;
      default:
        return false;
    }
  }

  const absl::string_view text_;
  const int64_t max_tokens_;
  const TokenCounter count_;
  size_t guess_;  // characters that a piece has
  std::vector<size_t>
      characters_;  // where those of the range begin, and its end
};

}  // namespace

SegmentedText SplitForTranslation(absl::string_view text,
                                  const std::string& language,
                                  int64_t max_tokens, TokenCounter count) {
  std::vector<Range> pieces;
  LongTextCutter cutter(text, max_tokens, count);
  for (const Range& sentence : Sentences(text, language, count)) {
    cutter.Cut(sentence, pieces);
  }
  SegmentedText result;
  result.segments.reserve(pieces.size());
  result.gaps.reserve(pieces.size() + 1);
  size_t at = 0;
  for (const Range& piece : pieces) {
    result.gaps.emplace_back(Slice(text, {at, piece.begin}));
    result.segments.emplace_back(Slice(text, piece));
    at = piece.end;
  }
  result.gaps.emplace_back(text.substr(at));
  return result;
}

std::vector<absl::string_view> SplitForSummary(absl::string_view text,
                                               const std::string& language,
                                               int64_t max_tokens,
                                               TokenCounter count) {
  const Range whole = Trim(text, {0, text.size()});
  if (count(Slice(text, whole)) <= max_tokens) {
    return {Slice(text, whole)};
  }
  std::vector<Range> sentences;
  LongTextCutter cutter(text, max_tokens, count);
  for (const Range& sentence : Sentences(text, language, count)) {
    cutter.Cut(sentence, sentences);
  }
  const int64_t prompt = count("");
  const int64_t room = max_tokens - prompt;
  std::vector<int64_t> own_tokens;  // beside sentences
  for (const Range& sentence : sentences) {
    own_tokens.push_back(count(Slice(text, sentence)) - prompt);
  }
  std::vector<absl::string_view> parts;
  for (size_t first = 0; first < sentences.size();) {
    const auto part = [&](size_t end) {  // of sentences [first, end)
      return Slice(text, {sentences[first].begin, sentences[end - 1].end});
    };
    // What a sentence counts beyond the prompt is close to what it adds, and
    // each is counted once; the part itself is counted before it is taken.
    size_t end = first + 1;
    int64_t tokens = own_tokens[first];
    while (end < sentences.size() && tokens + own_tokens[end] <= room) {
      tokens += own_tokens[end++];
    }
    while (end > first + 1) {
      const int64_t whole = count(part(end));
      if (whole <= max_tokens) break;
      const size_t scaled = (end - first) * max_tokens / whole;
      end = first + std::clamp<size_t>(scaled, 1, end - first - 1);
    }
    if (end < sentences.size()) {
      for (size_t i = end; i > first + (end - first) / 2 && i > first; --i) {
        const Range between = {sentences[i - 1].end, sentences[i].begin};
        if (absl::StrContains(Slice(text, between), "\n")) {
          end = i;
          break;
        }
      }
    }
    parts.emplace_back(part(end));
    first = end;
  }
  return parts;
}

}  // namespace sheaf
