// SPDX-License-Identifier: Apache-2.0

#include "text/tasks.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/input_file.h"
#include "base/key_reader.h"
#include "base/strict_json.h"
#include "nlohmann/json.hpp"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr size_t kMaxPrefixBytes = 4096;
constexpr size_t kMaxShownName = 100;
constexpr int32_t kMaxVocabSize = 1 << 24;

// "translation_en_to_de" -> en, de. False if the name has another form.
bool ParseTranslationName(const std::string& name, Task& task) {
  absl::string_view pair = name;
  if (!absl::ConsumePrefix(&pair, "translation_")) return false;
  const size_t at = pair.find("_to_");
  if (at == absl::string_view::npos) return false;
  const auto source = ParseLanguage("source", pair.substr(0, at));
  const auto target = ParseLanguage("target", pair.substr(at + 4));
  if (!source.ok() || !target.ok()) return false;
  task.kind = Task::Kind::kTranslation;
  task.source_language = *source;
  task.target_language = *target;
  return true;
}

// task_specific_params of `config`, or the object that replaces it.
absl::StatusOr<json> ReadTasks(const json& config,
                               absl::string_view tasks_json) {
  if (!tasks_json.empty()) {
    absl::StatusOr<json> value = ParseStrictJson(tasks_json, "the tasks file");
    if (!value.ok() || value->is_object()) return value;
    return absl::InvalidArgumentError("the tasks file: is not a JSON object");
  }
  json tasks = config.value("task_specific_params", json());
  if (tasks.is_null()) return json::object();
  if (tasks.is_object()) return tasks;
  return absl::InvalidArgumentError(
      "config.json: task_specific_params is not an object");
}

// Follows an old key as transformers 5 does.
void AddForcedFirstToken(json& config) {
  if (config.value("force_bos_token_to_be_generated", json()) == true) {
    config["forced_bos_token_id"] = config.value("bos_token_id", json());
  }
}

// Token ids are below this. ReadDescription() refuses a
// config.json without this key.
int32_t VocabSize(const json& config) {
  const json size = config.value("vocab_size", json());
  return size.is_number_integer() && size > 0 && size <= kMaxVocabSize
             ? size.get<int32_t>()
             : kMaxVocabSize;
}

// The prompt of a task that has none of its own is config.json's.
absl::StatusOr<std::string> ReadPrefix(const GenerationKeys& task,
                                       const json& config) {
  const bool is_own = task.object->contains("prefix");
  const json prefix = (is_own ? *task.object : config).value("prefix", json());
  if (prefix.is_null()) return std::string();
  if (prefix.is_string()) {
    std::string text = prefix.get<std::string>();
    if (text.size() <= kMaxPrefixBytes) return text;
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s: prefix is %s; allowed is a text of at most %d bytes",
      is_own ? task.where : "config.json", Shown(prefix), kMaxPrefixBytes));
}

std::string PairOf(const Task& task) {
  return absl::StrCat(task.source_language.ToString(), " to ",
                      task.target_language.ToString());
}

std::string PairsOf(const std::vector<const Task*>& tasks) {
  return absl::StrJoin(tasks, ", ", [](std::string* out, const Task* task) {
    absl::StrAppend(out, PairOf(*task));
  });
}

absl::Status NoSuchPair(const ModelTasks& model, absl::string_view pair) {
  std::vector<const Task*> pairs;
  for (const Task& task : model.tasks) {
    if (task.kind == Task::Kind::kTranslation) pairs.push_back(&task);
  }
  return absl::UnimplementedError(
      absl::StrFormat("the model does not translate %s; it has: %s", pair,
                      pairs.empty() ? "no pair of languages" : PairsOf(pairs)));
}

bool IsAnySource(absl::string_view tag) {
  return tag.empty() || absl::EqualsIgnoreCase(tag, "auto");
}

absl::StatusOr<const Task*> FindFromAnySource(const ModelTasks& model,
                                              absl::string_view asked_source,
                                              const Language& target) {
  const Task* best = nullptr;
  int32_t least = 0;
  std::vector<std::string> sources;
  for (const Task& task : model.tasks) {
    if (task.kind != Task::Kind::kTranslation) continue;
    const auto distance = LanguageDistance(target, task.target_language);
    if (!distance) continue;
    sources.push_back(
        absl::StrCat("\"", task.source_language.ToString(), "\""));
    if (best == nullptr || *distance < least) {
      best = &task;
      least = *distance;
    }
  }
  if (best == nullptr) {
    return NoSuchPair(model, absl::StrCat("to \"", target.ToString(), "\""));
  }
  std::sort(sources.begin(), sources.end());
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
  if (sources.size() == 1) return best;
  return absl::InvalidArgumentError(absl::StrFormat(
      "source_language is %s; the model translates to \"%s\" from several "
      "languages and does not tell them apart; set it to one of %s",
      asked_source.empty() ? "empty" : absl::StrCat("\"", asked_source, "\""),
      target.ToString(), absl::StrJoin(sources, ", ")));
}

absl::StatusOr<const Task*> FindPair(const ModelTasks& model,
                                     const Language& source,
                                     const Language& target) {
  std::vector<const Task*> nearest;
  std::pair<int32_t, int32_t> least;
  for (const Task& task : model.tasks) {
    if (task.kind != Task::Kind::kTranslation) continue;
    const auto to_target = LanguageDistance(target, task.target_language);
    const auto to_source = LanguageDistance(source, task.source_language);
    if (!to_target || !to_source) continue;
    const std::pair<int32_t, int32_t> distance = {*to_target, *to_source};
    if (nearest.empty() || distance < least) {
      nearest.clear();
      least = distance;
    }
    if (distance == least) nearest.push_back(&task);
  }
  if (nearest.empty()) {
    return NoSuchPair(model,
                      absl::StrFormat("\"%s\" to \"%s\"", source.ToString(),
                                      target.ToString()));
  }
  if (nearest.size() == 1) return nearest.front();
  const bool differs_in_target =
      !IsSame(nearest[0]->target_language, nearest[1]->target_language);
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s is \"%s\", which may be one of several; allowed is the language and "
      "script of one of these: %s",
      differs_in_target ? "target_language" : "source_language",
      (differs_in_target ? target : source).ToString(), PairsOf(nearest)));
}

// Null: none.
const Task* FindSame(const ModelTasks& model, const Task& task) {
  for (const Task& other : model.tasks) {
    if (other.kind == task.kind &&
        IsSame(other.source_language, task.source_language) &&
        IsSame(other.target_language, task.target_language)) {
      return &other;
    }
  }
  return nullptr;
}

}  // namespace

const Task* ModelTasks::summarization() const {
  for (const Task& task : tasks) {
    if (task.kind == Task::Kind::kSummarization) return &task;
  }
  return nullptr;
}

absl::StatusOr<const Task*> ModelTasks::FindTranslation(
    absl::string_view source_language,
    absl::string_view target_language) const {
  absl::StatusOr<Language> target =
      ParseLanguage("target_language", target_language);
  if (IsAnySource(source_language)) {
    if (!target.ok()) return target.status();
    return FindFromAnySource(*this, source_language, *target);
  }
  absl::StatusOr<Language> source =
      ParseLanguage("source_language", source_language);
  if (!source.ok()) return source.status();
  if (!target.ok()) return target.status();
  return FindPair(*this, *source, *target);
}

absl::StatusOr<ModelTasks> ReadModelTasks(const ConfigFiles& files,
                                          absl::string_view tasks_json) {
  ModelTasks model;
  json config = files.config;
  // The model's own keys; the source that counts first is at the front.
  std::vector<GenerationKeys> models_own;
  if (files.generation.has_value()) {
    models_own.push_back({"generation_config.json", &*files.generation});
    WarnOfModelConfigKeys(config, *files.generation, model.warnings);
  }
  if (!files.generation.has_value() || CountsModelConfig(*files.generation)) {
    AddForcedFirstToken(config);
    models_own.push_back({"config.json", &config});
  }
  const int32_t vocab_size = VocabSize(config);
  absl::StatusOr<DecodingDefaults> defaults = ReadGenerationKeys(
      models_own,
      files.generation.has_value() ? KeyHolder::kGenerationConfig
                                   : KeyHolder::kModelConfig,
      vocab_size, model.warnings);
  if (!defaults.ok()) return defaults.status();
  model.defaults = *std::move(defaults);

  absl::StatusOr<json> tasks = ReadTasks(config, tasks_json);
  if (!tasks.ok()) return tasks.status();
  for (const auto& [name, params] : tasks->items()) {
    const GenerationKeys tasks_own = {
        absl::StrCat(tasks_json.empty() ? "config.json" : "the tasks file",
                     ": ", absl::CHexEscape(name.substr(0, kMaxShownName))),
        &params};
    Task task;
    task.name = name;
    if (name == "summarization") {
      task.kind = Task::Kind::kSummarization;
    } else if (!ParseTranslationName(name, task)) {
      model.warnings.push_back(absl::StrCat(
          tasks_own.where,
          " is no task of this server, which has summarization and "
          "translation_XX_to_YY with two languages; it is not served"));
      continue;
    }
    if (!params.is_object()) {
      return absl::InvalidArgumentError(
          absl::StrCat(tasks_own.where, ": no object"));
    }
    absl::StatusOr<std::string> prefix = ReadPrefix(tasks_own, config);
    if (!prefix.ok()) return prefix.status();
    task.prefix = *std::move(prefix);
    std::vector<GenerationKeys> sources = {tasks_own};
    sources.insert(sources.end(), models_own.begin(), models_own.end());
    absl::StatusOr<DecodingDefaults> own = ReadGenerationKeys(
        sources, KeyHolder::kTask, vocab_size, model.warnings);
    if (!own.ok()) return own.status();
    task.defaults = *std::move(own);
    if (const Task* same = FindSame(model, task); same != nullptr) {
      model.warnings.push_back(absl::StrFormat(
          "%s is not served, because it has the languages of %s, %s, and a "
          "region does not tell languages apart; requests get the latter's "
          "prompt",
          tasks_own.where, same->name, PairOf(task)));
      continue;
    }
    model.tasks.push_back(std::move(task));
  }
  return model;
}

absl::StatusOr<ModelTasks> LoadModelTasks(const ConfigFiles& files,
                                          const std::string& tasks_file) {
  if (tasks_file.empty()) return ReadModelTasks(files);
  const absl::StatusOr<std::string> tasks =
      ReadTextFile(tasks_file, kMaxJsonBytes);
  if (!tasks.ok()) return tasks.status();
  if (tasks->empty()) {
    return absl::InvalidArgumentError(tasks_file + ": is empty");
  }
  return ReadModelTasks(files, *tasks);
}

}  // namespace sheaf
