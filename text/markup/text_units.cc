// SPDX-License-Identifier: Apache-2.0

#include "text/markup/text_units.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// Letters of scripts that do not write spaces between words: Han, Kana, Thai.
bool IsSpaceless(int32_t character) {
  const int32_t line_break = u_getIntPropertyValue(character, UCHAR_LINE_BREAK);
  return line_break == U_LB_IDEOGRAPHIC || line_break == U_LB_COMPLEX_CONTEXT ||
         line_break == U_LB_CONDITIONAL_JAPANESE_STARTER;
}

// Marks that belong to a word if there are word characters on both sides of it:
// "it's", "well-known", "3.50", "example.com".
bool JoinsWords(int32_t character) {
  constexpr int32_t kApostrophe = 0x2019;
  constexpr int32_t kHyphen = 0x2010;
  constexpr int32_t kNonBreakingHyphen = 0x2011;
  constexpr int32_t kSoftHyphen = 0xAD;
  switch (character) {
    case '\'':
    case '-':
    case '.':
    case ',':
    case ':':
    case '@':
    case '/':
    case kApostrophe:
    case kHyphen:
    case kNonBreakingHyphen:
    case kSoftHyphen:
      return true;
    default:
      return false;
  }
}

// Finds the units of a text, one after another.
class UnitFinder {
 public:
  explicit UnitFinder(absl::string_view text) : text_(text) {}

  // The unit that begins at `at`, which is no white space.
  TextUnit Find(size_t begin) {
    size_t at = begin;
    const int32_t first = NextCharacter(text_, at);
    TextUnit unit;
    unit.is_word = IsLetterOrDigit(first);
    if (IsWordCharacter(first)) {
      if (IsSpaceless(first)) {
        SkipMarks(at);
      } else {
        SkipWord(at, unit.is_word);
      }
    }
    unit.range = {begin, at};
    return unit;
  }

 private:
  // Moves `at` to the end of the word.
  void SkipWord(size_t& at, bool& is_word) const {
    while (at < text_.size()) {
      size_t next = at;
      const int32_t character = NextCharacter(text_, next);
      if (JoinsWords(character)) {
        if (next == text_.size()) return;
        size_t after = next;
        const int32_t following = NextCharacter(text_, after);
        if (!IsWordCharacter(following) || IsSpaceless(following)) return;
      } else if (!IsWordCharacter(character) || IsSpaceless(character)) {
        return;
      }
      is_word = is_word || IsLetterOrDigit(character);
      at = next;
    }
  }

  // Moves `at` after combining marks.
  void SkipMarks(size_t& at) const {
    while (at < text_.size()) {
      size_t next = at;
      const int32_t character = NextCharacter(text_, next);
      if (!IsWordCharacter(character) || IsLetterOrDigit(character)) return;
      at = next;
    }
  }

  absl::string_view text_;
};

// The index of the first unit that ends after `at`.
size_t FirstAfter(const std::vector<TextUnit>& units, size_t at) {
  return static_cast<size_t>(
      std::upper_bound(units.begin(), units.end(), at,
                       [](size_t position, const TextUnit& unit) {
                         return position < unit.range.end;
                       }) -
      units.begin());
}

size_t BytesInBoth(TextRange a, TextRange b) {
  const size_t begin = std::max(a.begin, b.begin);
  const size_t end = std::min(a.end, b.end);
  return end > begin ? end - begin : 0;
}

bool HasDigit(absl::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (IsNumber(NextCharacter(text, at))) return true;
  }
  return false;
}

// Finds the unit of the source for each unit of the target.
class Aligner {
 public:
  Aligner(const TextPair& texts, absl::Span<const size_t> cuts)
      : texts_(texts) {
    units_.source = FindUnits(texts.source, cuts);
    units_.target = FindUnits(texts.target, {});
    is_taken_.resize(units_.source.size());
  }

  AlignedUnits Align(absl::Span<const TextRange> kept) {
    TakeAlignment();
    const bool is_known =
        std::any_of(units_.target.begin(), units_.target.end(),
                    [](const TextUnit& unit) { return unit.source >= 0; });
    TakeUnique();
    if (!is_known) TakeProportion();
    TakePunctuation();
    TakeKept(kept);
    DivideWords();
    return std::move(units_);
  }

 private:
  absl::string_view SourceText(const TextUnit& unit) const {
    return Slice(texts_.source, unit.range);
  }
  absl::string_view TargetText(const TextUnit& unit) const {
    return Slice(texts_.target, unit.range);
  }

  // The unit that shares the most bytes with a range of the source.
  int32_t SourceUnit(TextRange range) const {
    int32_t best = -1;
    size_t best_bytes = 0;
    for (size_t i = FirstAfter(units_.source, range.begin);
         i < units_.source.size() && units_.source[i].range.begin < range.end;
         ++i) {
      const size_t bytes = BytesInBoth(units_.source[i].range, range);
      if (bytes > best_bytes) {
        best_bytes = bytes;
        best = static_cast<int32_t>(i);
      }
    }
    return best;
  }

  // A unit comes from where the token that has most of it comes from. Marks do
  // not come from words, nor words from marks: models look anywhere while they
  // write these.
  void TakeAlignment() {
    if (texts_.alignment == nullptr) return;
    const TextAlignment& spans = *texts_.alignment;
    size_t first = 0;
    for (TextUnit& unit : units_.target) {
      while (first < spans.size() &&
             spans[first].target.end <= unit.range.begin) {
        ++first;
      }
      size_t best_bytes = 0;
      for (size_t i = first;
           i < spans.size() && spans[i].target.begin < unit.range.end; ++i) {
        const size_t bytes = BytesInBoth(spans[i].target, unit.range);
        if (bytes <= best_bytes || spans[i].source.size() == 0) continue;
        const int32_t source = SourceUnit(spans[i].source);
        if (source < 0 || units_.source[static_cast<size_t>(source)].is_word !=
                              unit.is_word) {
          continue;
        }
        best_bytes = bytes;
        unit.source = source;
      }
    }
  }

  // Words that occur once in both texts, if they have a digit or nothing better
  // is known.
  void TakeUnique() {
    struct Count {
      int32_t index;
      int32_t num_source = 0;
      int32_t num_target = 0;
    };
    absl::flat_hash_map<absl::string_view, Count> counts;
    for (size_t i = 0; i < units_.source.size(); ++i) {
      Count& count = counts[SourceText(units_.source[i])];
      count.index = static_cast<int32_t>(i);
      ++count.num_source;
    }
    for (const TextUnit& unit : units_.target) {
      const auto found = counts.find(TargetText(unit));
      if (found != counts.end()) ++found->second.num_target;
    }
    for (TextUnit& unit : units_.target) {
      const auto found = counts.find(TargetText(unit));
      if (!unit.is_word || found == counts.end()) continue;
      const Count& count = found->second;
      if (count.num_source != 1 || count.num_target != 1) continue;
      if (unit.source < 0 || HasDigit(TargetText(unit))) {
        unit.source = count.index;
        is_taken_[static_cast<size_t>(count.index)] = true;
      }
    }
  }

  // Words in proportion to their position.
  void TakeProportion() {
    std::vector<int32_t> words;
    for (size_t i = 0; i < units_.source.size(); ++i) {
      if (units_.source[i].is_word) words.push_back(static_cast<int32_t>(i));
    }
    size_t num_words = 0;
    for (const TextUnit& unit : units_.target)
      num_words += unit.is_word ? 1 : 0;
    size_t index = 0;
    for (TextUnit& unit : units_.target) {
      if (!unit.is_word || words.empty()) continue;
      const size_t word = (2 * index + 1) * words.size() / (2 * num_words);
      const auto source = static_cast<size_t>(words[word]);
      if (unit.source < 0 && !is_taken_[source]) unit.source = words[word];
      ++index;
    }
  }

  // A mark that both texts have equally often is the same each time.
  void TakePunctuation() {
    absl::flat_hash_map<absl::string_view, std::vector<int32_t>> source;
    absl::flat_hash_map<absl::string_view, std::vector<size_t>> target;
    for (size_t i = 0; i < units_.source.size(); ++i) {
      if (units_.source[i].is_word) continue;
      source[SourceText(units_.source[i])].push_back(static_cast<int32_t>(i));
    }
    for (size_t i = 0; i < units_.target.size(); ++i) {
      if (units_.target[i].is_word) continue;
      target[TargetText(units_.target[i])].push_back(i);
    }
    for (const auto& [mark, indexes] : target) {
      const auto found = source.find(mark);
      if (found == source.end() || found->second.size() != indexes.size()) {
        continue;
      }
      for (size_t i = 0; i < indexes.size(); ++i) {
        units_.target[indexes[i]].source = found->second[i];
      }
    }
  }

  // The first unit of the target that comes from each unit of the source; -1:
  // none.
  std::vector<int32_t> FirstTargets() const {
    std::vector<int32_t> targets(units_.source.size(), -1);
    for (size_t i = units_.target.size(); i-- > 0;) {
      const int32_t source = units_.target[i].source;
      if (source >= 0) {
        targets[static_cast<size_t>(source)] = static_cast<int32_t>(i);
      }
    }
    return targets;
  }

  // Kept content that is in the target unit by unit: where its first unit comes
  // from, or else in the order of the source.
  void TakeKept(absl::Span<const TextRange> kept) {
    const std::vector<int32_t> targets = FirstTargets();
    absl::flat_hash_map<absl::string_view, size_t> next;
    std::vector<bool> is_copy(units_.target.size());
    is_taken_.assign(units_.source.size(), false);
    for (const TextRange& range : kept) {
      const absl::string_view content = Slice(texts_.source, range);
      const size_t first = FirstAfter(units_.source, range.begin);
      if (first < targets.size() && targets[first] >= 0) {
        const size_t at =
            units_.target[static_cast<size_t>(targets[first])].range.begin;
        if (absl::StartsWith(texts_.target.substr(at), content) &&
            TakeCopy(range, at, is_copy)) {
          continue;
        }
      }
      size_t& from = next[content];
      while (from < texts_.target.size() && content.size() > 0) {
        const size_t found = texts_.target.find(content, from);
        if (found == absl::string_view::npos) {
          from = texts_.target.size();
          break;
        }
        from = found + 1;
        if (TakeCopy(range, found, is_copy)) {
          from = found + content.size();
          break;
        }
      }
    }
    // Nothing else comes from content that is there.
    for (size_t i = 0; i < units_.target.size(); ++i) {
      int32_t& source = units_.target[i].source;
      if (source >= 0 && is_taken_[static_cast<size_t>(source)] &&
          !is_copy[i]) {
        source = -1;
      }
    }
  }

  // Lets the units of the target from the byte `at` on come from those of a
  // range of the source. False if its ends are not those of units, or if they
  // are copies already.
  bool TakeCopy(TextRange range, size_t at, std::vector<bool>& is_copy) {
    size_t target = FirstAfter(units_.target, at);
    const size_t end = at + range.size();
    const size_t first = target;
    if (target == units_.target.size() ||
        units_.target[target].range.begin < at) {
      return false;
    }
    while (target < units_.target.size() &&
           units_.target[target].range.begin < end) {
      if (units_.target[target].range.end > end || is_copy[target])
        return false;
      ++target;
    }
    for (size_t i = first; i < target; ++i) {
      // The same characters make the same units, except where words are
      // divided.
      const size_t position = range.begin + (units_.target[i].range.begin - at);
      const size_t same = FirstAfter(units_.source, position);
      units_.target[i].source = static_cast<int32_t>(same);
      is_copy[i] = true;
    }
    for (size_t i = FirstAfter(units_.source, range.begin);
         i < units_.source.size() && units_.source[i].range.begin < range.end;
         ++i) {
      is_taken_[i] = true;
    }
    return true;
  }

  // Divides the words of the target that come from the same, divided word.
  void DivideWords() {
    std::vector<TextUnit> divided;
    divided.reserve(units_.target.size());
    for (const TextUnit& unit : units_.target) {
      const TextRange parts = PartsOfWord(unit.source);
      if (parts.size() < 2 || TargetText(unit) != WordText(parts)) {
        divided.push_back(unit);
        continue;
      }
      const size_t word_begin = units_.source[parts.begin].range.begin;
      for (size_t i = parts.begin; i < parts.end; ++i) {
        TextUnit part = unit;
        const TextRange range = units_.source[i].range;
        part.range = {unit.range.begin + (range.begin - word_begin),
                      unit.range.begin + (range.end - word_begin)};
        part.source = static_cast<int32_t>(i);
        divided.push_back(part);
      }
    }
    units_.target = std::move(divided);
  }

  // The units of the word to which a unit of the source belongs.
  TextRange PartsOfWord(int32_t unit) const {
    if (unit < 0) return {};
    const auto index = static_cast<size_t>(unit);
    const int32_t word = units_.source[index].word;
    TextRange parts = {index, index + 1};
    while (parts.begin > 0 && units_.source[parts.begin - 1].word == word) {
      --parts.begin;
    }
    while (parts.end < units_.source.size() &&
           units_.source[parts.end].word == word) {
      ++parts.end;
    }
    return parts;
  }

  absl::string_view WordText(TextRange parts) const {
    return Slice(texts_.source, {units_.source[parts.begin].range.begin,
                                 units_.source[parts.end - 1].range.end});
  }

  const TextPair texts_;
  AlignedUnits units_;
  // Units of the source that are in the target as they are.
  std::vector<bool> is_taken_;
};

}  // namespace

std::vector<TextUnit> FindUnits(absl::string_view text,
                                absl::Span<const size_t> cuts) {
  std::vector<TextUnit> units;
  UnitFinder finder(text);
  size_t next_cut = 0;
  int32_t word = 0;
  for (size_t at = 0; at < text.size();) {
    size_t after = at;
    if (IsWhitespace(NextCharacter(text, after))) {
      at = after;
      continue;
    }
    TextUnit unit = finder.Find(at);
    unit.word = word++;
    at = unit.range.end;
    while (next_cut < cuts.size() && cuts[next_cut] < at) {
      const size_t cut = cuts[next_cut++];
      if (cut <= unit.range.begin) continue;
      units.push_back(unit);
      units.back().range.end = cut;
      unit.range.begin = cut;
    }
    units.push_back(unit);
  }
  return units;
}

AlignedUnits AlignUnits(const TextPair& texts, absl::Span<const size_t> cuts,
                        absl::Span<const TextRange> kept) {
  return Aligner(texts, cuts).Align(kept);
}

}  // namespace sheaf
