// SPDX-License-Identifier: Apache-2.0

#include "text/documents/line_wrap.h"

#include <unicode/brkiter.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "absl/strings/ascii.h"
#include "base/check.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// The number of columns by which a line may be longer to end with punctuation.
constexpr int64_t kPunctuationColumns = 4;

int64_t ColumnsOf(int32_t character) {
  const int8_t type = u_charType(character);
  if (type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK ||
      type == U_FORMAT_CHAR || type == U_CONTROL_CHAR) {
    return 0;
  }
  const int32_t width =
      u_getIntPropertyValue(character, UCHAR_EAST_ASIAN_WIDTH);
  return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

// The parts of a text that cannot be broken.
struct Word {
  size_t begin;
  int64_t start;  // the columns before it
  int64_t end;    // the columns up to its end, without spaces at the end
};

std::vector<Word> WordsOf(absl::string_view text) {
  std::vector<size_t> begins = {0};
  const std::vector<size_t> positions = LineBreakPositions(text);
  begins.insert(begins.end(), positions.begin(), positions.end());
  std::vector<Word> words;
  words.reserve(begins.size());
  int64_t column = 0;
  for (size_t i = 0; i < begins.size(); ++i) {
    const size_t end = i + 1 < begins.size() ? begins[i + 1] : text.size();
    const absl::string_view word = text.substr(begins[i], end - begins[i]);
    const absl::string_view visible = absl::StripTrailingAsciiWhitespace(word);
    words.push_back({begins[i], column, column + NumColumns(visible)});
    column += NumColumns(word);
  }
  return words;
}

// Fills lines of `max_columns`, and returns the words that begin them, without
// the first.
std::vector<size_t> Fill(const std::vector<Word>& words, int64_t max_columns) {
  std::vector<size_t> first;
  int64_t start = 0;
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i].end - start <= max_columns) continue;
    first.push_back(i);
    start = words[i].start;
  }
  return first;
}

bool EndsWithPunctuation(absl::string_view text) {
  text = absl::StripTrailingAsciiWhitespace(text);
  if (text.empty()) return false;
  size_t at = text.size();
  return u_ispunct(PreviousCharacter(text, at));
}

// The begin of the second of two lines.
std::vector<size_t> BreakInTwo(absl::string_view text,
                               const std::vector<Word>& words,
                               int64_t max_columns) {
  std::vector<size_t> begin;
  int64_t best = 0;
  for (size_t i = 1; i < words.size(); ++i) {
    const int64_t longest =
        std::max(words[i - 1].end, words.back().end - words[i].start);
    int64_t cost = longest + std::max<int64_t>(longest - max_columns, 0) *
                                 kPunctuationColumns;
    if (!EndsWithPunctuation(text.substr(0, words[i].begin))) {
      cost += kPunctuationColumns;
    }
    if (!begin.empty() && cost >= best) continue;
    best = cost;
    begin = {words[i].begin};
  }
  return begin;
}

bool IsWrittenWithoutSpaces(int32_t character) {
  const int32_t width =
      u_getIntPropertyValue(character, UCHAR_EAST_ASIAN_WIDTH);
  return width == U_EA_WIDE || width == U_EA_FULLWIDTH ||
         u_getIntPropertyValue(character, UCHAR_LINE_BREAK) ==
             U_LB_COMPLEX_CONTEXT;
}

}  // namespace

absl::string_view JointOfLines(absl::string_view before,
                               absl::string_view after) {
  if (before.empty() || after.empty()) return "";
  size_t end = before.size();
  size_t begin = 0;
  return IsWrittenWithoutSpaces(PreviousCharacter(before, end)) &&
                 IsWrittenWithoutSpaces(NextCharacter(after, begin))
             ? ""
             : " ";
}

int64_t NumColumns(absl::string_view text) {
  int64_t columns = 0;
  for (size_t at = 0; at < text.size();) {
    columns += ColumnsOf(NextCharacter(text, at));
  }
  return columns;
}

std::vector<size_t> LineBreakPositions(absl::string_view text) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<icu::BreakIterator> breaks(
      icu::BreakIterator::createLineInstance(icu::Locale::getRoot(), error));
  UText* const utf8 = utext_openUTF8(nullptr, text.data(),
                                     static_cast<int64_t>(text.size()), &error);
  SHEAF_CHECK(U_SUCCESS(error));
  breaks->setText(utf8, error);
  SHEAF_CHECK(U_SUCCESS(error));
  std::vector<size_t> positions;
  breaks->first();
  for (int32_t at = breaks->next(); at != icu::BreakIterator::DONE;
       at = breaks->next()) {
    if (static_cast<size_t>(at) < text.size()) positions.push_back(at);
  }
  utext_close(utf8);
  return positions;
}

std::vector<size_t> BalanceLines(absl::string_view text, int64_t num_lines,
                                 int64_t max_columns) {
  if (num_lines <= 1 || text.empty()) return {};
  const std::vector<Word> words = WordsOf(text);
  if (num_lines == 2) return BreakInTwo(text, words, max_columns);
  int64_t low = 1;
  int64_t high = words.back().end;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    const auto lines = static_cast<int64_t>(Fill(words, middle).size()) + 1;
    if (lines <= num_lines) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  std::vector<size_t> begins;
  for (const size_t i : Fill(words, high)) begins.push_back(words[i].begin);
  return begins;
}

std::vector<size_t> FillLines(
    absl::string_view text, int64_t max_columns,
    absl::FunctionRef<bool(absl::string_view rest)> may_begin) {
  if (text.empty()) return {};
  const std::vector<Word> words = WordsOf(text);
  std::vector<size_t> begins;
  int64_t start = 0;
  size_t last_break = 0;  // the last word at which the line may end
  for (size_t i = 1; i < words.size(); ++i) {
    if (may_begin(text.substr(words[i].begin))) last_break = i;
    if (words[i].end - start <= max_columns || last_break == 0) continue;
    begins.push_back(words[last_break].begin);
    start = words[last_break].start;
    last_break = 0;
  }
  return begins;
}

std::vector<std::string> SpreadText(absl::string_view text,
                                    absl::Span<const int64_t> weights) {
  const std::vector<Word> words =
      text.empty() ? std::vector<Word>{} : WordsOf(text);
  int64_t total_weight = 0;
  for (const int64_t weight : weights) total_weight += weight;
  const int64_t columns = words.empty() ? 0 : words.back().end;
  std::vector<std::string> parts;
  parts.reserve(weights.size());
  size_t first = 0;  // word of the part
  int64_t weight = 0;
  for (size_t part = 0; part < weights.size(); ++part) {
    weight += weights[part];
    const size_t parts_left = weights.size() - part - 1;
    size_t end = words.size();
    if (parts_left > 0 && first < words.size()) {
      // Every later part gets a word if there are enough.
      const size_t last = words.size() > first + parts_left
                              ? words.size() - parts_left
                              : first + 1;
      const int64_t target =
          columns * weight / std::max<int64_t>(total_weight, 1);
      int64_t best = -1;
      for (size_t i = first + 1; i <= last && i < words.size(); ++i) {
        int64_t distance = std::abs(words[i].start - target);
        const absl::string_view before = text.substr(0, words[i].begin);
        if (!EndsWithPunctuation(before)) distance += kPunctuationColumns;
        if (best >= 0 && distance >= best) continue;
        best = distance;
        end = i;
      }
    }
    const size_t begin_byte =
        first < words.size() ? words[first].begin : text.size();
    const size_t end_byte = end < words.size() ? words[end].begin : text.size();
    parts.emplace_back(absl::StripAsciiWhitespace(
        text.substr(begin_byte, end_byte - begin_byte)));
    first = end;
  }
  return parts;
}

}  // namespace sheaf
