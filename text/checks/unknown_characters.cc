// SPDX-License-Identifier: Apache-2.0

#include "text/checks/unknown_characters.h"

#include <unicode/uchar.h>

#include <string>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "text/checks/put_back.h"
#include "text/checks/word_borders.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using Kind = Tokenizer::Token::Kind;

// Tells which characters a tokenizer has no token for. Asks it once about each.
class Vocabulary {
 public:
  explicit Vocabulary(const Tokenizer& tokenizer)
      : tokenizer_(tokenizer), spells_bytes_(HasToken("a", Kind::kBytes)) {}

  bool Has(absl::string_view character) {
    const auto [entry, is_new] = has_.emplace(character, true);
    if (is_new) {
      entry->second = !HasToken(character, Kind::kUnknown) &&
                      (spells_bytes_ || !HasToken(character, Kind::kBytes));
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

// Appends the range, together with the last one if only a space or nothing
// separates two words.
void AppendJoined(absl::string_view text, TextRange range,
                  std::vector<TextRange>& ranges) {
  if (!ranges.empty()) {
    TextRange& last = ranges.back();
    const absl::string_view between = Slice(text, {last.end, range.begin});
    const bool has_words =
        HasLetter(Slice(text, last)) && HasLetter(Slice(text, range));
    if (between.empty()
            ? HasLetter(Slice(text, last)) == HasLetter(Slice(text, range))
            : has_words && between == " ") {
      last.end = range.end;
      return;
    }
  }
  ranges.push_back(range);
}

// The whole word around a letter, from `begin` on at the earliest.
TextRange WordAround(absl::string_view text, TextRange letter, size_t begin) {
  while (letter.begin > begin && HasWordBefore(text, letter.begin)) {
    PreviousCharacter(text, letter.begin);
  }
  while (HasWordAt(text, letter.end)) NextCharacter(text, letter.end);
  return letter;
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
    case 0x2014:
    case 0x2015:
    case 0x2212:
      return "-";
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

EditedText WithoutBroken(absl::string_view source, const EditedText& target) {
  std::vector<TextEdit> edits;
  for (size_t at = 0; at < target.text.size();) {
    const size_t begin = at;
    const int32_t character = NextCharacter(target.text, at);
    const absl::string_view written =
        absl::string_view(target.text).substr(begin, at - begin);
    if (IsBroken(character) && !absl::StrContains(source, written)) {
      edits.push_back({{begin, at}, "", {}});
    }
  }
  if (edits.empty()) return target;
  return ApplyEdits(target.text, target.alignment, edits);
}

}  // namespace

std::vector<TextRange> FindUnknown(absl::string_view text,
                                   const Tokenizer& tokenizer) {
  std::optional<Vocabulary> vocabulary;
  std::vector<TextRange> ranges;
  size_t num_letters = 0, num_unknown = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const int32_t character = NextCharacter(text, at);
    const bool is_letter = IsLetter(character);
    num_letters += is_letter;
    if (character < 0x80) continue;
    if (!vocabulary.has_value()) vocabulary.emplace(tokenizer);
    if (vocabulary->Has(text.substr(begin, at - begin))) continue;
    num_unknown += is_letter;
    const size_t end = ranges.empty() ? 0 : ranges.back().end;
    if (begin < end) continue;  // within the last word
    TextRange range = {begin, at};
    if (is_letter) range = WordAround(text, range, end);
    AppendJoined(text, range, ranges);
  }
  if (2 * num_unknown > num_letters) ranges.clear();
  return ranges;
}

StandInSource ReplaceUnknown(absl::string_view source,
                             absl::Span<const TextRange> unknown,
                             StandInKind kind) {
  constexpr absl::string_view kDollar = "$";
  const absl::string_view currency = absl::StrContains(source, kDollar)
                                         ? ""
                                         : OnlyCurrencySign(source, unknown);
  std::vector<SpanReplacement> replacements;
  int32_t num_signs = 0;
  for (const TextRange& range : unknown) {
    const absl::string_view text = Slice(source, range);
    size_t at = 0;
    const char* plain = PlainSign(NextCharacter(text, at));
    if (plain != nullptr && at == text.size()) {
      replacements.push_back({range, plain});
    } else if (!currency.empty() && text == currency) {
      replacements.push_back({range, std::string(kDollar)});
      ++num_signs;
    } else {
      const TextRange whole =
          IsCurrencySign(text) ? WithAmount(source, range) : range;
      if (!replacements.empty() &&
          whole.begin < replacements.back().range.end) {
        continue;  // "€5€"
      }
      replacements.push_back({whole, std::nullopt});
    }
  }
  StandInSource result = ReplaceEach(source, replacements, kind);
  if (num_signs > 0) {
    result.stand_ins.push_back(
        {std::string(kDollar), std::string(currency), {}, num_signs});
  }
  return result;
}

std::optional<EditedText> CopyUnknown(absl::string_view source,
                                      absl::Span<const TextRange> unknown,
                                      absl::string_view target,
                                      const TextAlignment& alignment) {
  const std::optional<EditedText> copied =
      PutBack(source, unknown, target, alignment);
  if (!copied.has_value()) return std::nullopt;
  return WithoutBroken(source, *copied);
}

}  // namespace sheaf
