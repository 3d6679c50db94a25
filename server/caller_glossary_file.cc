// SPDX-License-Identifier: Apache-2.0

#include "server/caller_glossary_file.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/input_file.h"
#include "base/key_reader.h"
#include "base/strict_json.h"
#include "nlohmann/json.hpp"
#include "server/ops/random_hex.h"
#include "text/languages.h"
#include "text/utf8.h"

namespace sheaf {
namespace {

using nlohmann::json;

constexpr char kOwner[] = "owner";
constexpr char kName[] = "name";
constexpr char kCreated[] = "creation_time";
constexpr char kDictionaries[] = "dictionaries";
constexpr char kSource[] = "source_lang";
constexpr char kTarget[] = "target_lang";
constexpr char kEntries[] = "entries";

// An owner is the name of a token, a subject or an address.
constexpr size_t kMaxOwnerBytes = 1024;
// The size of a file: the entries of all dictionaries, with an escape for each
// tab and line end.
constexpr uint64_t kMaxFileBytes = uint64_t{128} << 20;

constexpr size_t kIdBytes = 16;
constexpr size_t kIdSize = 36;  // with its dashes

// Whether a UUID has a dash there.
bool IsDash(size_t at) { return at == 8 || at == 13 || at == 18 || at == 23; }

std::string StringOf(KeyReader& keys, absl::string_view key) {
  const json* value = keys.Find(key);
  if (value == nullptr) {
    keys.RefuseAbsent(key, "a string");
  } else if (!value->is_string()) {
    keys.Refuse(key, *value, "a string");
  } else {
    return value->get<std::string>();
  }
  return "";
}

std::string CodeOf(KeyReader& keys, absl::string_view key) {
  std::string code = StringOf(keys, key);
  const std::optional<Language> language = ReadLanguage(code);
  if (!language.has_value() || language->code != code) {
    keys.Refuse(key, code, "the code of a language");
  }
  return code;
}

absl::Status ReadDictionary(const json& value, const std::string& path,
                            CallerGlossary& glossary) {
  KeyReader keys(value, path);
  std::string source = CodeOf(keys, kSource), target = CodeOf(keys, kTarget);
  const std::string tsv = StringOf(keys, kEntries);
  if (!keys.status().ok()) return keys.status();
  const absl::StatusOr<std::vector<TermPair>> pairs = ParseTermsTsv(tsv);
  if (!pairs.ok()) return pairs.status();
  if (glossary.Find(source, target) != nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, "-", target, " is there twice"));
  }
  absl::StatusOr<std::shared_ptr<const CallerDictionary>> dictionary =
      CallerDictionary::Make(std::move(source), std::move(target), *pairs,
                             [] { return true; });
  if (!dictionary.ok()) return dictionary.status();
  glossary.dictionaries.push_back(*std::move(dictionary));
  return absl::OkStatus();
}

absl::Status ReadDictionaries(const json& values, const std::string& path,
                              CallerGlossary& glossary) {
  if (!values.is_array() ||
      values.size() > CallerGlossaries::kMaxDictionaries) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s is no array of up to %d objects", kDictionaries,
                        CallerGlossaries::kMaxDictionaries));
  }
  for (const json& value : values) {
    if (!value.is_object()) {
      return absl::InvalidArgumentError("a dictionary is no object");
    }
    if (absl::Status status = ReadDictionary(value, path, glossary);
        !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string NewGlossaryId() {
  std::string id;
  for (const char digit : RandomHex(kIdBytes)) {
    if (IsDash(id.size())) id += '-';
    id += digit;
  }
  // RFC 9562: version 4, and the variant, whose first two bits are 1 and 0.
  id[14] = '4';
  id[19] = "89ab"[id[19] % 4];
  return id;
}

bool IsGlossaryId(absl::string_view text) {
  if (text.size() != kIdSize) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_digit = absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
    if (IsDash(i) ? c != '-' : !is_digit) return false;
  }
  return true;
}

absl::Status CheckGlossaryName(absl::string_view name) {
  const bool is_right = !absl::StripAsciiWhitespace(name).empty() &&
                        name.size() <= CallerGlossaries::kMaxNameBytes &&
                        IsValidUtf8(name);
  if (is_right) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s is %s; allowed is 1..%d bytes of UTF-8 that are not only white space",
      kName, Quoted(name), CallerGlossaries::kMaxNameBytes));
}

std::string ToFileText(const CallerGlossary& glossary) {
  json dictionaries = json::array();
  for (const auto& dictionary : glossary.dictionaries) {
    dictionaries.push_back({{kSource, dictionary->source},
                            {kTarget, dictionary->target},
                            {kEntries, dictionary->tsv}});
  }
  const json value = {
      {kOwner, glossary.owner},
      {kName, glossary.name},
      {kCreated, absl::FormatTime(absl::RFC3339_full, glossary.created,
                                  absl::UTCTimeZone())},
      {kDictionaries, std::move(dictionaries)}};
  // All strings are UTF-8, except possibly the owner.
  return value.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false,
                    json::error_handler_t::replace);
}

absl::StatusOr<CallerGlossary> ReadGlossaryFile(const std::string& path,
                                                absl::string_view id) {
  const absl::StatusOr<json> value = ReadStrictJson(
      path, {.max_bytes = kMaxFileBytes, .max_values = kMaxJsonValues});
  if (!value.ok()) return value.status();
  if (!value->is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is no object"));
  }
  KeyReader keys(*value, path);
  CallerGlossary glossary;
  glossary.id = std::string(id);
  glossary.owner = StringOf(keys, kOwner);
  glossary.name = StringOf(keys, kName);
  const std::string created = StringOf(keys, kCreated);
  if (!keys.Has(kDictionaries)) keys.RefuseAbsent(kDictionaries, "an array");
  absl::Status status = keys.status();
  if (!status.ok()) return status;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, created, &glossary.created,
                       &error)) {
    status = absl::InvalidArgumentError(
        absl::StrCat(kCreated, " is ", Quoted(created), ": ", error));
  }
  if (glossary.owner.empty() || glossary.owner.size() > kMaxOwnerBytes) {
    status.Update(absl::InvalidArgumentError("the owner is no name"));
  }
  status.Update(CheckGlossaryName(glossary.name));
  if (status.ok()) {
    status = ReadDictionaries((*value)[kDictionaries], path, glossary);
  }
  if (status.ok()) return glossary;
  return absl::Status(status.code(),
                      absl::StrCat(path, ": ", status.message()));
}

}  // namespace sheaf
