// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>

#include "absl/types/span.h"
#include "engine/constraints.h"
#include "server/repair/repair_plan.h"
#include "text/terms/term_forms.h"

namespace sheaf {

// The constraints of a decode that is to have these terms, of which the first
// ConstraintSet::kMaxTerms count. A term that the model cannot write does not.
// Null: there are none.
std::shared_ptr<const ConstraintSet> MakeTermConstraints(
    const RepairPlan& plan, absl::Span<const SourceTerm> terms);

}  // namespace sheaf
