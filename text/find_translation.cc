// SPDX-License-Identifier: Apache-2.0

// ModelTasks::FindTranslation() and SourcesTo().

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "text/tasks.h"

namespace sheaf {
namespace {

constexpr char kSource[] = "source_language";
constexpr char kTarget[] = "target_language";

std::string PairOf(const Task& task) {
  return absl::StrCat(task.source_language.ToString(), " to ",
                      task.target_language.ToString());
}

std::string PairsOf(absl::Span<const Task* const> tasks) {
  std::vector<std::string> pairs;
  pairs.reserve(tasks.size());
  for (const Task* task : tasks) pairs.push_back(PairOf(*task));
  return ListedShortly(pairs);
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

std::string ShownSource(absl::string_view tag) {
  return tag.empty() ? "empty" : absl::StrCat("\"", tag, "\"");
}

// The translation tasks to a language, and how far each is from it.
struct TaskTo {
  const Task* task;
  int32_t distance;
};
std::vector<TaskTo> TasksTo(const ModelTasks& model, const Language& target) {
  std::vector<TaskTo> tasks;
  for (const Task& task : model.tasks) {
    if (task.kind != Task::Kind::kTranslation) continue;
    const auto distance = LanguageDistance(target, task.target_language);
    if (distance) tasks.push_back({&task, *distance});
  }
  return tasks;
}

absl::StatusOr<const Task*> FindFromAnySource(const ModelTasks& model,
                                              absl::string_view asked_source,
                                              const Language& target) {
  const std::vector<TaskTo> tasks = TasksTo(model, target);
  if (tasks.empty()) {
    return NoSuchPair(model, absl::StrCat("to \"", target.ToString(), "\""));
  }
  const Task* best = std::min_element(tasks.begin(), tasks.end(),
                                      [](const TaskTo& a, const TaskTo& b) {
                                        return a.distance < b.distance;
                                      })
                         ->task;
  std::vector<std::string> sources;
  sources.reserve(tasks.size());
  for (const TaskTo& each : tasks) {
    sources.push_back(
        absl::StrCat("\"", each.task->source_language.ToString(), "\""));
  }
  std::sort(sources.begin(), sources.end());
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
  if (sources.size() == 1) return best;
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s is %s; the model translates to \"%s\" from several languages and "
      "does not tell them apart; set it to one of %s",
      kSource, ShownSource(asked_source), target.ToString(),
      ListedShortly(sources)));
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
      differs_in_target ? kTarget : kSource,
      (differs_in_target ? target : source).ToString(), PairsOf(nearest)));
}

// One of the model's tasks of kind kTranslation.
absl::StatusOr<const Task*> FindTask(const ModelTasks& model,
                                     absl::string_view source_language,
                                     absl::string_view target_language) {
  const bool is_any = IsAnySource(source_language);
  std::optional<Language> source;
  if (!is_any) {
    source = ReadLanguage(source_language);
    if (!source) return UnknownLanguage(kSource, source_language);
  }
  const std::optional<Language> target = ReadLanguage(target_language);
  if (!target) return UnknownLanguage(kTarget, target_language);
  absl::StatusOr<const Task*> task =
      is_any ? FindFromAnySource(model, source_language, *target)
             : FindPair(model, *source, *target);
  if (task.ok()) return task;
  // A model may have a language that ICU does not know.
  if (source && !source->is_known) {
    return UnknownLanguage(kSource, source_language);
  }
  if (!target->is_known) return UnknownLanguage(kTarget, target_language);
  return task;
}

// The source of kAnyTranslation.
absl::Status SetSource(const ModelTasks& model,
                       absl::string_view source_language, Translation& out) {
  const LanguageSet& sources = model.sources;
  if (IsAnySource(source_language)) {
    if (model.needs_source) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s is %s; the model reads the name of the language that it "
          "translates from, so set it to one of %s",
          kSource, ShownSource(source_language), sources.Listed()));
    }
    if (sources.offers().size() == 1) {
      out.source_code = sources.offers().front().language.code;
    }
    return absl::OkStatus();
  }
  if (sources.is_empty()) {
    absl::StatusOr<Language> source = ParseLanguage(kSource, source_language);
    if (!source.ok()) return source.status();
    out.source_code = source->code;
    return absl::OkStatus();
  }
  const absl::StatusOr<const LanguageSet::Offer*> source =
      sources.Find(kSource, source_language);
  if (!source.ok()) return source.status();
  out.source_code = (*source)->language.code;
  if ((*source)->token) out.source_token = &*(*source)->token;
  return absl::OkStatus();
}

absl::StatusOr<Translation> FindAny(const ModelTasks& model,
                                    absl::string_view source_language,
                                    absl::string_view target_language) {
  Translation out = {.task = model.any_translation()};
  if (absl::Status status = SetSource(model, source_language, out);
      !status.ok()) {
    return status;
  }
  const absl::StatusOr<const LanguageSet::Offer*> target =
      model.targets.Find(kTarget, target_language);
  if (!target.ok()) return target.status();
  if ((*target)->token) out.target_token = &*(*target)->token;
  return out;
}

}  // namespace

bool IsAnySource(absl::string_view tag) {
  return tag.empty() || absl::EqualsIgnoreCase(tag, "auto");
}

absl::StatusOr<LanguageSet> ModelTasks::SourcesTo(
    absl::string_view target_language) const {
  if (any_translation() != nullptr) {
    const auto target = targets.Find(kTarget, target_language);
    if (!target.ok()) return target.status();
    return sources;
  }
  const std::optional<Language> target = ReadLanguage(target_language);
  if (!target) return UnknownLanguage(kTarget, target_language);
  std::vector<Language> languages;
  for (const TaskTo& each : TasksTo(*this, *target)) {
    const Language& source = each.task->source_language;
    if (std::none_of(
            languages.begin(), languages.end(),
            [&](const Language& other) { return IsSame(other, source); })) {
      languages.push_back(source);
    }
  }
  if (!languages.empty()) return LanguageSet::Of(languages);
  if (!target->is_known) return UnknownLanguage(kTarget, target_language);
  return NoSuchPair(*this, absl::StrCat("to \"", target->ToString(), "\""));
}

absl::StatusOr<Translation> ModelTasks::FindTranslation(
    absl::string_view source_language,
    absl::string_view target_language) const {
  if (any_translation() != nullptr) {
    return FindAny(*this, source_language, target_language);
  }
  const absl::StatusOr<const Task*> task =
      FindTask(*this, source_language, target_language);
  if (!task.ok()) return task.status();
  Translation out = {.task = *task,
                     .source_code = (*task)->source_language.code};
  if ((*task)->source_token) out.source_token = &*(*task)->source_token;
  if ((*task)->target_token) out.target_token = &*(*task)->target_token;
  return out;
}

}  // namespace sheaf
