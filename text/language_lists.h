// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/added_tokens.h"
#include "text/tokenizers.h"

namespace sheaf {

// The language tokens of one kind of checkpoint.
struct LanguageList {
  // Languages have consecutive ids in this order, unless a file says otherwise.
  std::vector<std::string> codes;
  absl::string_view marks;  // before and after a code in its token: "__"
  // Whether a code that is not in the list may be one of a checkpoint's own.
  bool (*is_code)(absl::string_view code) = nullptr;

  std::string TokenOf(absl::string_view code) const;

  // The code of a token that may be a language; empty: it is none.
  absl::string_view CodeOf(absl::string_view token) const;

  // The tokens that are languages, in the order of their ids.
  std::vector<LanguageToken> Find(absl::Span<const AddedToken> tokens) const;
};

LanguageList FloresLanguages();   // "deu_Latn": the 202 of FLORES-200
LanguageList Cc25Languages();     // "de_DE": 25
LanguageList Ml50Languages();     // those 25 and 27 more
LanguageList HundredLanguages();  // "__de__": 100
LanguageList Wmt21Languages();    // "__de__": the 8 of WMT 2021

}  // namespace sheaf
