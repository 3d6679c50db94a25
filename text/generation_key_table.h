#pragma once

#include <string>

#include "absl/types/span.h"
#include "nlohmann/json_fwd.hpp"

namespace sheaf {

enum class KeyUse {
  kRead,         // by ReadGenerationKeys()
  kSampling,     // read too; without do_sample it has no effect
  kModelsToken,  // of the model's files, read with the model (TokenRules)
  kHarmless,     // changes no output of this server
  kNotFollowed,
};

struct GenerationKey {
  const char* name;
  KeyUse use;
  // JSON array of the values that change nothing; null always is one.
  const char* neutral;
  const char* effect;  // harmless: why; not followed: what that means
};

// Every attribute of GenerationConfig in transformers 4.57 and 5.24.
absl::Span<const GenerationKey> AllGenerationKeys();

const GenerationKey* FindGenerationKey(const std::string& name);  // null: none

// Whether the key with this value changes nothing.
bool IsNeutral(const GenerationKey& key, const nlohmann::json& value);

}  // namespace sheaf
