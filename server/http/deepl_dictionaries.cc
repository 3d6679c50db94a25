// SPDX-License-Identifier: Apache-2.0

#include "server/http/deepl_dictionaries.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "server/field_error.h"
#include "text/language_set.h"
#include "text/languages.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr char kDictionaries[] = "dictionaries";

std::string CodeOf(absl::string_view tag) {
  const std::optional<Language> language = ReadLanguage(tag);
  return language.has_value() ? language->code : "";
}

absl::Status InvalidEntries(const absl::Status& status) {
  return WithField(status, "entries");
}

// The code of a language that a parameter names.
absl::StatusOr<std::string> ReadCode(const BodyFields& fields,
                                     absl::string_view name,
                                     absl::string_view field) {
  const absl::StatusOr<std::string> tag = fields.String(name);
  if (!tag.ok()) return tag;
  if (tag->empty()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("Parameter '%s' not specified", name));
  }
  std::string code = CodeOf(*tag);
  if (!code.empty()) return code;
  return WithField(
      absl::InvalidArgumentError(absl::StrFormat(
          "%s is \"%s\", which is no language", name, Escaped(*tag))),
      field);
}

// One element of "dictionaries".
absl::StatusOr<BodyFields> FieldsOf(const json& element) {
  if (!element.is_object()) {
    return absl::InvalidArgumentError("dictionaries is no array of objects");
  }
  BodyFields fields;
  fields.values = element;
  absl::Status status = CheckParameters(
      fields, {"source_lang", "target_lang", "entries", "entries_format"});
  if (!status.ok()) return status;
  return fields;
}

// Moves the parameters "dictionaries[N].NAME" into an array of objects.
absl::StatusOr<json> ArrayOfForm(json& values) {
  json array = json::array();
  json rest = json::object();
  for (auto& [name, value] : values.items()) {
    absl::string_view left = name;
    size_t index = 0;
    if (!absl::ConsumePrefix(&left, absl::StrCat(kDictionaries, "["))) {
      rest[name] = std::move(value);
      continue;
    }
    const size_t end = left.find("].");
    if (end == absl::string_view::npos ||
        !absl::SimpleAtoi(left.substr(0, end), &index) ||
        index >= CallerGlossaries::kMaxDictionaries) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "Parameter '%s' not supported; allowed is dictionaries[0].entries "
          "with numbers 0..%d",
          Escaped(name), CallerGlossaries::kMaxDictionaries - 1));
    }
    while (array.size() <= index) array.push_back(json::object());
    array[index][std::string(left.substr(end + 2))] = std::move(value);
  }
  values = std::move(rest);
  return array;
}

}  // namespace

GlossaryPairs::GlossaryPairs(const json& languages) {
  for (const json& language : languages) {
    const std::string source = CodeOf(language["code"].get<std::string>());
    for (const json& target : language["targets"]) {
      const std::string code = CodeOf(target.get<std::string>());
      if (!source.empty() && !code.empty() && source != code) {
        pairs_.emplace(source, code);
      }
    }
  }
}

std::string GlossaryPairs::Listed() const {
  std::vector<std::string> names;
  names.reserve(pairs_.size());
  for (const auto& [source, target] : pairs_) {
    names.push_back(absl::StrCat(source, "-", target));
  }
  return names.empty() ? "none" : ListedShortly(names);
}

json GlossaryPairs::ToJson() const {
  json pairs = json::array();
  for (const auto& [source, target] : pairs_) {
    pairs.push_back({{"source_lang", source}, {"target_lang", target}});
  }
  return {{"supported_languages", std::move(pairs)}};
}

absl::Status CheckParameters(const BodyFields& fields,
                             absl::Span<const absl::string_view> allowed) {
  for (const auto& [name, value] : fields.values.items()) {
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "Parameter '%s' not supported; allowed is %s", Escaped(name),
          allowed.empty() ? "none" : absl::StrJoin(allowed, ", ")));
    }
  }
  if (fields.files.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "the request has a file; this path takes "
      "none");
}

absl::StatusOr<std::pair<std::string, std::string>> ReadGlossaryPair(
    const BodyFields& fields, const GlossaryPairs& pairs) {
  absl::StatusOr<std::string> source =
      ReadCode(fields, "source_lang", "source_language");
  if (!source.ok()) return source.status();
  absl::StatusOr<std::string> target =
      ReadCode(fields, "target_lang", "target_language");
  if (!target.ok()) return target.status();
  if (pairs.Has(*source, *target)) {
    return std::pair(*std::move(source), *std::move(target));
  }
  return WithField(
      absl::InvalidArgumentError(absl::StrFormat(
          "source_lang is \"%s\" and target_lang \"%s\"; this server has %s",
          *source, *target, pairs.Listed())),
      "language_pair");
}

absl::StatusOr<DictionaryText> ReadDictionary(const BodyFields& fields,
                                              const GlossaryPairs& pairs) {
  absl::StatusOr<std::pair<std::string, std::string>> languages =
      ReadGlossaryPair(fields, pairs);
  if (!languages.ok()) return languages.status();
  DictionaryText out;
  std::tie(out.source, out.target) = *std::move(languages);
  const absl::StatusOr<std::string> text = fields.String("entries");
  if (!text.ok()) return text.status();
  const absl::StatusOr<std::string> format = fields.String("entries_format");
  if (!format.ok()) return format.status();
  absl::StatusOr<std::vector<TermPair>> entries;
  if (format->empty() || *format == "tsv") {
    entries = ParseTermsTsv(*text);
  } else if (*format == "csv") {
    entries = ParseTermsCsv(
        *text, [&](absl::string_view source, absl::string_view target) {
          return CodeOf(source) == out.source && CodeOf(target) == out.target;
        });
  } else {
    return absl::InvalidArgumentError(
        absl::StrFormat("entries_format is \"%s\"; this server allows tsv, csv",
                        Escaped(*format)));
  }
  if (!entries.ok()) return InvalidEntries(entries.status());
  out.entries = *std::move(entries);
  return out;
}

absl::StatusOr<std::vector<DictionaryText>> TakeDictionaries(
    BodyFields& fields, const GlossaryPairs& pairs) {
  json array = json::array();
  if (const json* value = fields.Find(kDictionaries); value != nullptr) {
    array = *value;
  } else if (!fields.is_json) {
    absl::StatusOr<json> of_form = ArrayOfForm(fields.values);
    if (!of_form.ok()) return of_form.status();
    array = *std::move(of_form);
  }
  fields.values.erase(kDictionaries);
  if (!array.is_array() || array.size() > CallerGlossaries::kMaxDictionaries) {
    return absl::InvalidArgumentError(
        absl::StrFormat("dictionaries is no array of up to %d objects",
                        CallerGlossaries::kMaxDictionaries));
  }
  std::vector<DictionaryText> texts;
  std::set<std::pair<std::string, std::string>> seen;
  for (const json& element : array) {
    const absl::StatusOr<BodyFields> each = FieldsOf(element);
    if (!each.ok()) return each.status();
    absl::StatusOr<DictionaryText> text = ReadDictionary(*each, pairs);
    if (!text.ok()) return text.status();
    if (!seen.emplace(text->source, text->target).second) {
      return absl::InvalidArgumentError(
          absl::StrFormat("dictionaries has two for %s-%s; this server allows "
                          "one",
                          text->source, text->target));
    }
    texts.push_back(*std::move(text));
  }
  return texts;
}

json DictionaryJson(const CallerDictionary& dictionary) {
  return {{"source_lang", dictionary.source},
          {"target_lang", dictionary.target},
          {"entry_count", dictionary.num_entries}};
}

std::string CreationTimeText(const CallerGlossary& glossary) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", glossary.created,
                          absl::UTCTimeZone());
}

}  // namespace sheaf
