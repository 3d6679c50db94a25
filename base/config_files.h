// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/strict_json.h"

namespace sheaf {

// The configuration files of a model directory, each parsed once for all of
// its readers: those of the model, of its tasks and of its defaults.
struct ConfigFiles {
  std::string directory;
  nlohmann::json config;                     // config.json: an object
  std::optional<nlohmann::json> generation;  // generation_config.json, likewise
  std::optional<nlohmann::json> alignment =
      {};  // sheaf_alignment.json, likewise

  // Paths, for messages.
  std::string config_path() const { return directory + "/config.json"; }
  std::string generation_path() const {
    return directory + "/generation_config.json";
  }
  std::string alignment_path() const {
    return directory + "/sheaf_alignment.json";
  }
};

// NotFound if there is no config.json. Errors name the file.
absl::StatusOr<ConfigFiles> ReadConfigFiles(const std::string& directory);

// The same from the text of the first two files; `directory` is only for
// messages.
absl::StatusOr<ConfigFiles> ParseConfigFiles(
    absl::string_view config_json,
    std::optional<absl::string_view> generation_json,
    absl::string_view directory);

}  // namespace sheaf
