// SPDX-License-Identifier: Apache-2.0

#include "text/checks/placeholders.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "text/checks/word_borders.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// Longer contents of brackets or quotes count as text.
constexpr size_t kMaxNameBytes = 64;
constexpr size_t kMaxCodeBytes = 256;
constexpr size_t kMaxTagBytes = 512;

bool IsNameByte(char c) { return absl::ascii_isalnum(c) || c == '_'; }

size_t NameEnd(absl::string_view text, size_t at) {
  while (IsNameByte(ByteAt(text, at))) ++at;
  return at;
}

size_t DigitsEnd(absl::string_view text, size_t at) {
  while (absl::ascii_isdigit(ByteAt(text, at))) ++at;
  return at;
}

// The place of `closing` at `at` or after it, within the line and `max_bytes`,
// before any byte of `stops`. npos if there is none.
size_t FindClosing(absl::string_view text, size_t at, absl::string_view closing,
                   absl::string_view stops, size_t max_bytes) {
  const size_t end = std::min(text.size(), at + max_bytes);
  for (; at < end; ++at) {
    if (absl::StartsWith(text.substr(at), closing)) return at;
    if (text[at] == '\n' || absl::StrContains(stops, text[at])) break;
  }
  return absl::string_view::npos;
}

// Whether `content`, which has no braces, is what stands between the braces of
// a placeholder: a name without spaces, or a name, a comma and a kind.
bool IsBraced(absl::string_view content) {
  const size_t comma = content.find(',');
  if (comma != content.npos) {
    const absl::string_view kind =
        absl::StripLeadingAsciiWhitespace(content.substr(comma + 1));
    for (absl::string_view known :
         {"number", "date", "time", "spellout", "ordinal", "duration"}) {
      if (absl::StartsWith(kind, known)) return true;
    }
  }
  for (size_t at = 0; at < content.size();) {
    const int32_t c = NextCharacter(content, at);
    if (IsWhitespace(c) || c == '"' || c == '\'') return false;
  }
  return true;
}

// {x}, {{x}}, {{{x}}}, {% x %}
size_t BraceEnd(absl::string_view text, size_t at) {
  constexpr absl::string_view kClosings[] = {"}", "}}", "}}}"};
  size_t depth = 1;
  while (depth < 3 && ByteAt(text, at + depth) == '{') ++depth;
  const size_t begin = at + depth;
  if (depth == 1 && ByteAt(text, begin) == '%') {
    const size_t close =
        FindClosing(text, begin + 1, "%}", "{}", kMaxCodeBytes);
    return close == absl::string_view::npos ? at : close + 2;
  }
  const absl::string_view closing = kClosings[depth - 1];
  const size_t close = FindClosing(text, begin, closing, "{", kMaxNameBytes);
  if (close == absl::string_view::npos) return at;
  const absl::string_view content = text.substr(begin, close - begin);
  if (absl::StrContains(content, '}')) return at;
  if (depth == 1 && !IsBraced(content)) return at;
  if (depth > 1 && absl::StripAsciiWhitespace(content).empty()) return at;
  return close + closing.size();
}

// ${x}, $(x), $name
size_t DollarEnd(absl::string_view text, size_t at) {
  const char next = ByteAt(text, at + 1);
  if (next == '{') {
    const size_t end = BraceEnd(text, at + 1);
    return end == at + 1 ? at : end;
  }
  if (next == '(') {
    const size_t end = NameEnd(text, at + 2);
    return end > at + 2 && ByteAt(text, end) == ')' ? end + 1 : at;
  }
  if (HasWordBefore(text, at)) return at;  // "US$ab", "A$AP"
  if (!absl::ascii_isalpha(next) && next != '_') return at;
  return NameEnd(text, at + 1);
}

// Whether a number stands before the percent sign at `at`, so that it is one.
bool IsPercentage(absl::string_view text, size_t at) {
  while (at > 0) {
    const int32_t character = PreviousCharacter(text, at);
    if (IsNumber(character)) return true;
    if (!IsWhitespace(character)) return false;
  }
  return false;
}

// The end of what follows '%' and a name in brackets: "(x)d", "{x}", "<x>s".
size_t NamedConversionEnd(absl::string_view text, size_t at) {
  const char opening = ByteAt(text, at);
  const char closing = opening == '(' ? ')' : opening == '{' ? '}' : '>';
  const size_t close = FindClosing(text, at + 1, absl::string_view(&closing, 1),
                                   " ({<", kMaxNameBytes);
  if (close == absl::string_view::npos || close == at + 1) return at;
  size_t end = close + 1;
  if (opening == '{') return end;
  while (absl::StrContains("-+#0123456789.", ByteAt(text, end)) &&
         end < text.size()) {
    ++end;
  }
  return absl::ascii_isalpha(ByteAt(text, end)) ? end + 1 : at;
}

// The letters that end a conversion of printf or strftime.
bool IsConversion(char c) {
  return c != '\0' && absl::StrContains("diouxXeEfFgGaAcCsSpnYmHMBbyjZ@", c);
}

// %NAME% of Windows.
size_t VariableEnd(absl::string_view text, size_t at) {
  size_t end = at + 1;
  while (absl::ascii_isupper(ByteAt(text, end)) ||
         absl::ascii_isdigit(ByteAt(text, end)) || ByteAt(text, end) == '_') {
    ++end;
  }
  const bool has_name = end > at + 2 && absl::ascii_isupper(text[at + 1]);
  return has_name && ByteAt(text, end) == '%' ? end + 1 : at;
}

// The end of the flags, width, precision and length of a conversion.
size_t ConversionBegin(absl::string_view text, size_t at) {
  const auto skip = [&text, &at](absl::string_view bytes) {
    while (at < text.size() && absl::StrContains(bytes, text[at])) ++at;
  };
  skip("-+#0'");
  skip("*0123456789");
  if (ByteAt(text, at) == '.') {
    ++at;
    skip("*0123456789");
  }
  skip("hlLqjzt");
  return at;
}

// %s, %1$s, %(x)d, %%, %1
size_t PercentEnd(absl::string_view text, size_t at) {
  const char next = ByteAt(text, at + 1);
  if (next == '%') return at + 2;
  if (next == '(' || next == '{' || next == '<') {
    const size_t end = NamedConversionEnd(text, at + 1);
    return end == at + 1 ? at : end;
  }
  const bool is_joined = at > 0 && absl::ascii_isdigit(text[at - 1]);
  if (is_joined) return at;
  const size_t variable = VariableEnd(text, at);
  if (variable != at) return variable;
  size_t begin = at + 1;
  const size_t digits = DigitsEnd(text, begin);
  const bool has_position = digits > begin && ByteAt(text, digits) == '$';
  if (has_position) begin = digits + 1;
  const size_t conversion = ConversionBegin(text, begin);
  if (!IsConversion(ByteAt(text, conversion))) {
    const bool is_number = digits > at + 1 && digits <= at + 3 &&
                           !HasWordAt(text, digits) && !IsPercentage(text, at);
    return is_number ? digits : at;
  }
  const size_t end = NameEnd(text, conversion + 1);
  if (!has_position && IsPercentage(text, at) &&
      (end > conversion + 1 || HasWordAt(text, end))) {
    return at;  // "5 %ige"
  }
  return end;
}

// :x:
size_t ColonEnd(absl::string_view text, size_t at) {
  if (at > 0 && text[at - 1] == ':') return at;
  if (HasWordBefore(text, at)) return at;
  size_t end = at + 1;
  while (absl::ascii_isalpha(ByteAt(text, end)) || ByteAt(text, end) == '_') {
    ++end;
  }
  if (end == at + 1 || ByteAt(text, end) != ':') return at;
  ++end;
  return ByteAt(text, end) == ':' || HasWordAt(text, end) ? at : end;
}

size_t HexEnd(absl::string_view text, size_t at, size_t num_digits) {
  for (size_t i = 0; i < num_digits; ++i) {
    if (!absl::ascii_isxdigit(ByteAt(text, at + i))) return at;
  }
  return at + num_digits;
}

// \n, \u00e9
size_t EscapeEnd(absl::string_view text, size_t at) {
  const char next = ByteAt(text, at + 1);
  if (next == '\0') return at;
  if (absl::StrContains("nrtbfv0\"'\\", next)) return at + 2;
  const size_t num_digits = next == 'u' ? 4 : next == 'U' ? 8 : 2;
  if (next != 'u' && next != 'U' && next != 'x') return at;
  const size_t end = HexEnd(text, at + 2, num_digits);
  return end == at + 2 ? at : end;
}

// The end of the attributes at `at`, each with a value, and of the white space
// after them. `at` is past a name.
size_t AttributesEnd(absl::string_view text, size_t at, size_t limit) {
  const auto skip_spaces = [&] {
    const size_t begin = at;
    while (at < limit && absl::ascii_isspace(text[at])) ++at;
    return at > begin;
  };
  while (skip_spaces()) {
    size_t end = at;
    while (end < limit && (IsNameByte(text[end]) || text[end] == '-' ||
                           text[end] == ':' || text[end] == '.')) {
      ++end;
    }
    if (end == at || end + 1 >= limit || text[end] != '=') return at;
    const char quote = text[end + 1];
    if (quote != '"' && quote != '\'') return at;
    size_t close = end + 2;
    while (close < limit && text[close] != quote && text[close] != '<') ++close;
    if (close >= limit || text[close] != quote) return at;
    at = close + 1;
  }
  return at;
}

// <ph/>, </b>, <a href="x">, <!-- x -->
size_t TagEnd(absl::string_view text, size_t at) {
  if (absl::StartsWith(text.substr(at), "<!--")) {
    const size_t close = FindClosing(text, at + 4, "-->", "<", kMaxTagBytes);
    return close == absl::string_view::npos ? at : close + 3;
  }
  const size_t limit = std::min(text.size(), at + kMaxTagBytes);
  size_t end = at + 1;
  const bool is_closing = ByteAt(text, end) == '/';
  if (is_closing) ++end;
  if (!absl::ascii_isalpha(ByteAt(text, end))) return at;
  while (end < limit && (IsNameByte(text[end]) || text[end] == '-' ||
                         text[end] == ':' || text[end] == '.')) {
    ++end;
  }
  if (!is_closing) {
    end = AttributesEnd(text, end, limit);
    if (ByteAt(text, end) == '/') ++end;
  }
  return end < limit && text[end] == '>' ? end + 1 : at;
}

// `x`, ``x``
size_t CodeEnd(absl::string_view text, size_t at) {
  if (at > 0 && text[at - 1] == '`') return at;
  size_t begin = at;
  while (ByteAt(text, begin) == '`') ++begin;
  const size_t num_marks = begin - at;
  const size_t limit = std::min(text.size(), begin + kMaxCodeBytes);
  size_t run = 0;
  for (size_t i = begin; i <= limit; ++i) {
    const char byte = ByteAt(text, i);
    if (byte == '`') {
      ++run;
      continue;
    }
    if (run == num_marks) return i;
    if (byte == '\n' || byte == '\0') break;
    run = 0;
  }
  return at;
}

// ](target)
size_t LinkTargetEnd(absl::string_view text, size_t at) {
  if (ByteAt(text, at + 1) != '(') return at;
  const size_t limit = std::min(text.size(), at + kMaxTagBytes);
  int depth = 1;
  for (size_t i = at + 2; i < limit; ++i) {
    if (absl::ascii_isspace(text[i])) return i > at + 2 ? i : at;
    if (text[i] == '[' || text[i] == ']') break;
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && --depth == 0) return i + 1;
  }
  return at;
}

}  // namespace

size_t PlaceholderEnd(absl::string_view text, size_t at) {
  switch (text[at]) {
    case '{':
      return BraceEnd(text, at);
    case '$':
      return DollarEnd(text, at);
    case '#':
      return ByteAt(text, at + 1) == '{' && BraceEnd(text, at + 1) != at + 1
                 ? BraceEnd(text, at + 1)
                 : at;
    case '%':
      return PercentEnd(text, at);
    case ':':
      return ColonEnd(text, at);
    case '\\':
      return EscapeEnd(text, at);
    case '<':
      return TagEnd(text, at);
    case '`':
      return CodeEnd(text, at);
    case ']':
      return LinkTargetEnd(text, at);
    default:
      return at;
  }
}

}  // namespace sheaf
