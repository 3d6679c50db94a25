// SPDX-License-Identifier: Apache-2.0

#include "server/repair/term_constraints.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "text/checks/word_borders.h"
#include "text/terms/term_tokens.h"

namespace sheaf {

std::shared_ptr<const ConstraintSet> MakeTermConstraints(
    const RepairPlan& plan, absl::Span<const SourceTerm> terms) {
  const size_t num_terms =
      std::min<size_t>(terms.size(), ConstraintSet::kMaxTerms);
  std::vector<RequiredTerm> required;
  required.reserve(num_terms);
  for (const SourceTerm& term : terms.first(num_terms)) {
    RequiredTerm& forms = required.emplace_back();
    for (const TargetForm& form : term.forms) {
      const bool ends_word =
          !form.is_stem && HasWordBefore(form.text, form.text.size());
      for (std::vector<int32_t>& tokens :
           TokensOfTerm(*plan.target_tokenizer, form.text)) {
        forms.push_back({std::move(tokens), ends_word});
      }
    }
  }
  auto constraints = std::make_shared<const ConstraintSet>(
      required, plan.continues_word, plan.never_tokens);
  if (constraints->num_terms() == 0) return nullptr;
  return constraints;
}

}  // namespace sheaf
