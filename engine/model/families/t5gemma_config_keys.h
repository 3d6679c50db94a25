// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "absl/types/span.h"
#include "engine/model/config_keys.h"

namespace sheaf {

// The keys of config.json that T5GemmaConfig and T5Gemma2Config of the
// reference implementation have and CommonConfigKeys() does not.
absl::Span<const ConfigKey> T5GemmaConfigKeys();

// The same for the object of a stack: `encoder` and `decoder`, or
// `encoder.text_config`.
absl::Span<const ConfigKey> T5GemmaStackKeys();

// The same for `encoder` of T5Gemma 2, which also describes images.
absl::Span<const ConfigKey> T5Gemma2EncoderKeys();

}  // namespace sheaf
