// SPDX-License-Identifier: Apache-2.0

#include "engine/model/families/registry.h"

#include "absl/strings/str_cat.h"
#include "engine/model/families/bart.h"
#include "engine/model/families/t5.h"
#include "engine/model/families/t5gemma.h"

namespace sheaf {

absl::Span<const Family* const> Families() {
  static const Family* const kFamilies[] = {&T5Family(), &BartFamily(),
                                            &T5GemmaFamily()};
  return kFamilies;
}

FoundFamily FindFamily(absl::string_view model_type) {
  for (const Family* family : Families()) {
    for (const ModelType& type : family->model_types) {
      if (type.name == model_type) return {family, &type};
    }
  }
  return {};
}

std::string ModelTypeNames() {
  std::string names;
  for (const Family* family : Families()) {
    for (const ModelType& type : family->model_types) {
      absl::StrAppend(&names, names.empty() ? "" : ", ", type.name);
    }
  }
  return names;
}

}  // namespace sheaf
