// SPDX-License-Identifier: Apache-2.0

#include "tests/fuzz/targets.h"

namespace sheaf {

absl::Span<const FuzzTarget> FuzzTargets() {
  static constexpr FuzzTarget kTargets[] = {
      {"body", CheckBody, 1000},      {"connection", CheckConnection, 20},
      {"dialect", CheckDialect, 100}, {"document", CheckDocument, 200},
      {"markup", CheckMarkup, 200},   {"request", CheckRequest, 2000},
      {"terms", CheckTerms, 500},
  };
  return kTargets;
}

}  // namespace sheaf
