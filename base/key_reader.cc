// SPDX-License-Identifier: Apache-2.0

#include "base/key_reader.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input_file.h"

namespace sheaf {

using nlohmann::json;

std::string Shown(const json& value) {
  constexpr size_t kMaxBytes = 80;
  if (value.is_string()) return Quoted(value.get_ref<const std::string&>());
  const std::string text =
      value.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/true);
  if (text.size() <= kMaxBytes) return text;
  return absl::StrCat(text.substr(0, kMaxBytes), "...");
}

bool KeyReader::Has(absl::string_view key) const {
  return object_.contains(std::string(key));
}

const json* KeyReader::Find(absl::string_view key) const {
  const auto place = object_.find(std::string(key));
  return place == object_.end() || place->is_null() ? nullptr : &*place;
}

void KeyReader::Refuse(absl::string_view key, const json& value,
                       absl::string_view allowed) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(
      absl::StrFormat("%s: %s%s is %s; allowed is %s", path_, prefix_, key,
                      Shown(value), allowed));
}

void KeyReader::RefuseAbsent(absl::string_view key, absl::string_view allowed) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(absl::StrFormat(
      "%s: %s%s is missing; allowed is %s", path_, prefix_, key, allowed));
}

int32_t KeyReader::IntOf(absl::string_view key, const json& value, int32_t min,
                         int32_t max) {
  // One past int64 wraps to a negative number and is refused as such.
  const bool is_integer = value.is_number_integer();
  const int64_t number = is_integer ? value.get<int64_t>() : 0;
  if (!is_integer || number < min || number > max) {
    Refuse(key, value, absl::StrFormat("an integer in %d..%d", min, max));
    return min;
  }
  return static_cast<int32_t>(number);
}

int32_t KeyReader::Int(absl::string_view key, int32_t min, int32_t max,
                       std::optional<int32_t> default_value) {
  const json* value = Find(key);
  if (value != nullptr) return IntOf(key, *value, min, max);
  if (!default_value.has_value()) {
    RefuseAbsent(key, absl::StrFormat("an integer in %d..%d", min, max));
  }
  return default_value.value_or(min);
}

bool KeyReader::Bool(absl::string_view key, bool default_value) {
  const json* value = Find(key);
  if (value == nullptr) return default_value;
  if (!value->is_boolean()) Refuse(key, *value, "true or false");
  return value->is_boolean() && value->get<bool>();
}

double KeyReader::Number(absl::string_view key, double min, double max,
                         double default_value) {
  const json* value = Find(key);
  if (value == nullptr) return default_value;
  const double number = value->is_number() ? value->get<double>() : 0;
  if (!value->is_number() || number < min || number > max) {
    Refuse(key, *value, absl::StrFormat("a number in %g..%g", min, max));
  }
  return number;
}

void KeyReader::Object(absl::string_view key,
                       absl::FunctionRef<void(KeyReader& object)> read) {
  const json* value = Find(key);
  if (value == nullptr) return RefuseAbsent(key, "an object");
  if (!value->is_object()) return Refuse(key, *value, "an object");
  KeyReader object(*value, path_);
  object.prefix_ = absl::StrCat(prefix_, key, ".");
  object.status_ = status_;
  read(object);
  status_ = object.status_;
}

}  // namespace sheaf
