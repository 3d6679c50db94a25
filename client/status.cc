#include "client/status.h"

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

std::string FormatError(const absl::Status& status) {
  return absl::StrCat("sheaf: ", CodeName(status.code()), ": ",
                      status.message());
}

std::string CodeName(absl::StatusCode code) {
  const std::string name = absl::StatusCodeToString(code);
  if (!name.empty()) return name;
  return absl::StrCat("CODE_", static_cast<int>(code));
}

}  // namespace sheaf
