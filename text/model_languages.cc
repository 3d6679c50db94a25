// SPDX-License-Identifier: Apache-2.0

#include "text/model_languages.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/strict_json.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr size_t kMaxShownPair = 40;
constexpr size_t kMaxNamedLanguages = 64;

bool IsCode(absl::string_view text) {
  return (text.size() == 2 || text.size() == 3) &&
         std::all_of(text.begin(), text.end(), absl::ascii_islower);
}

// "en", "pt_BR", "zh_Hans". Nullopt for "ROMANCE".
std::optional<Language> ReadNamedLanguage(absl::string_view text) {
  std::optional<Language> language = ReadLanguage(text);
  if (language && (language->is_known || IsCode(text))) return language;
  return std::nullopt;
}

// One language, or a list of codes such as "cat_oci_spa". Empty: a group.
std::vector<Language> ReadSide(absl::string_view text) {
  const std::vector<absl::string_view> codes = absl::StrSplit(text, '_');
  const bool is_list = codes.size() > 1 && codes.size() <= kMaxNamedLanguages &&
                       std::all_of(codes.begin(), codes.end(), IsCode);
  std::vector<Language> languages;
  for (absl::string_view code :
       is_list ? codes : std::vector<absl::string_view>{text}) {
    std::optional<Language> language = ReadNamedLanguage(code);
    if (!language) return {};
    languages.push_back(*std::move(language));
  }
  return languages;
}

// A text of config.json or tokenizer_config.json; empty: it has none.
std::string TextOf(const json& object, const char* key) {
  const json value = object.value(key, json());
  return value.is_string() ? value.get<std::string>() : "";
}

std::optional<ModelLanguages> LanguagesOfSides(absl::string_view source,
                                               absl::string_view target) {
  ModelLanguages languages = {ReadSide(source), ReadSide(target)};
  if (languages.sources.empty() && languages.targets.empty()) {
    return std::nullopt;
  }
  return languages;
}

bool SaysSummary(absl::string_view name) {
  for (absl::string_view word :
       absl::StrSplit(name, absl::ByAnyChar("/-_. "))) {
    for (absl::string_view sign : {"cnn", "xsum", "samsum"}) {
      if (absl::EqualsIgnoreCase(word, sign)) return true;
    }
    if (absl::StartsWithIgnoreCase(word, "summar")) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::vector<LanguagePair>> ParseLanguagePairs(
    absl::string_view field, absl::string_view text) {
  std::vector<LanguagePair> pairs;
  if (text.empty()) return pairs;
  for (absl::string_view pair : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> sides = absl::StrSplit(pair, '-');
    std::optional<Language> source, target;
    if (sides.size() == 2) {
      source = ReadNamedLanguage(sides[0]);
      target = ReadNamedLanguage(sides[1]);
    }
    if (!source || !target) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s has \"%s\"; allowed are pairs of languages, separated by commas, "
          "such as en-de,en-pt_BR,zh_Hant-en",
          field, absl::CHexEscape(pair.substr(0, kMaxShownPair))));
    }
    pairs.push_back({*std::move(source), *std::move(target)});
  }
  return pairs;
}

std::optional<ModelLanguages> LanguagesOfName(absl::string_view name) {
  name = name.substr(name.rfind('/') + 1);
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '-');
  // "opus-mt-SOURCE-TARGET", with other words between "mt" and SOURCE.
  if (parts.size() < 4 || parts[0] != "opus" ||
      (parts[1] != "mt" && parts[1] != "tatoeba")) {
    return std::nullopt;
  }
  return LanguagesOfSides(parts[parts.size() - 2], parts.back());
}

absl::StatusOr<std::optional<ModelLanguages>> ReadModelLanguages(
    const ConfigFiles& files, absl::string_view model_name) {
  const absl::StatusOr<json> tokenizer =
      ReadStrictJson(files.directory + "/tokenizer_config.json");
  if (!tokenizer.ok() && !absl::IsNotFound(tokenizer.status())) {
    return tokenizer.status();
  }
  std::optional<ModelLanguages> languages;
  if (tokenizer.ok() && tokenizer->is_object()) {
    languages = LanguagesOfSides(TextOf(*tokenizer, "source_lang"),
                                 TextOf(*tokenizer, "target_lang"));
  }
  if (!languages) {
    languages = LanguagesOfName(TextOf(files.config, "_name_or_path"));
  }
  if (!languages) languages = LanguagesOfName(model_name);
  return languages;
}

bool IsNamedSummarizer(const ConfigFiles& files, absl::string_view model_name) {
  return SaysSummary(TextOf(files.config, "_name_or_path")) ||
         SaysSummary(model_name);
}

}  // namespace sheaf
