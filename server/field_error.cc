// SPDX-License-Identifier: Apache-2.0

#include "server/field_error.h"

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"

namespace sheaf {
namespace {

constexpr char kPayload[] = "sheaf/field";

}  // namespace

absl::Status WithField(absl::Status status, absl::string_view field) {
  status.SetPayload(kPayload, absl::Cord(field));
  return status;
}

std::string FieldOf(const absl::Status& status) {
  const auto field = status.GetPayload(kPayload);
  return field.has_value() ? std::string(*field) : "";
}

std::string Escaped(absl::string_view text) {
  constexpr size_t kMaxBytes = 100;
  std::string escaped = absl::CHexEscape(text.substr(0, kMaxBytes));
  if (text.size() > kMaxBytes) escaped += "...";
  return escaped;
}

}  // namespace sheaf
