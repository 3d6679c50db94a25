#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace sheaf {

// `value` as a message shows it.
std::string Shown(const nlohmann::json& value);

// Reads the keys of one file's object. The first refusal stays in status(), and
// what is read after it does not matter, so callers check once, at the end.
class KeyReader {
 public:
  // `object` must live as long as the reader; `path` begins the messages.
  KeyReader(const nlohmann::json& object, std::string path)
      : object_(object), path_(std::move(path)) {}

  const absl::Status& status() const { return status_; }

  // Whether the key is there, be its value null.
  bool Has(absl::string_view key) const;

  // Null if the key is absent or its value null.
  const nlohmann::json* Find(absl::string_view key) const;

  void Refuse(absl::string_view key, const nlohmann::json& value,
              absl::string_view allowed);
  void RefuseAbsent(absl::string_view key, absl::string_view allowed);

  // REQUIRES: min >= 0.
  int32_t IntOf(absl::string_view key, const nlohmann::json& value, int32_t min,
                int32_t max);

  // The default is not held against min..max.
  int32_t Int(absl::string_view key, int32_t min, int32_t max,
              std::optional<int32_t> default_value = std::nullopt);

  bool Bool(absl::string_view key, bool default_value);

  double Number(absl::string_view key, double min, double max,
                double default_value);

 private:
  const nlohmann::json& object_;
  const std::string path_;
  absl::Status status_;
};

}  // namespace sheaf
