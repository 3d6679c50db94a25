// SPDX-License-Identifier: Apache-2.0

#include "text/tokenizer_json_fields.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/key_reader.h"

namespace sheaf {

using nlohmann::json;

const json& Member(const json& object, const char* key) {
  static const json* const kNull = new json(nullptr);
  if (!object.is_object()) return *kNull;
  const auto member = object.find(key);
  return member == object.end() ? *kNull : *member;
}

bool HasType(const json& object, const char* type) {
  return Member(object, "type") == type;
}

absl::Status TokenizerJsonFields::Unsupported(
    absl::string_view field, const json& value,
    absl::string_view supported) const {
  return absl::UnimplementedError(absl::StrFormat(
      "%s: %s is %s; %s is supported", name_, field, Shown(value), supported));
}

absl::Status TokenizerJsonFields::Invalid(absl::string_view field,
                                          absl::string_view rule) const {
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: %s %s", name_, field, rule));
}

absl::StatusOr<bool> TokenizerJsonFields::Bool(absl::string_view field,
                                               const json& object,
                                               const char* key,
                                               bool fallback) const {
  const json& value = Member(object, key);
  if (value.is_null()) return fallback;
  if (value.is_boolean()) return value.get<bool>();
  return Invalid(
      absl::StrCat(field, ".", key),
      absl::StrCat("is ", Shown(value), "; true or false is allowed"));
}

absl::StatusOr<std::vector<const json*>> TokenizerJsonFields::Elements(
    absl::string_view field, const json& value, const char* list) const {
  std::vector<const json*> out;
  if (value.is_null()) return out;
  if (!HasType(value, "Sequence")) {
    out.push_back(&value);
    return out;
  }
  const json& elements = Member(value, list);
  if (!elements.is_array()) {
    return Unsupported(absl::StrCat(field, ".", list), elements, "an array");
  }
  out.reserve(elements.size());
  for (const json& element : elements) out.push_back(&element);
  return out;
}

absl::Status TokenizerJsonFields::CheckKeys(
    absl::string_view field, const json& object,
    std::initializer_list<absl::string_view> keys) const {
  for (const auto& [key, value] : object.items()) {
    if (value.is_null() || key == "type" ||
        std::find(keys.begin(), keys.end(), key) != keys.end()) {
      continue;
    }
    return Unsupported(absl::StrCat(field, ".", key), value,
                       absl::StrCat("only ", absl::StrJoin(keys, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace sheaf
