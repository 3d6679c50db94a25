// SPDX-License-Identifier: Apache-2.0

#include "text/terms/term_forms.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/strip.h"
#include "text/checks/letter_case.h"
#include "text/checks/word_borders.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

// The capitals of a text.
struct CapitalCounts {
  int32_t num_letters = 0;  // with two cases
  int32_t num_capitals = 0;
  bool begins_with_capital = false;  // the first letter

  bool is_all() const { return num_letters > 1 && num_capitals == num_letters; }
  bool has_inner() const {
    return num_capitals > (begins_with_capital ? 1 : 0);
  }
};

CapitalCounts CountCapitals(absl::string_view text) {
  CapitalCounts counts;
  for (size_t at = 0; at < text.size();) {
    const int32_t character = NextCharacter(text, at);
    const bool is_capital = u_isupper(character) || u_istitle(character);
    if (!is_capital && !u_islower(character)) continue;
    if (counts.num_letters++ == 0) counts.begins_with_capital = is_capital;
    counts.num_capitals += is_capital ? 1 : 0;
  }
  return counts;
}

class FormWriter {
 public:
  // `found` is the term as the source has it, and `entry` as the glossary does.
  FormWriter(absl::string_view found, absl::string_view entry, bool begins_text,
             absl::string_view language)
      : language_(language), begins_text_(begins_text) {
    const CapitalCounts here = CountCapitals(found);
    const CapitalCounts there = CountCapitals(entry);
    is_upper_ = here.is_all() && !there.is_all();
    is_title_ =
        here.begins_with_capital && !there.begins_with_capital && !is_upper_;
  }

  void Write(absl::string_view target, std::vector<TargetForm>& forms) const {
    TargetForm form;
    form.is_stem = absl::ConsumeSuffix(&target, "*");
    form.text = std::string(target);
    if (CountCapitals(target).has_inner()) return Append(form, forms);
    if (is_upper_) {
      form.text = ToCase(target, LetterCase::kUpper, language_).text;
      return Append(form, forms);
    }
    if (!is_title_ || begins_text_) Append(form, forms);
    form.text = ToCase(target, LetterCase::kTitle, language_).text;
    Append(form, forms);
  }

 private:
  static void Append(const TargetForm& form, std::vector<TargetForm>& forms) {
    const bool is_there =
        std::any_of(forms.begin(), forms.end(), [&](const TargetForm& each) {
          return each.text == form.text && each.is_stem == form.is_stem;
        });
    if (!is_there) forms.push_back(form);
  }

  const absl::string_view language_;
  const bool begins_text_;
  bool is_upper_ = false;
  bool is_title_ = false;
};

// Adds the matches of a glossary that overlap none of `terms`.
void AddTerms(absl::string_view text, const Glossary& glossary,
              absl::string_view target_language,
              std::vector<SourceTerm>& terms) {
  std::vector<SourceTerm> all;
  auto earlier = terms.begin();
  for (const Glossary::Match& match : glossary.Find(text)) {
    while (earlier != terms.end() && earlier->range.end <= match.range.begin) {
      all.push_back(std::move(*earlier++));
    }
    if (earlier != terms.end() && earlier->range.begin < match.range.end) {
      continue;
    }
    SourceTerm& term = all.emplace_back();
    term.range = match.range;
    const FormWriter writer(
        Slice(text, match.range), glossary.SourceOf(match.entry),
        !HasLetterOrDigit(text.substr(0, match.range.begin)), target_language);
    for (absl::string_view target : glossary.TargetsOf(match.entry)) {
      writer.Write(target, term.forms);
    }
  }
  std::move(earlier, terms.end(), std::back_inserter(all));
  terms = std::move(all);
}

// Whether the form stands there, and not within another word.
bool StandsAt(absl::string_view text, TextRange range, const TargetForm& form) {
  if (!form.is_stem) return IsAtWordBorders(text, range);
  return !(HasWordBefore(text, range.begin) && HasWordAt(text, range.begin));
}

// Takes a place where the form stands and that is not among those taken.
bool TakePlace(absl::string_view text, const TargetForm& form,
               std::vector<TextRange>& taken) {
  for (size_t at = text.find(form.text); at != absl::string_view::npos;
       at = text.find(form.text, at + 1)) {
    const TextRange range = {at, at + form.text.size()};
    const bool is_free =
        std::none_of(taken.begin(), taken.end(), [&](const TextRange& each) {
          return each.begin < range.end && range.begin < each.end;
        });
    if (!is_free || !StandsAt(text, range, form)) continue;
    taken.push_back(range);
    return true;
  }
  return false;
}

size_t LongestOf(const SourceTerm& term) {
  size_t longest = 0;
  for (const TargetForm& form : term.forms) {
    longest = std::max(longest, form.text.size());
  }
  return longest;
}

}  // namespace

std::vector<SourceTerm> FindTerms(absl::string_view text,
                                  absl::Span<const Glossary* const> glossaries,
                                  absl::string_view target_language) {
  std::vector<SourceTerm> terms;
  for (const Glossary* glossary : glossaries) {
    if (glossary != nullptr) {
      AddTerms(text, *glossary, target_language, terms);
    }
  }
  return terms;
}

std::vector<int32_t> MissingTerms(absl::string_view target,
                                  absl::Span<const SourceTerm> terms) {
  // Longer terms first, because they may contain others.
  std::vector<int32_t> order(terms.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return LongestOf(terms[a]) > LongestOf(terms[b]);
  });
  std::vector<TextRange> taken;
  std::vector<int32_t> missing;
  for (int32_t index : order) {
    const std::vector<TargetForm>& forms = terms[index].forms;
    if (std::none_of(forms.begin(), forms.end(), [&](const TargetForm& form) {
          return TakePlace(target, form, taken);
        })) {
      missing.push_back(index);
    }
  }
  std::sort(missing.begin(), missing.end());
  return missing;
}

}  // namespace sheaf
