// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace sheaf {

// The part of protobuf's encoding that a SentencePiece model needs. The
// generated classes are not used here, because libsentencepiece contains an
// older protobuf, and this module links no other.
enum class WireType : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kFixed32 = 5,
};

struct WireField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  uint64_t varint = 0;      // of kVarint, else 0
  uint32_t fixed32 = 0;     // of kFixed32, else 0
  absl::string_view bytes;  // of kBytes, else empty; into the message
};

// Reads the fields of one message in their order. For any bytes, it reads only
// within the message.
class WireReader {
 public:
  explicit WireReader(absl::string_view message) : message_(message) {}

  // False at the end of the message, and if it is malformed (see ok()).
  bool Next(WireField& field);
  bool ok() const { return is_ok_; }
  size_t position() const { return position_; }  // bytes read

 private:
  bool ReadVarint(uint64_t& value);
  bool ReadFixed(size_t size, uint64_t& value);
  bool ReadField(WireField& field);

  absl::string_view message_;
  size_t position_ = 0;
  bool is_ok_ = true;
};

void AppendVarint(uint32_t number, uint64_t value, std::string& message);
void AppendFixed32(uint32_t number, uint32_t value, std::string& message);
void AppendBytes(uint32_t number, absl::string_view bytes,
                 std::string& message);

}  // namespace sheaf
