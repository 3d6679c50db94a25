// SPDX-License-Identifier: Apache-2.0

#include "base/config_files.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/input_file.h"

namespace sheaf {
namespace {

absl::StatusOr<nlohmann::json> ParseObject(absl::string_view text,
                                           const std::string& path) {
  absl::StatusOr<nlohmann::json> value = ParseStrictJson(text, path);
  if (value.ok() && !value->is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": must hold an object"));
  }
  return value;
}

}  // namespace

absl::StatusOr<ConfigFiles> ParseConfigFiles(
    absl::string_view config_json,
    std::optional<absl::string_view> generation_json,
    absl::string_view directory) {
  ConfigFiles files;
  files.directory = std::string(directory);
  absl::StatusOr<nlohmann::json> config =
      ParseObject(config_json, files.config_path());
  if (!config.ok()) return config.status();
  files.config = *std::move(config);
  if (generation_json.has_value()) {
    absl::StatusOr<nlohmann::json> generation =
        ParseObject(*generation_json, files.generation_path());
    if (!generation.ok()) return generation.status();
    files.generation = *std::move(generation);
  }
  return files;
}

absl::StatusOr<ConfigFiles> ReadConfigFiles(const std::string& directory) {
  const ConfigFiles paths = {directory, {}, {}, {}};
  const absl::StatusOr<std::string> config =
      ReadTextFile(paths.config_path(), kMaxJsonBytes);
  if (!config.ok()) return config.status();
  const absl::StatusOr<std::string> generation =
      ReadTextFile(paths.generation_path(), kMaxJsonBytes);
  if (!generation.ok() && !absl::IsNotFound(generation.status())) {
    return generation.status();
  }
  std::optional<absl::string_view> generation_text;
  if (generation.ok()) generation_text = *generation;
  absl::StatusOr<ConfigFiles> files =
      ParseConfigFiles(*config, generation_text, directory);
  if (!files.ok()) return files;
  const std::string alignment_path = files->alignment_path();
  const absl::StatusOr<std::string> alignment =
      ReadTextFile(alignment_path, kMaxJsonBytes);
  if (absl::IsNotFound(alignment.status())) return files;
  if (!alignment.ok()) return alignment.status();
  absl::StatusOr<nlohmann::json> value =
      ParseObject(*alignment, alignment_path);
  if (!value.ok()) return value.status();
  files->alignment = *std::move(value);
  return files;
}

}  // namespace sheaf
