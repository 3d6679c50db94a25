// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/config_files.h"
#include "text/tasks.h"

namespace sheaf {

// The tasks of a model directory with these files. An empty text stands for an
// absent file.
inline absl::StatusOr<ModelTasks> ParseModelTasks(
    const std::string& config_json, const std::string& generation_json = "",
    const std::string& tasks_json = "") {
  std::optional<absl::string_view> generation;
  if (!generation_json.empty()) generation = generation_json;
  const absl::StatusOr<ConfigFiles> files =
      ParseConfigFiles(config_json, generation, "dir");
  if (!files.ok()) return files.status();
  return ReadModelTasks(*files, {.tasks_json = tasks_json});
}

}  // namespace sheaf
