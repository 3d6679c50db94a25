// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/types/span.h"
#include "engine/model/config_keys.h"

namespace sheaf {

// The keys of config.json that the configurations of these types have in the
// reference implementation and CommonConfigKeys() does not.
absl::Span<const ConfigKey> BartConfigKeys();

}  // namespace sheaf
