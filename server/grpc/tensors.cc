// SPDX-License-Identifier: Apache-2.0

#include "server/grpc/tensors.h"

#include <bit>
#include <cstring>

#include "absl/strings/str_format.h"

namespace sheaf {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr size_t kLengthBytes = sizeof(uint32_t);

}  // namespace

absl::StatusOr<std::vector<absl::string_view>> SplitRawBytes(
    absl::string_view raw, size_t num_elements) {
  std::vector<absl::string_view> elements;
  elements.reserve(num_elements);
  size_t at = 0;
  for (size_t i = 0; i < num_elements; ++i) {
    uint32_t length = 0;
    if (raw.size() - at < kLengthBytes) {
      return absl::InvalidArgumentError(
          absl::StrFormat("has %d bytes, which end before element %d of %d",
                          raw.size(), i, num_elements));
    }
    std::memcpy(&length, raw.data() + at, kLengthBytes);
    at += kLengthBytes;
    if (raw.size() - at < length) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "has %d bytes; element %d has the length %d, and %d bytes follow",
          raw.size(), i, length, raw.size() - at));
    }
    elements.push_back(raw.substr(at, length));
    at += length;
  }
  if (at < raw.size()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "has %d bytes; %d are left after the %d elements of the shape",
        raw.size(), raw.size() - at, num_elements));
  }
  return elements;
}

std::string ToRaw(absl::Span<const std::string> elements) {
  std::string raw;
  for (const std::string& element : elements) {
    const auto length = static_cast<uint32_t>(element.size());
    raw.append(reinterpret_cast<const char*>(&length), kLengthBytes);
    raw += element;
  }
  return raw;
}

std::string ToRaw(absl::Span<const float> elements) {
  return std::string(reinterpret_cast<const char*>(elements.data()),
                     elements.size() * sizeof(float));
}

}  // namespace sheaf
