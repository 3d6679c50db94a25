#include "text/segmenter.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "text/marks.h"
#include "text/sentences.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// Counts nothing: whoever counts may let other texts have a turn meanwhile.
void LetOthersWork(TokenCounter count) { count(""); }

// Sentences, trimmed, as the model should read them.
std::vector<TextRange> Sentences(absl::string_view text,
                                 absl::string_view language,
                                 TokenCounter count) {
  constexpr size_t kSteps = 8192;  // about a millisecond
  const auto pause = [count] { LetOthersWork(count); };
  std::vector<TextRange> sentences;
  size_t begin = 0;
  size_t step = 0;
  for (const size_t end : SentenceEnds(text, language, pause)) {
    if (++step % kSteps == 0) LetOthersWork(count);
    AppendReadableParts(text, {begin, end}, sentences);
    begin = end;
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
        guess_(3 * std::min<size_t>(max_tokens, text.size())) {}

  void Cut(TextRange range, std::vector<TextRange>& pieces) {
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
      const TextRange piece = Between(first, end);
      if (HasLetterOrDigit(Slice(text_, piece))) pieces.push_back(piece);
      first = end;
    }
  }

 private:
  // Trimmed; ends are indexes of characters_.
  TextRange Between(size_t first, size_t end) const {
    return Trim(text_, {characters_[first], characters_[end]});
  }

  // An end whose piece fits, close to the maximum. Guesses the length of the
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
  std::vector<TextRange> pieces;
  LongTextCutter cutter(text, max_tokens, count);
  for (const TextRange& sentence : Sentences(text, language, count)) {
    cutter.Cut(sentence, pieces);
  }
  SegmentedText result;
  result.segments.reserve(pieces.size());
  result.gaps.reserve(pieces.size() + 1);
  size_t at = 0;
  for (const TextRange& piece : pieces) {
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
  const TextRange whole = Trim(text, {0, text.size()});
  if (count(Slice(text, whole)) <= max_tokens) {
    return {Slice(text, whole)};
  }
  std::vector<TextRange> sentences;
  LongTextCutter cutter(text, max_tokens, count);
  for (const TextRange& sentence : Sentences(text, language, count)) {
    cutter.Cut(sentence, sentences);
  }
  const int64_t prompt = count("");
  const int64_t room = max_tokens - prompt;
  std::vector<int64_t> own_tokens;  // beside sentences
  for (const TextRange& sentence : sentences) {
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
        const TextRange between = {sentences[i - 1].end, sentences[i].begin};
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
