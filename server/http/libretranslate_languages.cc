// SPDX-License-Identifier: Apache-2.0

#include "server/http/libretranslate_languages.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/http/file_texts.h"
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

// Whether the model translates between two languages of its pairs.
bool IsPair(const ModelTasks& tasks, const Language& source,
            const Language& target) {
  return std::any_of(tasks.tasks.begin(), tasks.tasks.end(),
                     [&](const Task& task) {
                       return task.kind == Task::Kind::kTranslation &&
                              IsSame(task.source_language, source) &&
                              IsSame(task.target_language, target);
                     });
}

// The indices of the languages to which the model translates from each.
std::vector<std::vector<size_t>> TargetsOf(
    const ModelTasks& tasks, const std::vector<Language>& languages) {
  const bool is_any = tasks.any_translation() != nullptr;
  std::vector<bool> is_read, is_written;
  for (const Language& language : languages) {
    // No source means that the model does not tell which it reads.
    is_read.push_back(tasks.sources.is_empty() ||
                      Includes(tasks.sources, language));
    is_written.push_back(Includes(tasks.targets, language));
  }
  std::vector<std::vector<size_t>> targets(languages.size());
  for (size_t i = 0; i < languages.size(); ++i) {
    for (size_t j = 0; j < languages.size(); ++j) {
      const bool is_pair = is_any ? is_read[i] && is_written[j]
                                  : IsPair(tasks, languages[i], languages[j]);
      if (i != j && is_pair) targets[i].push_back(j);
    }
  }
  return targets;
}

nlohmann::json NamedLanguage(const std::string& tag) {
  return {{"code", tag}, {"name", EnglishName(tag)}};
}

}  // namespace

nlohmann::json LibreTranslateLanguages(const ModelTasks& tasks) {
  const std::vector<Language> languages = LanguagesOf(tasks);
  const std::vector<std::string> tags = ShortestTags(languages);
  const std::vector<std::vector<size_t>> targets = TargetsOf(tasks, languages);
  nlohmann::json listed = nlohmann::json::array();
  for (size_t i = 0; i < languages.size(); ++i) {
    nlohmann::json language = NamedLanguage(tags[i]);
    language["targets"] = nlohmann::json::array();
    for (const size_t j : targets[i]) language["targets"].push_back(tags[j]);
    listed.push_back(std::move(language));
  }
  return listed;
}

nlohmann::json LibreTranslateSettings(const nlohmann::json& languages,
                                      const RequestLimits& limits,
                                      bool needs_token) {
  nlohmann::json choice = nlohmann::json::object();
  for (const nlohmann::json& source : languages) {
    if (source["targets"].empty()) continue;
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
          {"filesTranslation", true},
          {"supportedFilesFormat", TranslatedFileExtensions()},
          {"language", choice}};
}

}  // namespace sheaf
