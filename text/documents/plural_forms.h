// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sheaf {

// The plural forms of a language in a PO file.
struct PluralForms {
  int32_t num_forms = 2;
  int32_t form_of_one = 0;  // the form for n = 1
};

inline constexpr int32_t kMaxPluralForms = 6;

// Reads the value of the header field Plural-Forms: "nplurals=2; plural=(n !=
// 1);". INVALID_ARGUMENT if it is none.
absl::StatusOr<PluralForms> ParsePluralForms(absl::string_view value);

// The value of Plural-Forms for a language, a BCP 47 tag. Two forms, of which
// the first is for 1, if the language is not known.
std::string PluralFormsOf(absl::string_view language);

}  // namespace sheaf
