// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/types/span.h"
#include "engine/model/config_keys.h"

namespace sheaf {

// The keys of config.json that T5Config, MT5Config and UMT5Config of the
// reference
// implementation have and CommonConfigKeys() does not.
absl::Span<const ConfigKey> T5ConfigKeys();

}  // namespace sheaf
