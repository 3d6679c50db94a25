// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "train/common/result.h"

namespace sheaf {

// A JSON value, for config.json and the header of a safetensors file. The
// trainer reads files that its user made or trusts, so that it checks less than
// the server does (base/strict_json.h).
struct Json {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;
  double number = 0;
  std::string string;
  std::vector<Json> array;
  std::map<std::string, Json> object;

  // `text` must be one JSON value. The error names the byte.
  static Result<Json> Parse(const std::string& text);

  // The member, or a null value if there is none or this is not an object.
  const Json& operator[](const std::string& key) const;

  bool is_null() const { return kind == Kind::kNull; }
  double NumberOr(double value) const {
    return kind == Kind::kNumber ? number : value;
  }
  bool BoolOr(bool value) const {
    return kind == Kind::kBool ? boolean : value;
  }
};

// `text`, which is UTF-8, as a JSON string with its quotes.
std::string JsonString(const std::string& text);

}  // namespace sheaf
