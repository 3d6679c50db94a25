// SPDX-License-Identifier: Apache-2.0

#include "text/wire_format.h"

namespace sheaf {
namespace {

void AppendRaw(uint64_t value, std::string& message) {
  for (; value >= 0x80; value >>= 7) {
    message.push_back(static_cast<char>(value | 0x80));
  }
  message.push_back(static_cast<char>(value));
}

void AppendTag(uint32_t number, WireType type, std::string& message) {
  AppendRaw(uint64_t{number} << 3 | static_cast<uint64_t>(type), message);
}

}  // namespace

bool WireReader::ReadVarint(uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (position_ == message_.size()) return false;
    const auto byte = static_cast<uint8_t>(message_[position_++]);
    value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// Little-endian on any machine.
bool WireReader::ReadFixed(size_t size, uint64_t& value) {
  if (size > message_.size() - position_) return false;
  value = 0;
  for (size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<uint8_t>(message_[position_++]);
    value |= uint64_t{byte} << (8 * i);
  }
  return true;
}

bool WireReader::ReadField(WireField& field) {
  field = WireField();
  uint64_t tag;
  if (!ReadVarint(tag)) return false;
  const uint64_t number = tag >> 3;
  if (number == 0 || number >= uint64_t{1} << 29) return false;
  field.number = static_cast<uint32_t>(number);
  field.type = static_cast<WireType>(tag & 7);
  uint64_t value;
  switch (field.type) {
    case WireType::kVarint:
      return ReadVarint(field.varint);
    case WireType::kFixed64:
      return ReadFixed(8, value);
    case WireType::kFixed32:
      if (!ReadFixed(4, value)) return false;
      field.fixed32 = static_cast<uint32_t>(value);
      return true;
    case WireType::kBytes:
      if (!ReadVarint(value) || value > message_.size() - position_) {
        return false;
      }
      field.bytes = message_.substr(position_, value);
      position_ += value;
      return true;
  }
  return false;  // groups, and numbers that are not a wire type
}

bool WireReader::Next(WireField& field) {
  if (!is_ok_ || position_ == message_.size()) return false;
  is_ok_ = ReadField(field);
  return is_ok_;
}

void AppendVarint(uint32_t number, uint64_t value, std::string& message) {
  AppendTag(number, WireType::kVarint, message);
  AppendRaw(value, message);
}

void AppendFixed32(uint32_t number, uint32_t value, std::string& message) {
  AppendTag(number, WireType::kFixed32, message);
  for (int i = 0; i < 4; ++i) {
    message.push_back(static_cast<char>(value >> (8 * i)));
  }
}

void AppendBytes(uint32_t number, absl::string_view bytes,
                 std::string& message) {
  AppendTag(number, WireType::kBytes, message);
  AppendRaw(bytes.size(), message);
  message.append(bytes.data(), bytes.size());
}

}  // namespace sheaf
