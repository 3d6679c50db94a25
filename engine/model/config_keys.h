// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/key_reader.h"

namespace sheaf {

// A key of config.json that the reference implementation (transformers 4.57 or
// 5.24) reads, and what this server does with it. Other keys are ignored
// silently.
struct ConfigKey {
  enum class Fate {
    kRead,        // by ReadDescription(), or by the family
    kGeneration,  // a default of decoding; read with generation_config.json
    kHarmless,    // changes no token
    kWarns,
    kRefused,
  };
  absl::string_view name;
  Fate fate;
  // Why it is harmless, the effect of not following it, or what is allowed.
  absl::string_view note;
};

// The keys that the configuration of every family has. Each key occurs once,
// here or in the family's own table.
absl::Span<const ConfigKey> CommonConfigKeys();

// Adds a warning for each common key that warns, and makes `reader` refuse the
// first one that is refused. Values that ask for nothing (null, false, "", {},
// []) do neither.
void JudgeCommonKeys(KeyReader& reader, std::vector<std::string>& warnings);

}  // namespace sheaf
