// SPDX-License-Identifier: Apache-2.0

#include "text/checks/unknown_characters.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "text/checks/put_back.h"
#include "text/checks/word_borders.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using Kind = Tokenizer::Token::Kind;

bool IsLatin(absl::string_view character) {
  size_t at = 0;
  return u_getIntPropertyValue(NextCharacter(character, at), UCHAR_SCRIPT) ==
         USCRIPT_LATIN;
}

// Tells which characters a tokenizer has no token for. Asks it once about each.
class Vocabulary {
 public:
  explicit Vocabulary(const Tokenizer& tokenizer)
      : tokenizer_(tokenizer), spells_bytes_(HasToken("a", Kind::kBytes)) {}

  bool Has(absl::string_view character) {
    const auto [entry, is_new] = has_.emplace(character, true);
    if (is_new) {
      entry->second = !HasToken(character, Kind::kUnknown) &&
                      (spells_bytes_ || IsLatin(character) ||
                       !HasToken(character, Kind::kBytes));
    }
    return entry->second;
  }

 private:
  bool HasToken(absl::string_view text, Kind kind) const {
    return absl::c_any_of(tokenizer_.Encode(text), [&](int32_t id) {
      return tokenizer_.token(id).kind == kind;
    });
  }

  const Tokenizer& tokenizer_;
  const bool spells_bytes_;
  absl::flat_hash_map<absl::string_view, bool> has_;
};

// Calls `take` for each character, with whether the tokenizer has it. Those of
// ASCII count as known.
void ForEachCharacter(
    absl::string_view text, const Tokenizer& tokenizer,
    absl::FunctionRef<bool()> is_wanted,
    absl::FunctionRef<void(TextRange range, int32_t character, bool is_known)>
        take) {
  constexpr size_t kBytesAtOnce = 16 << 10;
  std::optional<Vocabulary> vocabulary;
  size_t next_question = kBytesAtOnce;
  for (size_t at = 0; at < text.size();) {
    if (at >= next_question) {
      if (!is_wanted()) break;
      next_question = at + kBytesAtOnce;
    }
    const size_t begin = at;
    const int32_t character = NextCharacter(text, at);
    bool is_known = character < 0x80;
    if (!is_known) {
      if (!vocabulary.has_value()) vocabulary.emplace(tokenizer);
      is_known = vocabulary->Has(text.substr(begin, at - begin));
    }
    take({begin, at}, character, is_known);
  }
}

// Ranges of a text in order, in which those become one that nothing separates,
// or only a space between two words.
class JoinedRanges {
 public:
  explicit JoinedRanges(absl::string_view text) : text_(text) {}

  size_t end() const { return ranges_.empty() ? 0 : ranges_.back().end; }

  void Append(TextRange range) {
    const bool has_letter = HasLetter(Slice(text_, range));
    if (!ranges_.empty() && has_letter == last_has_letter_) {
      TextRange& last = ranges_.back();
      const absl::string_view between = Slice(text_, {last.end, range.begin});
      if (between.empty() || (has_letter && between == " ")) {
        last.end = range.end;
        return;
      }
    }
    ranges_.push_back(range);
    last_has_letter_ = has_letter;
  }

  std::vector<TextRange> Take() { return std::move(ranges_); }

 private:
  const absl::string_view text_;
  std::vector<TextRange> ranges_;
  bool last_has_letter_ = false;  // whether the last range has
};

// The whole word around a letter, from `begin` on at the earliest.
TextRange WordAround(absl::string_view text, TextRange letter, size_t begin) {
  while (letter.begin > begin && HasWordBefore(text, letter.begin)) {
    PreviousCharacter(text, letter.begin);
  }
  while (HasWordAt(text, letter.end)) NextCharacter(text, letter.end);
  return letter;
}

constexpr char kLongDash[] = "--";

// ASCII's dash for a long one, which is often written without spaces. A hyphen
// without spaces would join the words.
std::string DashFor(absl::string_view text, TextRange dash) {
  return absl::StrCat(HasWordBefore(text, dash.begin) ? " " : "", "-",
                      HasWordAt(text, dash.end) ? " " : "");
}

// ASCII's sign for a quote, dash or space. Null if it is none.
const char* PlainSign(int32_t character) {
  switch (character) {
    case 0x2018:
    case 0x2019:
    case 0x201A:
    case 0x201B:
    case 0x2032:
      return "'";
    case 0x201C:
    case 0x201D:
    case 0x201E:
    case 0x201F:
    case 0x2033:
      return "\"";
    case 0x2010:
    case 0x2011:
    case 0x2012:
    case 0x2013:
    case 0x2212:
      return "-";
    case 0x2014:
    case 0x2015:
      return kLongDash;
    case 0x2026:
      return "...";
    case 0xA0:
    case 0x2009:
    case 0x202F:
      return " ";
    default:
      return nullptr;
  }
}

bool IsCurrencySign(absl::string_view text) {
  size_t at = 0;
  const bool is_sign =
      !text.empty() && u_charType(NextCharacter(text, at)) == U_CURRENCY_SYMBOL;
  return is_sign && at == text.size();
}

// A sign with the amount that it touches: "€12.50".
TextRange WithAmount(absl::string_view text, TextRange sign) {
  const auto is_amount = [&](size_t at) {
    return absl::ascii_isdigit(text[at]) || text[at] == '.' || text[at] == ',';
  };
  const auto is_digit = [&](size_t at) {
    return absl::ascii_isdigit(text[at]);
  };
  while (sign.begin > 0 && is_amount(sign.begin - 1)) --sign.begin;
  while (!is_digit(sign.begin) && is_amount(sign.begin)) ++sign.begin;
  while (sign.end < text.size() && is_amount(sign.end)) ++sign.end;
  while (!is_digit(sign.end - 1) && is_amount(sign.end - 1)) --sign.end;
  return sign;
}

// The only currency sign in the ranges. Empty if there are several kinds.
absl::string_view OnlyCurrencySign(absl::string_view source,
                                   absl::Span<const TextRange> ranges) {
  absl::string_view only;
  for (const TextRange& range : ranges) {
    const absl::string_view sign = Slice(source, range);
    if (!IsCurrencySign(sign)) continue;
    if (!only.empty() && only != sign) return "";
    only = sign;
  }
  return only;
}

// Whether a character can only be a remainder of one that the model could not
// spell.
bool IsBroken(int32_t character) {
  return character == 0xFFFD ||
         (u_charType(character) == U_CONTROL_CHAR && !IsWhitespace(character));
}

// The broken characters of a target that its source does not have.
std::vector<TextRange> FindBroken(absl::string_view source,
                                  absl::string_view target) {
  std::vector<TextRange> ranges;
  for (size_t at = 0; at < target.size();) {
    const size_t begin = at;
    if (!IsBroken(NextCharacter(target, at))) continue;
    const TextRange range = {begin, at};
    if (!absl::StrContains(source, Slice(target, range))) {
      ranges.push_back(range);
    }
  }
  return ranges;
}

}  // namespace

std::vector<TextRange> FindUnknown(absl::string_view text,
                                   const Tokenizer& tokenizer,
                                   absl::FunctionRef<bool()> is_wanted) {
  JoinedRanges parts(text);
  size_t num_letters = 0, num_unknown = 0;
  const auto take = [&](TextRange range, int32_t character, bool is_known) {
    const bool is_letter = IsLetter(character);
    num_letters += is_letter;
    if (is_known || PlainSign(character) != nullptr) return;
    num_unknown += is_letter;
    if (range.begin < parts.end()) return;  // within the last word
    parts.Append(is_letter ? WordAround(text, range, parts.end()) : range);
  };
  ForEachCharacter(text, tokenizer, is_wanted, take);
  if (2 * num_unknown > num_letters) return {};
  return parts.Take();
}

std::vector<SpanReplacement> FindPlainSigns(
    absl::string_view text, const Tokenizer& tokenizer,
    absl::FunctionRef<bool()> is_wanted) {
  std::vector<SpanReplacement> signs;
  const auto take = [&](TextRange range, int32_t character, bool is_known) {
    const char* plain = PlainSign(character);
    if (is_known || plain == nullptr) return;
    signs.push_back({range, plain == kLongDash ? DashFor(text, range) : plain});
  };
  ForEachCharacter(text, tokenizer, is_wanted, take);
  return signs;
}

StandInSource ReplaceUnknown(absl::string_view source,
                             absl::Span<const TextRange> parts,
                             StandInKind kind,
                             absl::Span<const SpanReplacement> signs) {
  constexpr absl::string_view kDollar = "$";
  const absl::string_view currency =
      absl::StrContains(source, kDollar) ? "" : OnlyCurrencySign(source, parts);
  std::vector<SpanReplacement> replacements(signs.begin(), signs.end());
  int32_t num_dollars = 0;
  size_t end = 0;  // of the last part
  for (const TextRange& range : parts) {
    const absl::string_view text = Slice(source, range);
    if (!currency.empty() && text == currency) {
      replacements.push_back({range, std::string(kDollar)});
      ++num_dollars;
      continue;
    }
    if (!IsCurrencySign(text) && !HasLetter(text)) continue;
    const TextRange whole =
        IsCurrencySign(text) ? WithAmount(source, range) : range;
    if (whole.begin < end) continue;  // "€5€"
    replacements.push_back({whole, std::nullopt});
    end = whole.end;
  }
  absl::c_sort(replacements,
               [](const SpanReplacement& a, const SpanReplacement& b) {
                 return a.range.begin < b.range.begin;
               });
  StandInSource result = ReplaceEach(source, replacements, kind);
  if (num_dollars > 0) {
    result.stand_ins.push_back(
        {std::string(kDollar), std::string(currency), {}, num_dollars});
  }
  return result;
}

bool HasBrokenCharacter(absl::string_view source, absl::string_view target) {
  return !FindBroken(source, target).empty();
}

std::optional<EditedText> CopyUnknown(absl::string_view source,
                                      absl::Span<const TextRange> parts,
                                      absl::string_view target,
                                      const TextAlignment& alignment) {
  const std::optional<EditedText> copied =
      PutBack(source, parts, target, alignment);
  if (!copied.has_value()) return std::nullopt;
  std::vector<TextEdit> edits;
  for (const TextRange& range : FindBroken(source, copied->text)) {
    edits.push_back({range, "", {}});
  }
  return ApplyEdits(copied->text, copied->alignment, edits);
}

}  // namespace sheaf
