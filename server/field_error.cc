#include "server/field_error.h"

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"

namespace sheaf {
namespace {

constexpr char kPayload[] = "sheaf/field";

}  // namespace

absl::Status NamesField(absl::Status status) {
  const absl::string_view message = status.message();
  status.SetPayload(kPayload, absl::Cord(message.substr(0, message.find(' '))));
  return status;
}

std::string FieldOf(const absl::Status& status) {
  const auto field = status.GetPayload(kPayload);
  return field.has_value() ? std::string(*field) : "";
}

std::string Shown(absl::string_view text) {
  constexpr size_t kMost = 100;
  std::string shown = absl::CHexEscape(text.substr(0, kMost));
  if (text.size() > kMost) shown += "...";
  return shown;
}

}  // namespace sheaf
