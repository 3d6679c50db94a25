// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>

#include "engine/utf8_rule.h"
#include "server/served_model.h"

namespace sheaf {

// The rule that keeps the model's output in whole characters. Null if no token
// is a byte or has a control character.
std::shared_ptr<const Utf8Rule> Utf8RuleOf(const ServedModel& model);

}  // namespace sheaf
