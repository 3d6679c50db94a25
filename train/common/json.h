#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sheaf {

// A JSON value, as much as config.json and the header of a safetensors file
// need. The trainer reads files that its user made or trusts: it is not the
// server's door.
struct Json {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;
  double number = 0;
  std::string string;
  std::vector<Json> array;
  std::map<std::string, Json> object;

  // Null, or what `text` says; `error` is empty if it is one JSON value.
  static Json Parse(const std::string& text, std::string& error);

  // The member, or a null value if there is none or this is no object.
  const Json& operator[](const std::string& key) const;

  bool is_null() const { return kind == Kind::kNull; }
  double NumberOr(double value) const {
    return kind == Kind::kNumber ? number : value;
  }
  bool BoolOr(bool value) const {
    return kind == Kind::kBool ? boolean : value;
  }
};

}  // namespace sheaf
