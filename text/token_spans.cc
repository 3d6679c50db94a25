// SPDX-License-Identifier: Apache-2.0

#include "text/token_spans.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "text/stream_detokenizer.h"
#include "text/unicode_form.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using Token = Tokenizer::Token;

// Stands for any characters, or none: an unknown or dropped token.
constexpr int32_t kAny = -1;
constexpr int32_t kSpaceMark = 0x2581;  // of SentencePiece

// The maximum number of characters of both sequences together that are skipped
// for a place where they agree again.
constexpr size_t kMaxSkip = 48;
constexpr size_t kMaxRunLength = 3;

// The number of characters that must agree there. Most differences are a single
// character that the tokenizer drops or replaces.
constexpr size_t RunLength(size_t skip) {
  return skip <= 2 ? 1 : skip <= 6 ? 2 : kMaxRunLength;
}

// A character to match. Its owner is a range of tokens, or of bytes of the
// text.
struct Unit {
  int32_t character;
  size_t begin, end;
};

// Appends what is compared of `character`: nothing for white space.
void AppendFolded(int32_t character, size_t begin, size_t end,
                  std::vector<int32_t>& scratch, std::vector<Unit>& units) {
  if (character > ' ' && character < 0x7F) {
    const bool is_capital = 'A' <= character && character <= 'Z';
    units.push_back(
        {is_capital ? character + ('a' - 'A') : character, begin, end});
    return;
  }
  scratch.clear();
  AppendDecomposed(character, scratch);
  for (const int32_t part : scratch) {
    if (IsWhitespace(part) || part == kSpaceMark ||
        u_hasBinaryProperty(part, UCHAR_DEFAULT_IGNORABLE_CODE_POINT)) {
      continue;
    }
    units.push_back({u_foldCase(part, U_FOLD_CASE_DEFAULT), begin, end});
  }
}

std::vector<Unit> UnitsOfText(absl::string_view text) {
  std::vector<Unit> units;
  units.reserve(text.size());
  std::vector<int32_t> scratch;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const int32_t character = NextCharacter(text, at);
    AppendFolded(character, begin, at, scratch, units);
  }
  return units;
}

// Collects the characters of tokens. Those of byte tokens that follow each
// other are decoded together.
class TokenUnits {
 public:
  void Add(const Token& token, size_t index) {
    switch (token.kind) {
      case Token::Kind::kBytes:
        bytes_ += token.text;
        owners_.resize(bytes_.size(), index);
        return;
      case Token::Kind::kText:
        TakeBytes();
        bytes_ = token.text;
        owners_.assign(bytes_.size(), index);
        TakeBytes();
        return;
      case Token::Kind::kDropped:
      case Token::Kind::kUnknown:
        TakeBytes();
        units_.push_back({kAny, index, index + 1});
        return;
    }
  }

  std::vector<Unit> Finish() {
    TakeBytes();
    return std::move(units_);
  }

 private:
  void TakeBytes() {
    const absl::string_view bytes = bytes_;
    for (size_t at = 0; at < bytes.size();) {
      const size_t begin = at;
      const size_t size = CharacterSize(static_cast<uint8_t>(bytes[at]));
      if (!IsValidUtf8(bytes.substr(at, size))) {
        ++at;
        continue;
      }
      const int32_t character = NextCharacter(bytes, at);
      AppendFolded(character, owners_[begin], owners_[at - 1] + 1, scratch_,
                   units_);
    }
    bytes_.clear();
    owners_.clear();
  }

  std::vector<Unit> units_;
  std::string bytes_;           // not decoded yet
  std::vector<size_t> owners_;  // of each byte: the index of its token
  std::vector<int32_t> scratch_;
};

// Matches the units of tokens with those of a text, both from their beginning.
class Matcher {
 public:
  Matcher(const std::vector<Unit>& tokens, const std::vector<Unit>& text)
      : tokens_(tokens), text_(text) {}

  // Calls on_match(token unit, text unit) for each pair, in order.
  template <typename Fn>
  void Run(const Fn& on_match) {
    while (i_ < tokens_.size() && j_ < text_.size()) {
      if (tokens_[i_].character == kAny) {
        PassAny();
      } else if (tokens_[i_].character == text_[j_].character) {
        on_match(tokens_[i_++], text_[j_++]);
      } else if (!Skip()) {
        i_ += kMaxSkip / 4;
        j_ += kMaxSkip / 4;
      }
    }
  }

 private:
  // Whether `n` characters agree from these places on, or as many as come
  // before an unknown token or the end of the tokens.
  bool Agree(size_t i, size_t j, size_t n) const {
    for (size_t k = 0; k < n; ++k) {
      const bool is_over =
          i + k == tokens_.size() || tokens_[i + k].character == kAny;
      if (is_over) return k > 0;
      if (j + k == text_.size() ||
          tokens_[i + k].character != text_[j + k].character) {
        return false;
      }
    }
    return true;
  }

  // Moves to the text of the token after unknown ones, if that is near.
  void PassAny() {
    while (i_ < tokens_.size() && tokens_[i_].character == kAny) ++i_;
    for (size_t skip = 0; skip <= kMaxSkip && j_ + skip < text_.size();
         ++skip) {
      if (!Agree(i_, j_ + skip, kMaxRunLength)) continue;
      j_ += skip;
      return;
    }
  }

  // Moves to the nearest places from which both agree. The time is linear in
  // what is skipped, times kMaxSkip.
  bool Skip() {
    for (size_t skip = 1; skip <= kMaxSkip; ++skip) {
      for (size_t di = 0; di <= skip; ++di) {
        const size_t i = i_ + di, j = j_ + skip - di;
        if (i >= tokens_.size() || j >= text_.size() ||
            !Agree(i, j, RunLength(skip))) {
          continue;
        }
        i_ = i;
        j_ = j;
        return true;
      }
    }
    return false;
  }

  const std::vector<Unit>& tokens_;
  const std::vector<Unit>& text_;
  size_t i_ = 0, j_ = 0;
};

// The words of `range`, at most `max_words`.
std::vector<TextRange> WordsOf(absl::string_view text, TextRange range,
                               size_t max_words) {
  std::vector<TextRange> words;
  for (size_t at = range.begin; at < range.end && words.size() < max_words;) {
    const size_t begin = at;
    if (IsWhitespace(NextCharacter(text, at))) continue;
    size_t end = at;
    while (at < range.end && !IsWhitespace(NextCharacter(text, at))) end = at;
    words.push_back({begin, end});
  }
  return words;
}

bool IsBlank(const Token& token) {
  return token.kind == Token::Kind::kText &&
         Trim(token.text, {0, token.text.size()}).size() == 0;
}

// Gives tokens [first, end), which have no match, their parts of `gap`.
void FillGap(const Tokenizer& tokenizer, absl::Span<const int32_t> ids,
             absl::string_view text, TextRange gap, size_t first, size_t end,
             std::vector<TextRange>& spans) {
  gap = Trim(text, gap);
  std::vector<size_t> takers;
  for (size_t i = first; i < end; ++i) {
    spans[i] = {gap.begin, gap.begin};
    if (ids[i] != tokenizer.eos_id() && !IsBlank(tokenizer.token(ids[i]))) {
      takers.push_back(i);
    }
  }
  if (gap.size() == 0) return;
  std::vector<TextRange> words;
  if (takers.size() > 1) words = WordsOf(text, gap, takers.size() + 1);
  for (size_t k = 0; k < takers.size(); ++k) {
    spans[takers[k]] = words.size() == takers.size() ? words[k] : gap;
  }
}

}  // namespace

std::vector<TextRange> FindTokenSpans(const Tokenizer& tokenizer,
                                      absl::Span<const int32_t> ids,
                                      absl::string_view text) {
  TokenUnits collected;
  for (size_t i = 0; i < ids.size(); ++i) {
    collected.Add(tokenizer.token(ids[i]), i);
  }
  constexpr TextRange kNone = {1, 0};
  std::vector<TextRange> spans(ids.size(), kNone);
  const std::vector<Unit> token_units = collected.Finish();
  const std::vector<Unit> text_units = UnitsOfText(text);
  Matcher(token_units, text_units)
      .Run([&](const Unit& owner, const Unit& place) {
        for (size_t i = owner.begin; i < owner.end; ++i) {
          if (spans[i].begin > spans[i].end) spans[i].begin = place.begin;
          spans[i].end = place.end;
        }
      });
  size_t gap_begin = 0;
  for (size_t i = 0; i < spans.size();) {
    size_t end = i;
    while (end < spans.size() && spans[end].begin > spans[end].end) ++end;
    if (end > i) {
      const size_t gap_end =
          end < spans.size() ? spans[end].begin : text.size();
      FillGap(tokenizer, ids, text, {gap_begin, std::max(gap_begin, gap_end)},
              i, end, spans);
    }
    if (end < spans.size()) gap_begin = spans[end].end;
    i = end + 1;
  }
  return spans;
}

std::vector<TextRange> FindSourceSpans(const Tokenizer& tokenizer,
                                       const PromptTemplate& prompt,
                                       absl::Span<const int32_t> ids,
                                       absl::string_view text) {
  std::vector<TextRange> spans(ids.size());
  const size_t surrounding = prompt.before.size() + prompt.after.size();
  if (ids.size() <= surrounding) return spans;
  const absl::Span<const int32_t> own =
      ids.subspan(prompt.before.size(), ids.size() - surrounding);
  std::string prompted = prompt.text_prefix;
  prompted.append(text.data(), text.size());
  const size_t prefix = prompt.text_prefix.size();
  size_t i = prompt.before.size();
  for (const TextRange& each : FindTokenSpans(tokenizer, own, prompted)) {
    spans[i++] = {std::max(each.begin, prefix) - prefix,
                  std::max(each.end, prefix) - prefix};
  }
  return spans;
}

int32_t CountLeadingIds(const Tokenizer& tokenizer,
                        const PromptTemplate& prompt) {
  size_t count = 0;
  if (!prompt.text_prefix.empty()) {
    // A space at the end of the prefix may be a part of the text's first token.
    const std::vector<int32_t> alone =
        tokenizer.EncodePrompted(prompt.text_prefix, "", prompt.allowed);
    const std::vector<int32_t> prompted =
        tokenizer.EncodePrompted(prompt.text_prefix, "a", prompt.allowed);
    count = std::mismatch(alone.begin(), alone.end(), prompted.begin(),
                          prompted.end())
                .first -
            alone.begin();
  }
  return static_cast<int32_t>(prompt.before.size() + count);
}

std::vector<TextRange> FindOutputSpans(const Tokenizer& tokenizer,
                                       absl::Span<const int32_t> ids) {
  StreamDetokenizer detokenizer(tokenizer);
  std::vector<TextRange> spans;
  spans.reserve(ids.size());
  size_t at = 0;
  const auto add = [&](const std::string& text, bool is_rest) {
    TextRange own = Trim(text, {0, text.size()});
    own = {at + own.begin, at + own.end};
    at += text.size();
    if (!is_rest) {
      spans.push_back(own);
    } else if (own.size() > 0 && !spans.empty()) {
      if (spans.back().size() == 0) spans.back().begin = own.begin;
      spans.back().end = own.end;
    }
  };
  for (const int32_t id : ids) add(detokenizer.Append(id), /*is_rest=*/false);
  add(detokenizer.Finish(), /*is_rest=*/true);
  return spans;
}

}  // namespace sheaf
