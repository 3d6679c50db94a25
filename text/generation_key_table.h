// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/types/span.h"
#include "nlohmann/json_fwd.hpp"

namespace sheaf {

enum class KeyUse {
  kRead,         // by ReadGenerationKeys()
  kSampling,     // read too; has no effect without do_sample
  kModelsToken,  // a token id that the model's reader reads
  kHarmless,     // changes no output of this server
  kNotFollowed,
};

struct GenerationKey {
  const char* name;
  KeyUse use;
  // JSON array of the values that change nothing, in addition to null.
  const char* neutral;
  const char* effect;  // why it is harmless, or the effect of not following it
};

// Every attribute of GenerationConfig in transformers 4.57 and 5.24.
absl::Span<const GenerationKey> AllGenerationKeys();

const GenerationKey* FindGenerationKey(const std::string& name);  // null: none

// Whether the key with this value changes nothing.
bool IsNeutral(const GenerationKey& key, const nlohmann::json& value);

}  // namespace sheaf
