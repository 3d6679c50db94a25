// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/config_files.h"
#include "engine/model/architecture.h"
#include "engine/model/families/family.h"
#include "engine/model/tensor_list.h"

namespace sheaf {

// A model before its weights are in memory.
struct ModelDescription {
  const Family* family = nullptr;
  Architecture architecture;
  // The name of each tensor in the checkpoint; empty until MatchTensors().
  std::map<TensorPlace, std::string> tensors;
  // Parts of the model's files that the reference implementation follows and
  // this one does not, each with its effect.
  std::vector<std::string> warnings;
  ConfigFiles files;
};

// Reads the configuration files of a directory: config.json and, if there is
// one, generation_config.json, whose token ids take precedence. A key that is
// null counts as absent; unknown keys are ignored. NOT_FOUND if there is no
// config.json. Other errors are INVALID_ARGUMENT and name file, key, value and
// what is allowed.
absl::StatusOr<ModelDescription> ReadDescription(const std::string& directory);

// The same from files that have been read.
absl::StatusOr<ModelDescription> DescribeModel(ConfigFiles files);

}  // namespace sheaf
