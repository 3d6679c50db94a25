// SPDX-License-Identifier: Apache-2.0

#include "text/source_language.h"

#include <unicode/uscript.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

#include "text/utf8.h"

namespace sheaf {
namespace {

constexpr char kEnglish[] = "en";
constexpr char kLatin[] = "Latn";
constexpr float kRelatedWeight = 0.5f;
// From here on, a language is certain, and most of the text is in it.
constexpr float kCertain = 0.75f;

// Languages that are easily confused, by group; nearest to each other first.
constexpr absl::string_view kRelated[][4] = {
    {"nb", "no", "nn", "da"},
    {"bs", "hr", "sr"},
    {"cs", "sk"},
    {"de", "lb"},
    {"en", "sco"},
    {"pt", "gl", "es"},
    {"id", "ms"},
    {"hi", "mr", "ne", "bho"},
    {"bo", "dz"},
    {"rn", "rw"},
    {"xh", "zu", "ss", "nr"},
};

bool AreRelated(absl::string_view a, absl::string_view b) {
  return std::any_of(
      std::begin(kRelated), std::end(kRelated), [&](const auto& group) {
        const auto has = [&](absl::string_view code) {
          return std::find(std::begin(group), std::end(group), code) !=
                 std::end(group);
        };
        return has(a) && has(b);
      });
}

using Offer = LanguageSet::Offer;

const Offer* FindOffer(const LanguageSet& offers,
                       absl::FunctionRef<bool(const Language&)> is_right) {
  for (const Offer& offer : offers.offers()) {
    if (is_right(offer.language)) return &offer;
  }
  return nullptr;
}

const Offer* NearestOffer(const LanguageSet& offers, const Language& language) {
  const Offer* nearest = nullptr;
  int32_t least = 0;
  for (const Offer& offer : offers.offers()) {
    const auto distance = LanguageDistance(language, offer.language);
    if (!distance || (nearest != nullptr && *distance >= least)) continue;
    nearest = &offer;
    least = *distance;
  }
  return nearest;
}

// The offer for which a detected language counts; null if there is none.
// Lowers `confidence` if it is only related.
const Offer* OfferFor(const LanguageSet& offers, const Language& language,
                      float& confidence) {
  const Offer* offer = NearestOffer(offers, language);
  if (offer == nullptr) {
    offer = FindOffer(offers, [&](const Language& other) {
      return other.code == language.code;
    });
  }
  if (offer != nullptr) return offer;
  confidence *= kRelatedWeight;
  return FindOffer(offers, [&](const Language& other) {
    return AreRelated(other.code, language.code) &&
           other.script == language.script;
  });
}

// The script of the first letter; "Latn" if there is none.
std::string FirstScript(absl::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const int32_t character = NextCharacter(text, at);
    if (!IsLetter(character)) continue;
    UErrorCode status = U_ZERO_ERROR;
    return uscript_getShortName(uscript_getScript(character, &status));
  }
  return kLatin;
}

const Offer& FallbackOffer(const LanguageSet& offers, absl::string_view text) {
  const std::string script = FirstScript(text);
  const Offer* offer = FindOffer(offers, [&](const Language& language) {
    return script == kLatin && language.code == kEnglish;
  });
  if (offer == nullptr) {
    offer = FindOffer(offers, [&](const Language& language) {
      return language.script == script;
    });
  }
  return offer != nullptr ? *offer : offers.offers().front();
}

std::vector<Language> LanguagesOf(const LanguageSet& offers) {
  std::vector<Language> languages;
  languages.reserve(offers.offers().size());
  for (const Offer& offer : offers.offers()) {
    languages.push_back(offer.language);
  }
  return languages;
}

void AddGuess(const std::string& tag, float confidence,
              std::vector<LanguageGuess>& guesses) {
  for (LanguageGuess& guess : guesses) {
    if (guess.tag != tag) continue;
    guess.confidence += confidence;
    return;
  }
  guesses.push_back({tag, confidence});
}

}  // namespace

std::vector<LanguageGuess> GuessLanguages(absl::string_view text,
                                          absl::FunctionRef<bool()> is_wanted) {
  std::vector<LanguageGuess> guesses;
  for (const DetectedLanguage& detected :
       LanguageDetector().Detect(text, is_wanted)) {
    guesses.push_back({detected.language.ToString(), detected.confidence});
  }
  return guesses;
}

std::vector<LanguageGuess> GuessAmong(const LanguageSet& offers,
                                      absl::string_view text,
                                      absl::FunctionRef<bool()> is_wanted) {
  std::vector<LanguageGuess> guesses;
  for (const DetectedLanguage& detected :
       LanguageDetector(LanguagesOf(offers)).Detect(text, is_wanted)) {
    float confidence = detected.confidence;
    const Offer* offer = OfferFor(offers, detected.language, confidence);
    if (offer != nullptr) AddGuess(offer->tag, confidence, guesses);
  }
  std::stable_sort(guesses.begin(), guesses.end(),
                   [](const LanguageGuess& a, const LanguageGuess& b) {
                     return a.confidence > b.confidence;
                   });
  if (guesses.empty()) guesses.push_back({FallbackOffer(offers, text).tag, 0});
  return guesses;
}

absl::StatusOr<TextTranslation> FindTranslationOf(
    absl::string_view text, const ModelTasks& tasks,
    absl::string_view source_language, absl::string_view target_language,
    absl::FunctionRef<bool()> is_wanted) {
  const auto find = [&](absl::string_view source,
                        std::optional<LanguageGuess> detected)
      -> absl::StatusOr<TextTranslation> {
    const absl::StatusOr<Translation> translation =
        tasks.FindTranslation(source, target_language);
    if (!translation.ok()) return translation.status();
    return TextTranslation{*translation, std::move(detected)};
  };
  if (!IsAnySource(source_language)) return find(source_language, std::nullopt);
  const absl::StatusOr<LanguageSet> sources = tasks.SourcesTo(target_language);
  if (!sources.ok()) return sources.status();
  if (sources->offers().size() == 1) {
    return find(tasks.needs_source ? sources->offers().front().tag : "",
                std::nullopt);
  }
  std::vector<LanguageGuess> guesses =
      sources->is_empty() ? GuessLanguages(text, is_wanted)
                          : GuessAmong(*sources, text, is_wanted);
  // A model that reads the name, or has a task for each pair, needs a language.
  const bool may_have_none =
      tasks.any_translation() != nullptr && !tasks.needs_source;
  if (may_have_none && (guesses.empty() || guesses.front().confidence == 0)) {
    return find("", std::nullopt);
  }
  const std::string tag = guesses.front().tag;
  return find(tag, std::move(guesses.front()));
}

TargetLanguageTest::TargetLanguageTest(const TextTranslation& found,
                                       absl::string_view target_language)
    : target_(ReadLanguage(target_language).value_or(Language())) {
  std::vector<Language> expected = {target_};
  if (const auto source = ReadLanguage(found.translation.source_code)) {
    expected.push_back(*source);
  }
  detector_ = LanguageDetector(expected);
  if (found.detected && found.detected->confidence >= kCertain) {
    const auto detected = ReadLanguage(found.detected->tag);
    is_text_in_target_ = detected && IsTarget(*detected);
  }
}

bool TargetLanguageTest::IsTarget(const Language& language) const {
  return language.script == target_.script &&
         LanguageDistance(language, target_).has_value();
}

bool TargetLanguageTest::IsInTarget(absl::string_view sentence,
                                    absl::FunctionRef<bool()> is_wanted) const {
  const std::vector<DetectedLanguage> detected =
      detector_.Detect(sentence, is_wanted);
  const bool is_certain =
      !detected.empty() && detected.front().confidence >= kCertain;
  if (!is_certain) return is_text_in_target_;
  return IsTarget(detected.front().language);
}

}  // namespace sheaf
