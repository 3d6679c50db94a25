// SPDX-License-Identifier: Apache-2.0

#include "text/tasks.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
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

constexpr char kSummarization[] = "summarization";
constexpr char kAnyTranslation[] = "translation";

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

// Token ids are below this, where nothing else tells.
int32_t VocabSize(const json& config) {
  const json size = config.value("vocab_size", json());
  return size.is_number_integer() && size > 0 && size <= kMaxVocabSize
             ? size.get<int32_t>()
             : kMaxVocabSize;
}

// The prompt of a task that has none of its own is config.json's. `task.object`
// may be null.
absl::StatusOr<std::string> ReadPrefix(const GenerationKeys& task,
                                       const json& config) {
  const bool is_own = task.object != nullptr && task.object->contains("prefix");
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

std::string TranslationName(const Task& task) {
  return absl::StrCat("translation_", task.source_language.ToString(), "_to_",
                      task.target_language.ToString());
}

// Reads the defaults and the tasks of a model, in the order of its methods.
class TaskReader {
 public:
  // The arguments outlive this.
  TaskReader(const ConfigFiles& files, const TaskSources& sources,
             ModelTasks& model)
      : files_(files),
        sources_(sources),
        model_(model),
        config_(files.config),
        vocab_size_(sources.vocab_size > 0 ? sources.vocab_size
                                           : VocabSize(files.config)) {
    if (has_languages()) {
      languages_ = LanguageSet::OfTokens(sources.tokenizers->languages,
                                         language_warnings_);
    }
  }

  absl::Status ReadDefaults();
  // Those of task_specific_params, or of what replaces it.
  absl::Status ReadNamedTasks();
  absl::Status AddPairs();
  // The tasks that a model has although its files name none.
  absl::Status AddOwnTranslation();
  absl::Status AddOwnSummarization();

 private:
  // Whether the model has a tokenizer. If not, it has no task of its own.
  bool has_text() const {
    return sources_.family != nullptr && sources_.tokenizers != nullptr &&
           sources_.tokenizers->source != nullptr;
  }
  bool has_languages() const {
    return has_text() && !sources_.tokenizers->languages.empty();
  }
  // Whether the name of the source language is a part of what the model reads.
  bool reads_source() const {
    return sources_.tokenizers->places.source !=
           LanguagePlaces::Source::kNowhere;
  }
  bool has_translation() const;
  absl::Status ReadNamedTask(const std::string& name, const json& params);
  // Sets the tokens of a pair. The error begins with `where`.
  absl::Status SetTokens(absl::string_view where, Task& task) const;
  void AddTask(absl::string_view where, Task task);
  absl::Status AddOwnTask(Task task);
  absl::Status AddAnyTranslation(const std::optional<ModelLanguages>& told);

  const ConfigFiles& files_;
  const TaskSources& sources_;
  ModelTasks& model_;
  json config_;  // config.json, with old keys as the reference reads them
  const int32_t vocab_size_;
  LanguageSet languages_;  // of the tokenizer
  std::vector<std::string> language_warnings_;
  // The model's own keys; the source that counts first is at the front.
  std::vector<GenerationKeys> models_own_;
};

absl::Status TaskReader::ReadDefaults() {
  const std::optional<json>& generation = files_.generation;
  if (generation.has_value()) {
    models_own_.push_back({"generation_config.json", &*generation});
    WarnOfModelConfigKeys(config_, *generation, model_.warnings);
  }
  if (!generation.has_value() || CountsModelConfig(*generation)) {
    AddForcedFirstToken(config_);
    models_own_.push_back({"config.json", &config_});
  }
  absl::StatusOr<DecodingDefaults> defaults =
      ReadGenerationKeys(models_own_,
                         generation.has_value() ? KeyHolder::kGenerationConfig
                                                : KeyHolder::kModelConfig,
                         vocab_size_, model_.warnings);
  if (!defaults.ok()) return defaults.status();
  model_.defaults = *std::move(defaults);
  return absl::OkStatus();
}

absl::Status TaskReader::ReadNamedTasks() {
  const absl::StatusOr<json> tasks = ReadTasks(config_, sources_.tasks_json);
  if (!tasks.ok()) return tasks.status();
  for (const auto& [name, params] : tasks->items()) {
    if (absl::Status status = ReadNamedTask(name, params); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status TaskReader::ReadNamedTask(const std::string& name,
                                       const json& params) {
  const bool is_of_config = sources_.tasks_json.empty();
  const GenerationKeys own = {
      absl::StrCat(is_of_config ? "config.json" : "the tasks file", ": ",
                   absl::CHexEscape(name.substr(0, kMaxShownName))),
      &params};
  Task task;
  task.name = name;
  if (name == kSummarization) {
    task.kind = Task::Kind::kSummarization;
  } else if (!ParseTranslationName(name, task)) {
    model_.warnings.push_back(absl::StrCat(
        own.where,
        " is no task of this server, which has summarization and "
        "translation_XX_to_YY with two languages; it is not served"));
    return absl::OkStatus();
  } else if (!sources_.pairs.empty()) {
    return absl::OkStatus();
  }
  if (!params.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(own.where, ": no object"));
  }
  absl::StatusOr<std::string> prefix = ReadPrefix(own, config_);
  if (!prefix.ok()) return prefix.status();
  task.prefix = *std::move(prefix);
  std::vector<GenerationKeys> keys = {own};
  keys.insert(keys.end(), models_own_.begin(), models_own_.end());
  absl::StatusOr<DecodingDefaults> defaults =
      ReadGenerationKeys(keys, KeyHolder::kTask, vocab_size_, model_.warnings);
  if (!defaults.ok()) return defaults.status();
  task.defaults = *std::move(defaults);
  if (absl::Status status = SetTokens(own.where, task); !status.ok()) {
    if (!is_of_config) return status;
    model_.warnings.push_back(
        absl::StrCat(status.message(), "; it is not served"));
    return absl::OkStatus();
  }
  AddTask(own.where, std::move(task));
  return absl::OkStatus();
}

absl::Status TaskReader::SetTokens(absl::string_view where, Task& task) const {
  if (task.kind != Task::Kind::kTranslation || !has_languages()) {
    return absl::OkStatus();
  }
  const auto find = [&](const char* side, const Language& language,
                        std::optional<LanguageToken>& token) {
    const auto offer = languages_.Find(absl::StrCat(where, ": the ", side),
                                       language.ToString());
    if (offer.ok()) token = (*offer)->token;
    return offer.ok() ? absl::OkStatus()
                      : absl::InvalidArgumentError(offer.status().message());
  };
  absl::Status status =
      find("target language", task.target_language, task.target_token);
  if (status.ok() && reads_source()) {
    status = find("source language", task.source_language, task.source_token);
  }
  return status;
}

void TaskReader::AddTask(absl::string_view where, Task task) {
  if (const Task* same = FindSame(model_, task); same != nullptr) {
    model_.warnings.push_back(absl::StrFormat(
        "%s is not served, because it has the languages of %s; requests get "
        "the latter's prompt",
        where, same->name));
    return;
  }
  const auto place = std::upper_bound(
      model_.tasks.begin(), model_.tasks.end(), task,
      [](const Task& a, const Task& b) { return a.name < b.name; });
  model_.tasks.insert(place, std::move(task));
}

absl::Status TaskReader::AddOwnTask(Task task) {
  absl::StatusOr<std::string> prefix = ReadPrefix({"", nullptr}, config_);
  if (!prefix.ok()) return prefix.status();
  task.prefix = *std::move(prefix);
  task.defaults = model_.defaults;
  const std::string name = task.name;
  AddTask(name, std::move(task));
  return absl::OkStatus();
}

absl::Status TaskReader::AddPairs() {
  for (const LanguagePair& pair : sources_.pairs) {
    Task task;
    task.kind = Task::Kind::kTranslation;
    task.source_language = pair.source;
    task.target_language = pair.target;
    task.name = TranslationName(task);
    absl::Status status =
        SetTokens(absl::StrCat("--languages: ", task.name), task);
    if (status.ok()) status = AddOwnTask(std::move(task));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

bool TaskReader::has_translation() const {
  return std::any_of(
      model_.tasks.begin(), model_.tasks.end(),
      [](const Task& task) { return task.kind != Task::Kind::kSummarization; });
}

absl::Status TaskReader::AddOwnTranslation() {
  if (!has_text() || has_translation()) return absl::OkStatus();
  std::optional<ModelLanguages> told;
  // A tokenizer that has all source languages says more than a name.
  if (!has_languages() || !reads_source()) {
    absl::StatusOr<std::optional<ModelLanguages>> read =
        ReadModelLanguages(files_, sources_.model_name);
    if (!read.ok()) return read.status();
    told = *std::move(read);
  }
  if (has_languages() || !told || told->sources.size() != 1 ||
      told->targets.size() != 1) {
    return AddAnyTranslation(told);
  }
  Task task;
  task.kind = Task::Kind::kTranslation;
  task.source_language = told->sources.front();
  task.target_language = told->targets.front();
  task.name = TranslationName(task);
  return AddOwnTask(std::move(task));
}

absl::Status TaskReader::AddAnyTranslation(
    const std::optional<ModelLanguages>& told) {
  if (has_languages()) {
    model_.targets =
        LanguageSet::OfTokens(sources_.tokenizers->languages, model_.warnings);
    model_.needs_source = reads_source();
  } else if (told && !told->targets.empty()) {
    model_.targets = LanguageSet::Of(told->targets);
  }
  if (model_.needs_source) {
    model_.sources = model_.targets;
  } else if (told) {
    model_.sources = LanguageSet::Of(told->sources);
  }
  if (model_.targets.is_empty()) {
    if (told) {
      model_.warnings.push_back(
          "the model translates to a group of languages, and its tokenizer "
          "does not tell which; it is served with --languages only");
    }
    return absl::OkStatus();
  }
  Task task;
  task.kind = Task::Kind::kAnyTranslation;
  task.name = kAnyTranslation;
  return AddOwnTask(std::move(task));
}

absl::Status TaskReader::AddOwnSummarization() {
  if (!has_text() || model_.summarization() != nullptr) {
    return absl::OkStatus();
  }
  const Summaries summaries = sources_.family->summaries;
  if (summaries == Summaries::kIfTask ||
      (summaries == Summaries::kIfNamed &&
       !IsNamedSummarizer(files_, sources_.model_name))) {
    return absl::OkStatus();
  }
  Task task;
  task.kind = Task::Kind::kSummarization;
  task.name = kSummarization;
  return AddOwnTask(std::move(task));
}

}  // namespace

const Task* ModelTasks::Find(Task::Kind kind) const {
  for (const Task& task : tasks) {
    if (task.kind == kind) return &task;
  }
  return nullptr;
}

absl::StatusOr<ModelTasks> ReadModelTasks(const ConfigFiles& files,
                                          const TaskSources& sources) {
  ModelTasks model;
  TaskReader reader(files, sources, model);
  absl::Status status = reader.ReadDefaults();
  if (status.ok()) status = reader.ReadNamedTasks();
  if (status.ok()) status = reader.AddPairs();
  // A tasks file names all tasks.
  const bool has_own = sources.tasks_json.empty();
  if (status.ok() && has_own) status = reader.AddOwnTranslation();
  if (status.ok() && has_own) status = reader.AddOwnSummarization();
  if (!status.ok()) return status;
  return model;
}

absl::StatusOr<std::string> ReadTasksFile(const std::string& path) {
  if (path.empty()) return std::string();
  absl::StatusOr<std::string> tasks = ReadTextFile(path, kMaxJsonBytes);
  if (!tasks.ok() || !tasks->empty()) return tasks;
  return absl::InvalidArgumentError(path + ": is empty");
}

}  // namespace sheaf
