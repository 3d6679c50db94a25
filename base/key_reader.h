// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace sheaf {

// Returns `value` in a form for messages: one line, cut if it is long.
std::string Shown(const nlohmann::json& value);

// Reads the keys of one file's object. status() keeps the first error, and
// values that are read after it are not used, so callers check once, at the
// end.
class KeyReader {
 public:
  // `object` must outlive the reader. Messages begin with `path`.
  KeyReader(const nlohmann::json& object, std::string path)
      : object_(object), path_(std::move(path)) {}

  const absl::Status& status() const { return status_; }

  // Whether the key is present, even with the value null.
  bool Has(absl::string_view key) const;

  // Returns null if the key is absent or its value is null.
  const nlohmann::json* Find(absl::string_view key) const;

  void Refuse(absl::string_view key, const nlohmann::json& value,
              absl::string_view allowed);
  void RefuseAbsent(absl::string_view key, absl::string_view allowed);

  // REQUIRES: min >= 0.
  int32_t IntOf(absl::string_view key, const nlohmann::json& value, int32_t min,
                int32_t max);

  // The default is not checked against min..max.
  int32_t Int(absl::string_view key, int32_t min, int32_t max,
              std::optional<int32_t> default_value = std::nullopt);

  bool Bool(absl::string_view key, bool default_value);

  double Number(absl::string_view key, double min, double max,
                double default_value);

  // Calls `read` with a reader of the object at `key`, whose messages name both
  // keys: "encoder.head_dim". Its status becomes that of this reader. Refuses a
  // value that is no object.
  void Object(absl::string_view key,
              absl::FunctionRef<void(KeyReader& object)> read);

 private:
  const nlohmann::json& object_;
  const std::string path_;
  std::string prefix_;  // of keys in messages: "" or "encoder."
  absl::Status status_;
};

}  // namespace sheaf
