// SPDX-License-Identifier: Apache-2.0

#include "text/segmenter.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "text/marks.h"
#include "text/sentences.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// Lets other texts have a turn. An error if the work is to stop.
absl::Status Yield(EncodeFunction encode) { return encode("").status(); }

// Gets a sentence and its parts that the model should read, trimmed.
using TakeSentence = absl::FunctionRef<absl::Status(
    TextRange sentence, absl::Span<const TextRange> parts)>;

// Calls `take` for each sentence of the text. Stops at the first error.
absl::Status ForEachSentence(absl::string_view text, absl::string_view language,
                             EncodeFunction encode, TakeSentence take) {
  constexpr size_t kSteps = 8192;  // about a millisecond
  absl::Status status;
  const auto goes_on = [&] {
    status.Update(Yield(encode));
    return status.ok();
  };
  const std::vector<size_t> ends = SentenceEnds(text, language, goes_on);
  std::vector<TextRange> parts;
  size_t begin = 0;
  for (size_t step = 0; status.ok() && step < ends.size(); ++step) {
    if (step % kSteps == 0 && !goes_on()) break;
    parts.clear();
    const TextRange sentence = {begin, ends[step]};
    AppendReadableParts(text, sentence, parts);
    begin = sentence.end;
    status = take(sentence, parts);
  }
  return status;
}

// Cuts ranges of a text into pieces of at most max_tokens.
class LongTextCutter {
 public:
  using Take = absl::FunctionRef<void(TextRange, const EncodedSource&)>;

  LongTextCutter(absl::string_view text, int64_t max_tokens,
                 EncodeFunction encode)
      : text_(text),
        max_tokens_(max_tokens),
        encode_(encode),
        guess_(3 * std::min<size_t>(max_tokens, text.size())) {}

  // Calls `take` for each piece.
  absl::Status Cut(TextRange range, Take take) {
    absl::StatusOr<EncodedSource> whole = encode_(Slice(text_, range));
    if (!whole.ok()) return whole.status();
    if (whole->num_tokens <= max_tokens_) {
      take(range, *whole);
      return absl::OkStatus();
    }
    range_tokens_ = whole->num_tokens;
    FindCharacters(range);
    const size_t last = characters_.size() - 1;
    for (size_t first = 0; first < last;) {
      absl::StatusOr<Fit> longest = FindLongest(first);
      if (!longest.ok()) return longest.status();
      guess_ = longest->end - first;
      const size_t end = BestEnd(first, longest->end);
      const TextRange piece = Between(first, end);
      first = end;
      if (!HasLetterOrDigit(Slice(text_, piece))) continue;
      if (end == longest->end && longest->is_encoded) {
        take(piece, longest->source);
        continue;
      }
      const absl::StatusOr<EncodedSource> source = encode_(Slice(text_, piece));
      if (!source.ok()) return source.status();
      take(piece, *source);
    }
    return absl::OkStatus();
  }

 private:
  // A piece that fits, by its end.
  struct Fit {
    size_t end = 0;
    bool is_encoded = false;
    EncodedSource source;  // if is_encoded
  };

  void FindCharacters(TextRange range) {
    characters_.clear();
    for (size_t at = range.begin; at < range.end; NextCharacter(text_, at)) {
      characters_.push_back(at);
    }
    characters_.push_back(range.end);
  }

  // Trimmed; ends are indexes of characters_.
  TextRange Between(size_t first, size_t end) const {
    return Trim(text_, {characters_[first], characters_[end]});
  }

  // Finds an end whose piece fits, close to the maximum. The first guess is the
  // length of the piece before it. Further guesses come from the number of
  // tokens per character, so that one or two are enough for most pieces.
  absl::StatusOr<Fit> FindLongest(size_t first) const {
    constexpr int kMaxGuesses = 8;
    constexpr double kCloseEnough = 0.9;
    const size_t last = characters_.size() - 1;
    Fit fit;
    fit.end = first + 1;  // one character fits, by contract
    size_t too_long = last + 1;
    size_t guess = std::min<size_t>(last, first + guess_);
    for (int i = 0; i < kMaxGuesses && fit.end + 1 < too_long; ++i) {
      int64_t tokens = range_tokens_;
      if (first > 0 || guess < last) {
        absl::StatusOr<EncodedSource> source =
            encode_(Slice(text_, Between(first, guess)));
        if (!source.ok()) return source.status();
        tokens = source->num_tokens;
        if (tokens <= max_tokens_) {
          fit = {guess, /*is_encoded=*/true, *std::move(source)};
        }
      }
      if (tokens > max_tokens_) too_long = guess;
      if (fit.end == last ||
          (tokens <= max_tokens_ &&
           static_cast<double>(tokens) >=
               kCloseEnough * static_cast<double>(max_tokens_))) {
        break;
      }
      const double scaled = 0.97 * static_cast<double>(guess - first) *
                            static_cast<double>(max_tokens_) /
                            static_cast<double>(std::max<int64_t>(tokens, 1));
      guess = std::clamp(first + static_cast<size_t>(scaled), fit.end + 1,
                         std::min(too_long - 1, last));
    }
    return fit;
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
  const EncodeFunction encode_;
  size_t guess_;              // characters of the next piece
  int64_t range_tokens_ = 0;  // of the range, which does not fit
  // Where the characters of the range begin, followed by its end.
  std::vector<size_t> characters_;
};

// Joins sentences to parts of a summary.
class SentenceJoiner {
 public:
  SentenceJoiner(absl::string_view text, int64_t max_tokens,
                 EncodeFunction encode)
      : text_(text), max_tokens_(max_tokens), encode_(encode) {}

  void Add(TextRange sentence, const EncodedSource& source) {
    sentences_.push_back(sentence);
    sources_.push_back(source.ids);
  }

  absl::StatusOr<SummaryParts> Join() const {
    const absl::StatusOr<EncodedSource> prompt = encode_("");
    if (!prompt.ok()) return prompt.status();
    SummaryParts out;
    for (size_t first = 0; first < sentences_.size();) {
      const size_t guess = GuessEnd(first, prompt->num_tokens);
      const absl::StatusOr<size_t> end = AddPart(first, guess, out);
      if (!end.ok()) return end.status();
      first = *end;
    }
    return out;
  }

 private:
  absl::string_view Part(size_t first, size_t end) const {
    return Slice(text_, {sentences_[first].begin, sentences_[end - 1].end});
  }

  // Where the part from `first` may end: what a sentence has in addition to the
  // prompt is close to what it adds to a part.
  size_t GuessEnd(size_t first, int64_t prompt_tokens) const {
    const auto own_tokens = [&](size_t i) {
      return static_cast<int64_t>(sources_[i].size()) - prompt_tokens;
    };
    const int64_t room = max_tokens_ - prompt_tokens;
    size_t end = first + 1;
    int64_t tokens = own_tokens(first);
    while (end < sentences_.size() && tokens + own_tokens(end) <= room) {
      tokens += own_tokens(end++);
    }
    return end;
  }

  // The end of the last paragraph in the second half of the part, or `end`.
  size_t ParagraphEnd(size_t first, size_t end) const {
    if (end == sentences_.size()) return end;
    for (size_t i = end; i > first + (end - first) / 2 && i > first; --i) {
      const TextRange between = {sentences_[i - 1].end, sentences_[i].begin};
      if (absl::StrContains(Slice(text_, between), "\n")) return i;
    }
    return end;
  }

  // Adds a part from `first` that fits and ends at `guess` or before, and
  // returns its end.
  absl::StatusOr<size_t> AddPart(size_t first, size_t guess,
                                 SummaryParts& out) const {
    size_t fits = guess;
    absl::StatusOr<EncodedSource> source;
    while (fits > first + 1) {
      source = encode_(Part(first, fits));
      if (!source.ok()) return source.status();
      if (source->num_tokens <= max_tokens_) break;
      const size_t scaled = (fits - first) * max_tokens_ / source->num_tokens;
      fits = first + std::clamp<size_t>(scaled, 1, fits - first - 1);
    }
    const size_t end = ParagraphEnd(first, fits);
    out.parts.push_back(Part(first, end));
    if (end == first + 1) {
      out.sources.push_back(sources_[first]);
      return end;
    }
    if (end != fits) source = encode_(Part(first, end));
    if (!source.ok()) return source.status();
    out.sources.push_back(source->ids);
    return end;
  }

  const absl::string_view text_;
  const int64_t max_tokens_;
  const EncodeFunction encode_;
  std::vector<TextRange> sentences_;
  TokenLists sources_;  // of each sentence alone
};

// Sets what lies between the segments.
void FillGaps(absl::string_view text, SegmentedText& result) {
  result.gaps.reserve(result.segments.size() + 1);
  size_t at = 0;
  for (absl::string_view segment : result.segments) {
    const size_t begin = segment.data() - text.data();
    result.gaps.push_back(Slice(text, {at, begin}));
    at = begin + segment.size();
  }
  result.gaps.push_back(text.substr(at));
}

}  // namespace

absl::StatusOr<SegmentedText> SplitForTranslation(absl::string_view text,
                                                  const TranslationSplit& split,
                                                  EncodeFunction encode) {
  SegmentedText result;
  LongTextCutter cutter(text, split.max_tokens, encode);
  const auto take = [&](TextRange piece, const EncodedSource& source) {
    if (!HasLetter(Slice(text, piece))) return;
    result.segments.push_back(Slice(text, piece));
    result.sources.push_back(source.ids);
  };
  const auto cut = [&](TextRange sentence, absl::Span<const TextRange> parts) {
    if (!HasLetter(Slice(text, sentence))) {
      result.copied.without_letter += Trim(text, sentence).size() > 0;
      return absl::OkStatus();
    }
    if (split.is_copied != nullptr && split.is_copied(Slice(text, sentence))) {
      ++result.copied.in_target_language;
      return absl::OkStatus();
    }
    absl::Status status;
    for (const TextRange& part : parts) {
      if (!status.ok()) break;
      if (HasLetter(Slice(text, part))) status = cutter.Cut(part, take);
    }
    return status;
  };
  absl::Status status = ForEachSentence(text, split.language, encode, cut);
  if (!status.ok()) return status;
  FillGaps(text, result);
  return result;
}

absl::StatusOr<SummaryParts> SplitForSummary(absl::string_view text,
                                             const std::string& language,
                                             int64_t max_tokens,
                                             EncodeFunction encode) {
  const absl::string_view whole = Slice(text, Trim(text, {0, text.size()}));
  const absl::StatusOr<EncodedSource> source = encode(whole);
  if (!source.ok()) return source.status();
  if (source->num_tokens <= max_tokens) {
    return SummaryParts{{whole}, {source->ids}};
  }
  SentenceJoiner joiner(text, max_tokens, encode);
  LongTextCutter cutter(text, max_tokens, encode);
  const auto take = [&](TextRange piece, const EncodedSource& encoded) {
    joiner.Add(piece, encoded);
  };
  const auto cut = [&](TextRange, absl::Span<const TextRange> parts) {
    absl::Status status;
    for (const TextRange& part : parts) {
      if (status.ok()) status = cutter.Cut(part, take);
    }
    return status;
  };
  absl::Status status = ForEachSentence(text, language, encode, cut);
  if (!status.ok()) return status;
  return joiner.Join();
}

}  // namespace sheaf
