// SPDX-License-Identifier: Apache-2.0

#include <unicode/uchar.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "text/checks/currencies.h"
#include "text/checks/letter_case.h"
#include "text/checks/number_words.h"
#include "text/checks/numbers.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// A number that the other text lacks, or a run of it.
struct Open {
  TextRange range;  // of the number
  int64_t value = 0;
  size_t num_digits = 0;
  bool is_matched = false;
  // The hour is one of the afternoon (12 to add) or of the morning.
  enum class Half : uint8_t { kNone, kAm, kPm } half = Half::kNone;
};

// Whether a number is one of several parts, such as a date, time or range.
bool HasParts(const WrittenNumber& number) {
  constexpr size_t kMaxPart = 2;
  if (number.runs.size() > 2 && number.separators[0] == '.') return true;
  const bool has_signs =
      absl::c_any_of(number.separators, [](int32_t separator) {
        return absl::StrContains(":/-h", static_cast<char>(separator));
      });
  return has_signs || absl::c_all_of(number.runs, [](const std::string& run) {
           return run.size() <= kMaxPart;
         });
}

// Takes pairs of equal numbers out of both lists.
void RemoveSame(std::vector<WrittenNumber>& a, std::vector<WrittenNumber>& b) {
  absl::flat_hash_map<std::string, std::vector<size_t>> places;  // in b
  for (size_t i = b.size(); i-- > 0;) {
    places[absl::StrJoin(b[i].runs, "")].push_back(i);
  }
  std::vector<bool> is_matched(b.size(), false);
  const auto has_match = [&](const WrittenNumber& number) {
    const auto found = places.find(absl::StrJoin(number.runs, ""));
    if (found == places.end()) return false;
    std::vector<size_t>& indexes = found->second;
    // The last one is the first in b. Others are rarely of another form.
    for (size_t n = indexes.size(); n-- > 0;) {
      if (!AreSameNumber(number, b[indexes[n]])) continue;
      is_matched[indexes[n]] = true;
      indexes.erase(indexes.begin() + n);
      return true;
    }
    return false;
  };
  a.erase(std::remove_if(a.begin(), a.end(), has_match), a.end());
  size_t index = 0;
  b.erase(
      std::remove_if(b.begin(), b.end(),
                     [&](const WrittenNumber&) { return is_matched[index++]; }),
      b.end());
}

// Whether "am" or "pm" follows the number that ends at `at`.
Open::Half HalfOfDay(absl::string_view text, size_t at) {
  while (at < text.size()) {
    size_t next = at;
    if (!IsWhitespace(NextCharacter(text, next))) break;
    at = next;
  }
  const std::string next = absl::AsciiStrToLower(text.substr(at, 4));
  for (absl::string_view mark : {"a.m", "am", "p.m", "pm"}) {
    if (!absl::StartsWith(next, mark)) continue;
    if (next.size() > mark.size() && absl::ascii_isalnum(next[mark.size()])) {
      continue;
    }
    return mark[0] == 'a' ? Open::Half::kAm : Open::Half::kPm;
  }
  return Open::Half::kNone;
}

// The numbers' runs, each by itself, or numbers that have one value as one.
std::vector<Open> OpenParts(absl::string_view text,
                            const std::vector<WrittenNumber>& numbers,
                            bool splits_decimals) {
  std::vector<Open> parts;
  for (const WrittenNumber& number : numbers) {
    const bool is_decimal =
        number.separators.size() == 1 &&
        (number.separators[0] == '.' || number.separators[0] == ',');
    const bool splits = number.runs.size() == 1 ||
                        (HasParts(number) && (splits_decimals || !is_decimal));
    if (!splits) {
      parts.push_back({number.range, /*value=*/-1, /*num_digits=*/0});
      continue;
    }
    const Open::Half half = HalfOfDay(text, number.range.end);
    for (const std::string& run : number.runs) {
      Open part = {number.range, /*value=*/-1, run.size()};
      constexpr size_t kMaxDigits = 18;
      if (run.size() <= kMaxDigits) {
        int64_t value = 0;
        if (absl::SimpleAtoi(run, &value)) part.value = value;
      }
      if (&run == &number.runs.front()) part.half = half;
      parts.push_back(part);
    }
  }
  return parts;
}

bool HasDecimal(const std::vector<WrittenNumber>& numbers) {
  return absl::c_any_of(numbers, [](const WrittenNumber& number) {
    return number.separators.size() == 1 &&
           (number.separators[0] == '.' || number.separators[0] == ',');
  });
}

// The hour of 24 that a part of 12 is. -1 if it is none.
int64_t HourOf24(const Open& part) {
  if (part.half == Open::Half::kNone || part.value < 1 || part.value > 12) {
    return -1;
  }
  return part.value % 12 + (part.half == Open::Half::kPm ? 12 : 0);
}

// Parts by value and number of digits. Leading zeros count in numbers of more
// digits than the parts of a date or time have.
class PartMap {
 public:
  explicit PartMap(std::vector<Open>& parts) {
    for (size_t i = parts.size(); i-- > 0;) {
      if (parts[i].value >= 0) parts_[KeyOf(parts[i])].push_back(&parts[i]);
    }
  }

  // Pairs `part` with the first one that has this value and its digits. False
  // if there is none.
  bool Match(Open& part, int64_t value) {
    const auto found = parts_.find({value, KeyOf(part).second});
    if (found == parts_.end()) return false;
    std::vector<Open*>& list = found->second;
    while (!list.empty()) {
      Open* const other = list.back();
      list.pop_back();
      if (other->is_matched) continue;
      part.is_matched = other->is_matched = true;
      return true;
    }
    return false;
  }

 private:
  using Key = std::pair<int64_t, size_t>;

  static Key KeyOf(const Open& part) {
    constexpr size_t kMaxPart = 2;
    return {part.value, std::max(part.num_digits, kMaxPart)};
  }

  absl::flat_hash_map<Key, std::vector<Open*>> parts_;
};

void MatchParts(std::vector<Open>& a, std::vector<Open>& b) {
  PartMap of_b(b);
  for (Open& part : a) {
    if (part.value >= 0 && of_b.Match(part, part.value)) continue;
    const int64_t hour = HourOf24(part);
    if (hour >= 0) of_b.Match(part, hour);
  }
  PartMap of_a(a);
  for (Open& part : b) {
    const int64_t hour = HourOf24(part);
    if (!part.is_matched && hour >= 0) of_a.Match(part, hour);
  }
}

// How often the words of a text stand for each small number and month.
std::map<int, int> CountWords(absl::string_view text,
                              absl::string_view language) {
  const NumberWords& words = NumberWords::For(language);
  std::map<int, int> counts;
  const std::string lower = ToLowerCase(text, language);
  for (size_t at = 0; at < lower.size();) {
    size_t next = at;
    if (!IsLetter(NextCharacter(lower, next))) {
      at = next;
      continue;
    }
    while (next < lower.size()) {
      size_t end = next;
      const int32_t character = NextCharacter(lower, end);
      if (!IsLetter(character) && u_getCombiningClass(character) == 0) break;
      next = end;
    }
    const absl::string_view word =
        absl::string_view(lower).substr(at, next - at);
    int number = words.Number(word);
    if (number < 0) number = words.Month(word);
    if (number < 0) number = words.NumberAtBegin(word);
    if (number >= 0) ++counts[number];
    at = next;
  }
  return counts;
}

// Whether a small number may be a word of the other text. Only that many are
// looked up in it.
void MatchWords(std::vector<Open>& parts, absl::string_view other,
                absl::string_view language) {
  constexpr int64_t kMaxWord = 1000;
  const auto may_be_word = [](const Open& part) {
    return !part.is_matched && part.value >= 0 && part.value <= kMaxWord;
  };
  if (absl::c_none_of(parts, may_be_word)) return;
  std::map<int, int> counts = CountWords(other, language);
  for (Open& part : parts) {
    if (!may_be_word(part)) continue;
    const auto found = counts.find(static_cast<int>(part.value));
    if (found == counts.end() || found->second == 0) continue;
    --found->second;
    part.is_matched = true;
  }
}

std::vector<TextRange> Unmatched(const std::vector<Open>& parts) {
  std::vector<TextRange> ranges;
  for (const Open& part : parts) {
    if (part.is_matched) continue;
    if (!ranges.empty() && ranges.back().begin == part.range.begin) continue;
    ranges.push_back(part.range);
  }
  return ranges;
}

}  // namespace

NumberDifferences CompareNumbers(absl::string_view source,
                                 absl::string_view target,
                                 absl::string_view source_language,
                                 absl::string_view target_language) {
  std::vector<WrittenNumber> of_source = FindNumbers(source);
  std::vector<WrittenNumber> of_target = FindNumbers(target);
  RemoveSame(of_source, of_target);
  // If both sides had decimals to split, "1.5" would be "5.1".
  const bool splits = !HasDecimal(of_source) || !HasDecimal(of_target);
  std::vector<Open> a = OpenParts(source, of_source, splits);
  std::vector<Open> b = OpenParts(target, of_target, splits);
  MatchParts(a, b);
  MatchWords(a, target, target_language);
  MatchWords(b, source, source_language);
  NumberDifferences differences = {Unmatched(a), Unmatched(b)};
  AppendCurrencyDifferences(source, target, target_language,
                            differences.missing);
  AppendCurrencyDifferences(target, source, source_language, differences.added);
  return differences;
}

}  // namespace sheaf
