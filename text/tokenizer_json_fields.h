// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <initializer_list>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace sheaf {

// The member of an object. Null if there is none.
const nlohmann::json& Member(const nlohmann::json& object, const char* key);

bool HasType(const nlohmann::json& object, const char* type);

// Checks the fields of one tokenizer.json. `field` is the name of an object in
// the file, such as "pre_tokenizer".
class TokenizerJsonFields {
 public:
  // Messages begin with `name`, which must outlive this.
  explicit TokenizerJsonFields(absl::string_view name) : name_(name) {}

  absl::string_view name() const { return name_; }

  // UNIMPLEMENTED, with what is supported instead of `value`.
  absl::Status Unsupported(absl::string_view field, const nlohmann::json& value,
                           absl::string_view supported) const;

  // INVALID_ARGUMENT, with the rule that the field breaks.
  absl::Status Invalid(absl::string_view field, absl::string_view rule) const;

  // A boolean member. `fallback` if there is none.
  absl::StatusOr<bool> Bool(absl::string_view field,
                            const nlohmann::json& object, const char* key,
                            bool fallback) const;

  // The steps of a Sequence, which has them in `list`, or the value itself if
  // it is another object. None if it is null.
  absl::StatusOr<std::vector<const nlohmann::json*>> Elements(
      absl::string_view field, const nlohmann::json& value,
      const char* list) const;

  // UNIMPLEMENTED if the object has other members than `keys` and "type",
  // except null ones.
  absl::Status CheckKeys(absl::string_view field, const nlohmann::json& object,
                         std::initializer_list<absl::string_view> keys) const;

 private:
  const absl::string_view name_;
};

}  // namespace sheaf
