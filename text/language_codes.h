// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace sheaf {

// The BCP 47 tag of a language code as checkpoints and their names write it:
// "deu_Latn", "de_DE", "pt_XX", "por_BR", "ns". Codes whose canonical form ICU
// knows ("deu", "arb", "iw") are returned as they are, with '-' for '_'.
std::string ToBcp47(absl::string_view code);

// Whether a code of ISO 639 is that of a group of languages ("roa", "zle"), or
// of no language ("mul", "und").
bool IsLanguageGroup(absl::string_view code);

// Whether the canonical form that ICU gives this language is that of another
// one, which models tell apart from it: Twi and Akan.
bool KeepsItsCode(absl::string_view code);

}  // namespace sheaf
