// SPDX-License-Identifier: Apache-2.0

#include "text/language_set.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace sheaf {
namespace {

constexpr size_t kMaxListed = 40;
constexpr size_t kMaxShownCode = 20;

bool IsSameCode(absl::string_view code, absl::string_view tag) {
  const auto with_dashes = [](absl::string_view text) {
    return absl::StrReplaceAll(text, {{"_", "-"}});
  };
  return code.size() == tag.size() &&
         absl::EqualsIgnoreCase(with_dashes(code), with_dashes(tag));
}

void WarnOfTokens(const std::vector<std::string>& codes,
                  absl::string_view reason,
                  std::vector<std::string>& warnings) {
  if (codes.empty()) return;
  warnings.push_back(absl::StrFormat(
      "these languages of the tokenizer are not served, because %s: %s", reason,
      ListedShortly(codes)));
}

}  // namespace

LanguageSet::LanguageSet(std::vector<Offer> offers)
    : offers_(std::move(offers)) {
  std::vector<Language> languages;
  languages.reserve(offers_.size());
  for (const Offer& offer : offers_) languages.push_back(offer.language);
  std::vector<std::string> tags = ShortestTags(languages);
  for (size_t i = 0; i < tags.size(); ++i) offers_[i].tag = std::move(tags[i]);
}

LanguageSet LanguageSet::Of(absl::Span<const Language> languages) {
  std::vector<Offer> offers;
  offers.reserve(languages.size());
  for (const Language& language : languages) {
    offers.push_back({language, "", std::nullopt});
  }
  return LanguageSet(std::move(offers));
}

LanguageSet LanguageSet::OfTokens(absl::Span<const LanguageToken> tokens,
                                  std::vector<std::string>& warnings) {
  std::vector<Offer> offers;
  std::vector<std::string> unread, repeated;
  for (const LanguageToken& token : tokens) {
    std::optional<Language> language = ReadLanguage(token.code);
    const auto is_same = [&](const Offer& offer) {
      return IsSame(offer.language, *language);
    };
    const std::string shown =
        absl::CHexEscape(token.code.substr(0, kMaxShownCode));
    if (!language) {
      unread.push_back(shown);
    } else if (std::any_of(offers.begin(), offers.end(), is_same)) {
      repeated.push_back(shown);
    } else {
      offers.push_back({*std::move(language), "", token});
    }
  }
  WarnOfTokens(unread, "their codes are not those of one language", warnings);
  WarnOfTokens(repeated, "others before them mean the same", warnings);
  return LanguageSet(std::move(offers));
}

std::vector<const LanguageSet::Offer*> LanguageSet::Nearest(
    const Language& asked) const {
  std::vector<const Offer*> nearest;
  int32_t least = 0;
  for (const Offer& offer : offers_) {
    const std::optional<int32_t> distance =
        LanguageDistance(asked, offer.language);
    if (!distance || (!nearest.empty() && *distance > least)) continue;
    if (!nearest.empty() && *distance < least) nearest.clear();
    nearest.push_back(&offer);
    least = *distance;
  }
  return nearest;
}

absl::StatusOr<const LanguageSet::Offer*> LanguageSet::Find(
    absl::string_view field, absl::string_view tag) const {
  for (const Offer& offer : offers_) {
    if (offer.token && IsSameCode(offer.token->code, tag)) return &offer;
  }
  const std::optional<Language> asked = ReadLanguage(tag);
  if (!asked) return UnknownLanguage(field, tag);
  const std::vector<const Offer*> nearest = Nearest(*asked);
  if (nearest.size() == 1) return nearest.front();
  if (nearest.size() > 1) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s is \"%s\", which may be one of several; allowed is one of these: "
        "%s",
        field, asked->ToString(),
        absl::StrJoin(nearest, ", ", [](std::string* out, const Offer* offer) {
          absl::StrAppend(out, offer->tag);
        })));
  }
  if (!asked->is_known) return UnknownLanguage(field, tag);
  return absl::UnimplementedError(absl::StrFormat(
      "%s is \"%s\", which the model does not have; it has %d: %s", field,
      asked->ToString(), offers_.size(), Listed()));
}

std::string LanguageSet::Listed() const {
  std::vector<std::string> tags;
  tags.reserve(offers_.size());
  for (const Offer& offer : offers_) tags.push_back(offer.tag);
  std::sort(tags.begin(), tags.end());
  return ListedShortly(tags);
}

std::string ListedShortly(absl::Span<const std::string> texts) {
  const size_t num = std::min(texts.size(), kMaxListed);
  std::string list = absl::StrJoin(texts.first(num), ", ");
  if (num < texts.size()) {
    absl::StrAppendFormat(&list, " and %d more", texts.size() - num);
  }
  return list;
}

}  // namespace sheaf
