#include "server/text/segmenter.h"

#include <unicode/brkiter.h>
#include <unicode/locid.h>
#include <unicode/utext.h>

#include <algorithm>
#include <memory>
#include <utility>

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

// ICU's boundaries of one kind in a text: 0 first, the text's size last. If
// ICU has no rules, the text is one piece.
std::vector<size_t> Boundaries(
    absl::string_view text,
    absl::FunctionRef<icu::BreakIterator*(UErrorCode&)> create) {
  std::vector<size_t> boundaries = {0};
  UErrorCode status = U_ZERO_ERROR;
  std::unique_ptr<icu::BreakIterator> iterator(create(status));
  UText utext = UTEXT_INITIALIZER;
  utext_openUTF8(&utext, text.data(), static_cast<int64_t>(text.size()),
                 &status);
  if (U_SUCCESS(status)) {
    iterator->setText(&utext, status);
    while (U_SUCCESS(status)) {
      const int32_t at = iterator->next();
      if (at == icu::BreakIterator::DONE) break;
      boundaries.push_back(at);
    }
  }
  utext_close(&utext);
  if (boundaries.back() != text.size()) boundaries.push_back(text.size());
  return boundaries;
}

// ICU's data know each language's abbreviations ("ss=standard").
std::vector<size_t> SentenceBoundaries(absl::string_view text,
                                       const std::string& language) {
  const icu::Locale locale((language + "@ss=standard").c_str());
  return Boundaries(text, [&](UErrorCode& status) {
    return icu::BreakIterator::createSentenceInstance(locale, status);
  });
}

// Sentences, trimmed, that have a letter or a digit.
std::vector<Range> Sentences(absl::string_view text,
                             const std::string& language) {
  std::vector<Range> sentences;
  const std::vector<size_t> boundaries = SentenceBoundaries(text, language);
  for (size_t i = 1; i < boundaries.size(); ++i) {
    const Range range = Trim(text, {boundaries[i - 1], boundaries[i]});
    if (HasLetterOrDigit(Slice(text, range))) sentences.push_back(range);
  }
  return sentences;
}

// Cuts a range of a text into pieces of at most max_tokens.
class LongTextCutter {
 public:
  LongTextCutter(absl::string_view text, int64_t max_tokens,
                 TokenCounter count)
      : text_(text), max_tokens_(max_tokens), count_(count) {}

  void Cut(Range range, std::vector<Range>& pieces) {
    if (count_(Slice(text_, range)) <= max_tokens_) {
      pieces.push_back(range);
      return;
    }
    characters_ = Boundaries(
        Slice(text_, range), [](UErrorCode& status) {
          return icu::BreakIterator::createCharacterInstance(
              icu::Locale::getRoot(), status);
        });
    const size_t last = characters_.size() - 1;
    for (size_t first = 0; first < last;) {
      const size_t end = BestEnd(range.begin, first, Longest(range, first));
      const Range piece = Trim(text_, {range.begin + characters_[first],
                                       range.begin + characters_[end]});
      if (piece.size() > 0) pieces.push_back(piece);
      first = end;
    }
  }

 private:
  bool Fits(const Range& range, size_t first, size_t end) {
    const Range piece = Trim(text_, {range.begin + characters_[first],
                                     range.begin + characters_[end]});
    return count_(Slice(text_, piece)) <= max_tokens_;
  }

  // The greatest end, as an index of characters_, that still fits. Doubles the
  // step until it does not, then halves: so the cost is that of the piece.
  size_t Longest(const Range& range, size_t first) {
    const size_t last = characters_.size() - 1;
    size_t fits = first + 1, step = max_tokens_;
    while (fits < last) {
      const size_t next = std::min(last, fits + step);
      if (!Fits(range, first, next)) break;
      fits = next;
      step *= 2;
    }
    for (; step > 0; step /= 2) {
      if (fits + step <= last && Fits(range, first, fits + step)) fits += step;
    }
    return fits;
  }

  // A better place for the cut in the second half of [first, longest): after
  // clause punctuation, else after white space, else `longest` itself.
  size_t BestEnd(size_t begin, size_t first, size_t longest) const {
    if (longest == characters_.size() - 1) return longest;
    size_t space = 0;
    for (size_t i = longest; i > first + (longest - first) / 2; --i) {
      size_t at = begin + characters_[i - 1];
      const int32_t before = NextCharacter(text_, at);
      if (!IsWhitespace(before)) continue;
      if (space == 0) space = i;
      if (i < first + 2) break;
      at = begin + characters_[i - 2];
      if (IsClauseEnd(NextCharacter(text_, at))) return i;
    }
    return space != 0 ? space : longest;
  }

  static bool IsClauseEnd(int32_t character) {
    switch (character) {
      case ',': case ';': case ':': case ')': case 0x2013: case 0x2014:
      case 0x3001: case 0xFF0C: case 0xFF1B: case 0x060C:
        return true;
      default:
        return false;
    }
  }

  const absl::string_view text_;
  const int64_t max_tokens_;
  const TokenCounter count_;
  std::vector<size_t> characters_;  // boundaries of the range at hand
};

}  // namespace

SegmentedText SplitForTranslation(absl::string_view text,
                                  const std::string& language,
                                  int64_t max_tokens, TokenCounter count) {
  std::vector<Range> pieces;
  LongTextCutter cutter(text, max_tokens, count);
  for (const Range& sentence : Sentences(text, language)) {
    cutter.Cut(sentence, pieces);
  }
  SegmentedText result;
  size_t at = 0;
  for (const Range& piece : pieces) {
    result.gaps.emplace_back(Slice(text, {at, piece.begin}));
    result.segments.emplace_back(Slice(text, piece));
    at = piece.end;
  }
  result.gaps.emplace_back(text.substr(at));
  return result;
}

std::vector<std::string> SplitForSummary(absl::string_view text,
                                         const std::string& language,
                                         int64_t max_tokens,
                                         TokenCounter count) {
  const Range whole = Trim(text, {0, text.size()});
  if (count(Slice(text, whole)) <= max_tokens) {
    return {std::string(Slice(text, whole))};
  }
  std::vector<Range> sentences;
  LongTextCutter cutter(text, max_tokens, count);
  for (const Range& sentence : Sentences(text, language)) {
    cutter.Cut(sentence, sentences);
  }
  std::vector<std::string> parts;
  for (size_t first = 0; first < sentences.size();) {
    const auto part = [&](size_t end) {  // of sentences [first, end)
      return Slice(text, {sentences[first].begin, sentences[end - 1].end});
    };
    size_t end = first + 1;
    int64_t tokens = count(part(end));
    while (end < sentences.size()) {
      // A sentence's own count is close to what it adds, and cheap; the part
      // is counted whole before it is taken.
      tokens += count(Slice(text, sentences[end]));
      if (tokens > max_tokens) break;
      ++end;
    }
    // Prompts were counted with each sentence: there may be room for more.
    while (end < sentences.size() && count(part(end + 1)) <= max_tokens) ++end;
    while (end > first + 1 && count(part(end)) > max_tokens) --end;
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
