#include "server/text/tasks.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

// Reads the keys of one object; the first error sticks.
class DefaultsReader {
 public:
  // `where` begins the messages: the file, and the task if there is one.
  DefaultsReader(std::string where, const json& object)
      : where_(std::move(where)), object_(object) {}

  const absl::Status& status() const { return status_; }

  std::optional<int32_t> Integer(
      const char* key, int32_t min,
      int32_t max = std::numeric_limits<int32_t>::max()) {
    const json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number_integer()) {
      const bool is_large = value->is_number_unsigned() &&
                            value->get<uint64_t>() > static_cast<uint64_t>(max);
      if (!is_large && value->get<int64_t>() >= min) {
        return static_cast<int32_t>(value->get<int64_t>());
      }
    }
    Refuse(key, *value,
           absl::StrFormat("a whole number from %d to %d", min, max));
    return std::nullopt;
  }

  std::optional<float> Number(const char* key, double min, double max) {
    const json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number()) {
      const double number = value->get<double>();
      if (std::isfinite(number) && number >= min && number <= max) {
        return static_cast<float>(number);
      }
    }
    Refuse(key, *value, absl::StrFormat("a number from %g to %g", min, max));
    return std::nullopt;
  }

  std::optional<EarlyStopping> Early(const char* key) {
    const json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_boolean()) {
      return value->get<bool>() ? EarlyStopping::kYes : EarlyStopping::kNo;
    }
    if (value->is_string() && value->get<std::string>() == "never") {
      return EarlyStopping::kNever;
    }
    Refuse(key, *value, "true, false or \"never\"");
    return std::nullopt;
  }

  std::optional<bool> Flag(const char* key) {
    const json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_boolean()) return value->get<bool>();
    Refuse(key, *value, "true or false");
    return std::nullopt;
  }

  std::string Text(const char* key) {
    const json* value = Find(key);
    if (value == nullptr) return "";
    if (value->is_string()) {
      std::string text = value->get<std::string>();
      if (text.size() <= kMaxPrefixBytes) return text;
    }
    Refuse(key, *value,
           absl::StrFormat("a text of at most %d bytes", kMaxPrefixBytes));
    return "";
  }

 private:
  const json* Find(const char* key) {
    const auto it = object_.find(key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }

  void Refuse(const char* key, const json& value, absl::string_view allowed) {
    if (!status_.ok()) return;
    const std::string shown =
        value.dump(-1, ' ', true, json::error_handler_t::replace);
    status_ = absl::InvalidArgumentError(
        absl::StrFormat("%s: %s is %s; allowed is %s", where_, key,
                        shown.substr(0, 80), allowed));
  }

  const std::string where_;
  const json& object_;
  absl::Status status_;
};

// Hugging Face's keys. max_length and min_length count the start token.
absl::StatusOr<DecodingDefaults> ReadDefaults(const std::string& where,
                                              const json& object) {
  DefaultsReader reader(where, object);
  DecodingDefaults defaults;
  defaults.max_new_tokens = reader.Integer("max_new_tokens", 1);
  if (!defaults.max_new_tokens) {
    if (const auto length = reader.Integer("max_length", 1)) {
      defaults.max_new_tokens = std::max(1, *length - 1);
    }
  }
  defaults.min_new_tokens = reader.Integer("min_new_tokens", 0);
  if (!defaults.min_new_tokens) {
    if (const auto length = reader.Integer("min_length", 0)) {
      defaults.min_new_tokens = std::max(0, *length - 1);
    }
  }
  defaults.beam_size = reader.Integer("num_beams", 1);
  defaults.num_hypotheses = reader.Integer("num_return_sequences", 1);
  defaults.length_penalty =
      reader.Number("length_penalty", -kMaxLengthPenalty, kMaxLengthPenalty);
  defaults.early_stopping = reader.Early("early_stopping");
  defaults.repetition_penalty = reader.Number(
      "repetition_penalty", kMinRepetitionPenalty, kMaxRepetitionPenalty);
  defaults.no_repeat_ngram_size =
      reader.Integer("no_repeat_ngram_size", 0, kMaxNgramSize);
  defaults.forced_last_token = reader.Integer("forced_eos_token_id", 0);
  const std::optional<bool> do_sample = reader.Flag("do_sample");
  if (do_sample == false) defaults.temperature = 0.0f;
  if (do_sample == true) {
    defaults.temperature =
        reader.Number("temperature", 0, kMaxTemperature).value_or(1.0f);
    defaults.top_k = reader.Integer("top_k", 0);
    defaults.top_p = reader.Number("top_p", 1e-6, 1);
  }
  if (!reader.status().ok()) return reader.status();
  return defaults;
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

template <typename T>
void Fill(std::optional<T>& value, const std::optional<T>& other) {
  if (!value) value = other;
}

}  // namespace

void DecodingDefaults::FillFrom(const DecodingDefaults& other) {
  Fill(max_new_tokens, other.max_new_tokens);
  Fill(min_new_tokens, other.min_new_tokens);
  Fill(beam_size, other.beam_size);
  Fill(num_hypotheses, other.num_hypotheses);
  Fill(length_penalty, other.length_penalty);
  Fill(early_stopping, other.early_stopping);
  Fill(repetition_penalty, other.repetition_penalty);
  Fill(no_repeat_ngram_size, other.no_repeat_ngram_size);
  Fill(temperature, other.temperature);
  Fill(top_k, other.top_k);
  Fill(top_p, other.top_p);
  Fill(forced_last_token, other.forced_last_token);
}

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
  absl::StatusOr<json> generation =
      ParseObject("generation_config.json", generation_config_json);
  if (!generation.ok()) return generation.status();
  absl::StatusOr<DecodingDefaults> defaults =
      ReadDefaults("generation_config.json", *generation);
  if (!defaults.ok()) return defaults.status();
  model.defaults = *defaults;

  const char* file = tasks_json.empty() ? "config.json" : "the tasks file";
  absl::StatusOr<json> root =
      ParseObject(file, tasks_json.empty() ? config_json : tasks_json);
  if (!root.ok()) return root.status();
  json tasks = *root;
  if (tasks_json.empty()) {
    tasks = root->value("task_specific_params", json());
    if (tasks.is_null()) tasks = json::object();
    if (!tasks.is_object()) {
      return absl::InvalidArgumentError(
          "config.json: task_specific_params is not an object");
    }
  }
  for (const auto& [name, params] : tasks.items()) {
    Task task;
    task.name = name;
    const std::string where = absl::StrCat(file, ": ", name);
    if (name == "summarization") {
      task.kind = Task::Kind::kSummarization;
    } else if (!ParseTranslationName(name, task)) {
      model.warnings.push_back(absl::StrCat(where, " is no task of this server"));
      continue;
    }
    if (!params.is_object()) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": no object"));
    }
    DefaultsReader reader(where, params);
    task.prefix = reader.Text("prefix");
    if (!reader.status().ok()) return reader.status();
    absl::StatusOr<DecodingDefaults> own = ReadDefaults(where, params);
    if (!own.ok()) return own.status();
    task.defaults = *own;
    task.defaults.FillFrom(model.defaults);
    const auto is_same = [&](const Task& other) {
      return other.kind == task.kind &&
             other.source_language == task.source_language &&
             other.target_language == task.target_language;
    };
    if (absl::c_any_of(model.tasks, is_same)) {
      model.warnings.push_back(absl::StrCat(where, " is there twice"));
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
