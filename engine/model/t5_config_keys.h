#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/key_reader.h"

namespace sheaf {

// A key of config.json that transformers 4.57 or 5.24 reads for T5 or mT5, and
// what becomes of it here. Other keys are no one's and stay silent.
struct T5ConfigKey {
  enum class Fate {
    kRead,        // by ParseT5Config()
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

// Each key once.
absl::Span<const T5ConfigKey> T5ConfigKeys();

// Adds a warning for each key that warns, and has `reader` refuse the first
// that is refused. Values that ask for nothing (null, false, "", {}, []) do
// neither.
void JudgeT5ConfigKeys(KeyReader& reader, std::vector<std::string>& warnings);

}  // namespace sheaf
