// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "text/languages.h"
#include "text/tokenizers.h"

namespace sheaf {

// The languages from which, or to which, a model translates.
//
// Thread-safe: immutable.
class LanguageSet {
 public:
  struct Offer {
    Language language;
    std::string tag;  // BCP 47; the shortest that tells it from the others
    // Set for a multilingual model.
    std::optional<LanguageToken> token;
  };

  LanguageSet() = default;  // empty

  // Without tokens.
  static LanguageSet Of(absl::Span<const Language> languages);

  // The languages of a tokenizer. Those whose code is no language, or that of
  // an earlier one, are left out; `warnings` names them.
  static LanguageSet OfTokens(absl::Span<const LanguageToken> tokens,
                              std::vector<std::string>& warnings);

  bool is_empty() const { return offers_.empty(); }
  absl::Span<const Offer> offers() const { return offers_; }

  // The one whose code in the checkpoint is `tag`, else the nearest
  // (LanguageDistance()). Errors begin with `field` and list the languages that
  // there are: INVALID_ARGUMENT if the tag is none or may be one of several,
  // UNIMPLEMENTED if there is no such language.
  absl::StatusOr<const Offer*> Find(absl::string_view field,
                                    absl::string_view tag) const;

  // The tags for a message, cut if there are many: "de, en, fr".
  std::string Listed() const;

 private:
  explicit LanguageSet(std::vector<Offer> offers);

  std::vector<const Offer*> Nearest(const Language& asked) const;

  std::vector<Offer> offers_;
};

// The texts for a message, separated by commas and cut if there are many.
std::string ListedShortly(absl::Span<const std::string> texts);

}  // namespace sheaf
