// SPDX-License-Identifier: Apache-2.0

#include "server/http/libretranslate_languages.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "text/language_names.h"

namespace sheaf {
namespace {

// All languages from or to which the model translates, each once.
std::vector<Language> LanguagesOf(const ModelTasks& tasks) {
  std::vector<Language> languages;
  const auto add = [&languages](const Language& language) {
    const bool is_there = std::any_of(
        languages.begin(), languages.end(),
        [&](const Language& other) { return IsSame(language, other); });
    if (!is_there) languages.push_back(language);
  };
  for (const Task& task : tasks.tasks) {
    if (task.kind != Task::Kind::kTranslation) continue;
    add(task.source_language);
    add(task.target_language);
  }
  for (const LanguageSet* set : {&tasks.sources, &tasks.targets}) {
    for (const LanguageSet::Offer& offer : set->offers()) add(offer.language);
  }
  return languages;
}

bool Includes(const LanguageSet& set, const Language& language) {
  return std::any_of(set.offers().begin(), set.offers().end(),
                     [&](const LanguageSet::Offer& offer) {
                       return IsSame(offer.language, language);
                     });
}

// Whether the model translates between two of its languages.
bool IsPair(const ModelTasks& tasks, const Language& source,
            const Language& target) {
  if (IsSame(source, target)) return false;
  if (tasks.any_translation() != nullptr) {
    // No source means that the model does not tell which it reads.
    return Includes(tasks.targets, target) &&
           (tasks.sources.is_empty() || Includes(tasks.sources, source));
  }
  return std::any_of(tasks.tasks.begin(), tasks.tasks.end(),
                     [&](const Task& task) {
                       return task.kind == Task::Kind::kTranslation &&
                              IsSame(task.source_language, source) &&
                              IsSame(task.target_language, target);
                     });
}

nlohmann::json NamedLanguage(const std::string& tag) {
  return {{"code", tag}, {"name", EnglishName(tag)}};
}

}  // namespace

nlohmann::json LibreTranslateLanguages(const ModelTasks& tasks) {
  const std::vector<Language> languages = LanguagesOf(tasks);
  const std::vector<std::string> tags = ShortestTags(languages);
  nlohmann::json listed = nlohmann::json::array();
  for (size_t i = 0; i < languages.size(); ++i) {
    nlohmann::json targets = nlohmann::json::array();
    for (size_t j = 0; j < languages.size(); ++j) {
      if (IsPair(tasks, languages[i], languages[j])) targets.push_back(tags[j]);
    }
    if (targets.empty()) continue;
    nlohmann::json language = NamedLanguage(tags[i]);
    language["targets"] = std::move(targets);
    listed.push_back(std::move(language));
  }
  return listed;
}

nlohmann::json LibreTranslateSettings(const nlohmann::json& languages,
                                      const RequestLimits& limits,
                                      bool needs_token) {
  nlohmann::json choice = nlohmann::json::object();
  for (const nlohmann::json& source : languages) {
    const std::string target = source["targets"][0];
    choice = {{"source", NamedLanguage(source["code"])},
              {"target", NamedLanguage(target)}};
    break;
  }
  return {{"charLimit", limits.max_text_bytes},
          {"frontendTimeout", 500},
          {"apiKeys", needs_token},
          {"keyRequired", needs_token},
          {"suggestions", false},
          {"filesTranslation", false},
          {"supportedFilesFormat", nlohmann::json::array()},
          {"language", choice}};
}

}  // namespace sheaf
