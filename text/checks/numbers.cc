// SPDX-License-Identifier: Apache-2.0

#include "text/checks/numbers.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <optional>

#include "text/utf8.h"

namespace sheaf {
namespace {

// 0 to 9 for a decimal digit of any script, else -1.
int DigitAt(absl::string_view text, size_t at, size_t& next) {
  if (at >= text.size()) return -1;
  next = at;
  const int32_t character = NextCharacter(text, next);
  if (character < 0x80) return IsNumber(character) ? character - '0' : -1;
  return u_charDigitValue(character);
}

// The digits at `at`, which is moved after them.
std::string ReadDigits(absl::string_view text, size_t& at) {
  std::string digits;
  size_t next = at;
  for (int digit; (digit = DigitAt(text, at, next)) >= 0; at = next) {
    digits += static_cast<char>('0' + digit);
  }
  return digits;
}

// The separator that a character is within a number. 0 if it is none.
int32_t SeparatorOf(int32_t character) {
  switch (character) {
    case '.':
    case ',':
    case ':':
    case '/':
    case '\'':
    case 'h':
      return character;
    case '-':
    case 0x2010:
    case 0x2011:
    case 0x2012:
    case 0x2013:
      return '-';
    case 0x2019:
      return '\'';
    case 0x66B:   // Arabic decimal separator
    case 0xFF0E:  // full width
      return '.';
    case 0x66C:
    case 0xFF0C:
      return ',';
    case 0xFF1A:
      return ':';
    case ' ':
    case 0xA0:
    case 0x2009:
    case 0x202F:
      return ' ';
    default:
      return 0;
  }
}

// Whether a space may separate `runs` from the digits at `at`: both sides are
// groups of an amount.
bool IsGroupSpace(absl::string_view text, size_t at,
                  const WrittenNumber& number) {
  constexpr size_t kGroup = 3;
  const bool is_first = number.separators.empty();
  const size_t size = number.runs.back().size();
  const bool has_spaces =
      std::all_of(number.separators.begin(), number.separators.end(),
                  [](int32_t separator) { return separator == ' '; });
  if (!has_spaces || (is_first ? size > kGroup : size != kGroup)) return false;
  size_t num_digits = 0;
  for (size_t next = at; DigitAt(text, at, next) >= 0 && num_digits <= kGroup;
       at = next) {
    ++num_digits;
  }
  return num_digits == kGroup;
}

// The value if all separators are those of thousands (or of lakhs: 12,34,567).
std::optional<std::string> WithoutGroups(const WrittenNumber& number,
                                         size_t num_runs) {
  std::string digits = number.runs[0];
  if (num_runs > 1 && digits.size() > 3) return std::nullopt;
  for (size_t i = 1; i < num_runs; ++i) {
    const std::string& run = number.runs[i];
    const int32_t separator = number.separators[i - 1];
    const bool is_group =
        run.size() == 3 || (run.size() == 2 && i + 1 < num_runs);
    const bool is_separator = separator == '.' || separator == ',' ||
                              separator == '\'' || separator == ' ';
    if (!is_group || !is_separator || separator != number.separators[0]) {
      return std::nullopt;
    }
    digits += run;
  }
  return digits;
}

// The values that a number may have: digits, with a point for a fraction.
std::vector<std::string> Values(const WrittenNumber& number) {
  std::vector<std::string> values;
  const size_t num_runs = number.runs.size();
  std::optional<std::string> whole = WithoutGroups(number, num_runs);
  if (whole.has_value()) values.push_back(*whole);
  if (num_runs < 2) return values;
  const int32_t last = number.separators.back();
  const bool is_point = (last == '.' || last == ',') &&
                        (num_runs == 2 || last != number.separators[0]);
  whole = WithoutGroups(number, num_runs - 1);
  if (is_point && whole.has_value()) {
    values.push_back(*whole + "." + number.runs.back());
  }
  return values;
}

}  // namespace

std::vector<WrittenNumber> FindNumbers(absl::string_view text) {
  std::vector<WrittenNumber> numbers;
  for (size_t at = 0; at < text.size();) {
    size_t next = at;
    if (DigitAt(text, at, next) < 0) {
      at = next;
      continue;
    }
    WrittenNumber number;
    number.range.begin = at;
    number.runs.push_back(ReadDigits(text, at));
    while (at < text.size()) {
      size_t digits = at;
      const int32_t separator = SeparatorOf(NextCharacter(text, digits));
      if (separator == 0 || DigitAt(text, digits, next) < 0) break;
      if (separator == ' ' && !IsGroupSpace(text, digits, number)) break;
      number.separators.push_back(separator);
      at = digits;
      number.runs.push_back(ReadDigits(text, at));
    }
    number.range.end = at;
    numbers.push_back(std::move(number));
  }
  return numbers;
}

bool AreSameNumber(const WrittenNumber& a, const WrittenNumber& b) {
  if (a.runs == b.runs) return true;
  const std::vector<std::string> values = Values(b);
  for (const std::string& value : Values(a)) {
    if (std::find(values.begin(), values.end(), value) != values.end()) {
      return true;
    }
  }
  return false;
}

}  // namespace sheaf
