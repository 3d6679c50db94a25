// SPDX-License-Identifier: Apache-2.0

#include "base/usage_error.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace sheaf {
namespace {

constexpr char kUsagePayload[] = "sheaf/usage";

}  // namespace

absl::Status UsageError(absl::string_view message) {
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kUsagePayload, absl::Cord());
  return status;
}

bool IsUsageError(const absl::Status& status) {
  return status.GetPayload(kUsagePayload).has_value();
}

absl::Status WithPrefix(const absl::Status& status, absl::string_view prefix) {
  absl::Status prefixed(status.code(),
                        absl::StrCat(prefix, ": ", status.message()));
  if (IsUsageError(status)) prefixed.SetPayload(kUsagePayload, absl::Cord());
  return prefixed;
}

}  // namespace sheaf
