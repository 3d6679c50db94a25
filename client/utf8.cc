// SPDX-License-Identifier: Apache-2.0

#include "client/utf8.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sheaf {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

bool IsContinuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

// Returns the size of the character at the start of `text`, or 0 if it is not
// UTF-8.
size_t CharacterLength(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(byte(i))) return 0;
  }
  const uint8_t second = byte(1);
  if (lead == 0xE0 && second < 0xA0) return 0;  // Overlong.
  if (lead == 0xED && second > 0x9F) return 0;  // Surrogate.
  if (lead == 0xF0 && second < 0x90) return 0;  // Overlong.
  if (lead == 0xF4 && second > 0x8F) return 0;  // Past U+10FFFF.
  return length;
}

absl::Status CheckString(const FieldDescriptor& field, absl::string_view text) {
  const size_t prefix = Utf8PrefixLength(text);
  if (prefix == text.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("%s is not valid UTF-8: byte %d is 0x%02x", field.name(),
                      prefix, static_cast<uint8_t>(text[prefix])));
}

absl::Status CheckField(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  const int count =
      field.is_repeated() ? reflection.FieldSize(message, &field) : 1;
  for (int i = 0; i < count; ++i) {
    absl::Status status;
    if (field.type() == FieldDescriptor::TYPE_STRING) {
      std::string scratch;
      status = CheckString(field, field.is_repeated()
                                      ? reflection.GetRepeatedStringReference(
                                            message, &field, i, &scratch)
                                      : reflection.GetStringReference(
                                            message, &field, &scratch));
    } else if (field.type() == FieldDescriptor::TYPE_MESSAGE) {
      status = CheckUtf8(field.is_repeated()
                             ? reflection.GetRepeatedMessage(message, &field, i)
                             : reflection.GetMessage(message, &field));
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

size_t Utf8PrefixLength(absl::string_view text) {
  size_t length = 0;
  while (length < text.size()) {
    const size_t character = CharacterLength(text.substr(length));
    if (character == 0) break;
    length += character;
  }
  return length;
}

absl::Status CheckUtf8(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (absl::Status status = CheckField(message, *field); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace sheaf
