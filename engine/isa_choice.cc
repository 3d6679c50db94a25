// SPDX-License-Identifier: Apache-2.0

#include "engine/isa_choice.h"

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sheaf {
namespace {

constexpr char kRefused[] =
    "the processor has AMX, but the operating system does not let this process "
    "use it";

}  // namespace

absl::StatusOr<IsaChoice> ChooseIsa(absl::string_view name,
                                    const kernels::DetectedIsa& detected) {
  if (name == "auto") {
    IsaChoice choice = {detected.isa, ""};
    if (detected.is_amx_refused) {
      choice.warning = absl::StrCat(kRefused, "; the kernels use AVX-512");
    }
    return choice;
  }
  const std::optional<kernels::Isa> asked = kernels::ParseIsa(name);
  if (asked.has_value() && *asked <= detected.isa) return IsaChoice{*asked, ""};
  std::string allowed = "auto";
  for (int i = 0; i <= static_cast<int>(detected.isa); ++i) {
    absl::StrAppend(&allowed, ", ",
                    kernels::IsaName(static_cast<kernels::Isa>(i)));
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "--isa is \"%s\"; on this machine it may be one of %s%s", name, allowed,
      detected.is_amx_refused ? absl::StrCat(" (", kRefused, ")") : ""));
}

}  // namespace sheaf
