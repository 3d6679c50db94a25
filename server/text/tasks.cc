#include "server/text/tasks.h"

#include <cstdint>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "files/input_file.h"
#include "files/strict_json.h"
#include "nlohmann/json.hpp"
#include "server/text/languages.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr size_t kMaxPrefixBytes = 4096;
constexpr int32_t kMaxVocabSize = 1 << 24;

// Reads a small file; an absent one is empty if it is `optional`.
absl::StatusOr<std::string> ReadFile(const std::string& path, bool optional) {
  absl::StatusOr<std::string> text = ReadTextFile(path, kMaxJsonBytes);
  if (optional && absl::IsNotFound(text.status())) return std::string();
  return text;
}

absl::StatusOr<json> ParseObject(absl::string_view file,
                                 absl::string_view text) {
  if (text.empty()) return json::object();
  absl::StatusOr<json> value = ParseStrictJson(text, file);
  if (value.ok() && !value->is_object()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: is not a JSON object", file));
  }
  return value;
}

// "translation_en_to_de" -> en, de; false if it is not of that form.
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

// task_specific_params of `config`, or what stands in for it.
absl::StatusOr<json> ReadTasks(const json& config,
                               absl::string_view tasks_json) {
  if (!tasks_json.empty()) return ParseObject("the tasks file", tasks_json);
  json tasks = config.value("task_specific_params", json());
  if (tasks.is_null()) return json::object();
  if (tasks.is_object()) return tasks;
  return absl::InvalidArgumentError(
      "config.json: task_specific_params is not an object");
}

// Ids are below this; T5Config refuses a config.json that does not say it.
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
      is_own ? task.where : "config.json",
      prefix.dump(-1, ' ', true, json::error_handler_t::replace).substr(0, 80),
      kMaxPrefixBytes));
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
  std::string source;
  if (!source_language.empty()) {
    absl::StatusOr<std::string> parsed =
        ParseLanguage("source_language", source_language);
    if (!parsed.ok()) return parsed.status();
    source = *std::move(parsed);
  }
  absl::StatusOr<std::string> target =
      ParseLanguage("target_language", target_language);
  if (!target.ok()) return target.status();

  std::vector<const Task*> found;
  std::vector<std::string> pairs;
  for (const Task& task : tasks) {
    if (task.kind != Task::Kind::kTranslation) continue;
    pairs.push_back(
        absl::StrCat(task.source_language, " to ", task.target_language));
    if (task.target_language == *target &&
        (source.empty() || task.source_language == source)) {
      found.push_back(&task);
    }
  }
  const std::string known =
      pairs.empty() ? "it does not translate" : absl::StrJoin(pairs, ", ");
  if (found.empty()) {
    return absl::UnimplementedError(
        absl::StrFormat("the model does not translate %s%s\"%s\"; it has: %s",
                        source.empty() ? "" : absl::StrCat("\"", source, "\" "),
                        "to ", *target, known));
  }
  if (found.size() > 1) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "source_language is empty; the model translates to \"%s\" from "
        "several, it has: %s",
        *target, known));
  }
  return found.front();
}

absl::StatusOr<ModelTasks> ParseModelTasks(
    absl::string_view config_json, absl::string_view generation_config_json,
    absl::string_view tasks_json) {
  ModelTasks model;
  absl::StatusOr<json> config = ParseObject("config.json", config_json);
  if (!config.ok()) return config.status();
  absl::StatusOr<json> generation =
      ParseObject("generation_config.json", generation_config_json);
  if (!generation.ok()) return generation.status();
  // What the model says, what counts first at the front.
  std::vector<GenerationKeys> models_own;
  const bool has_generation = !generation_config_json.empty();
  if (has_generation) {
    models_own.push_back({"generation_config.json", &*generation});
    WarnOfModelConfigKeys(*config, *generation, model.warnings);
  }
  if (!has_generation || CountsModelConfig(*generation)) {
    models_own.push_back({"config.json", &*config});
  }
  const int32_t vocab_size = VocabSize(*config);
  absl::StatusOr<DecodingDefaults> defaults = ReadGenerationKeys(
      models_own,
      has_generation ? KeyHolder::kGenerationConfig : KeyHolder::kModelConfig,
      vocab_size, model.warnings);
  if (!defaults.ok()) return defaults.status();
  model.defaults = *std::move(defaults);

  absl::StatusOr<json> tasks = ReadTasks(*config, tasks_json);
  if (!tasks.ok()) return tasks.status();
  for (const auto& [name, params] : tasks->items()) {
    const GenerationKeys tasks_own = {
        absl::StrCat(tasks_json.empty() ? "config.json" : "the tasks file",
                     ": ", name),
        &params};
    Task task;
    task.name = name;
    if (name == "summarization") {
      task.kind = Task::Kind::kSummarization;
    } else if (!ParseTranslationName(name, task)) {
      model.warnings.push_back(
          absl::StrCat(tasks_own.where, " is no task of this server"));
      continue;
    }
    if (!params.is_object()) {
      return absl::InvalidArgumentError(
          absl::StrCat(tasks_own.where, ": no object"));
    }
    absl::StatusOr<std::string> prefix = ReadPrefix(tasks_own, *config);
    if (!prefix.ok()) return prefix.status();
    task.prefix = *std::move(prefix);
    std::vector<GenerationKeys> sources = {tasks_own};
    sources.insert(sources.end(), models_own.begin(), models_own.end());
    absl::StatusOr<DecodingDefaults> own = ReadGenerationKeys(
        sources, KeyHolder::kTask, vocab_size, model.warnings);
    if (!own.ok()) return own.status();
    task.defaults = *std::move(own);
    const auto is_same = [&](const Task& other) {
      return other.kind == task.kind &&
             other.source_language == task.source_language &&
             other.target_language == task.target_language;
    };
    if (absl::c_any_of(model.tasks, is_same)) {
      model.warnings.push_back(
          absl::StrCat(tasks_own.where, " is there twice"));
      continue;
    }
    model.tasks.push_back(std::move(task));
  }
  return model;
}

absl::StatusOr<ModelTasks> LoadModelTasks(const std::string& directory,
                                          const std::string& tasks_file) {
  absl::StatusOr<std::string> config =
      ReadFile(directory + "/config.json", /*optional=*/false);
  if (!config.ok()) return config.status();
  absl::StatusOr<std::string> generation =
      ReadFile(directory + "/generation_config.json", /*optional=*/true);
  if (!generation.ok()) return generation.status();
  std::string tasks;
  if (!tasks_file.empty()) {
    absl::StatusOr<std::string> text = ReadFile(tasks_file, /*optional=*/false);
    if (!text.ok()) return text.status();
    if (text->empty()) {
      return absl::InvalidArgumentError(tasks_file + ": is empty");
    }
    tasks = *std::move(text);
  }
  return ParseModelTasks(*config, *generation, tasks);
}

}  // namespace sheaf
