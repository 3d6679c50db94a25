// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/model/families/family.h"

namespace sheaf {

// All families, each in a file of this folder.
absl::Span<const Family* const> Families();

// A model type and its family; both are null if no family has the type.
struct FoundFamily {
  const Family* family = nullptr;
  const ModelType* type = nullptr;
};
FoundFamily FindFamily(absl::string_view model_type);

// The names of all model types, with commas between them.
std::string ModelTypeNames();

}  // namespace sheaf
