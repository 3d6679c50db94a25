// SPDX-License-Identifier: Apache-2.0

#include "train/common/json.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace sheaf {
namespace {

constexpr int kMaxDepth = 64;

void AppendUtf8(uint32_t character, std::string& text) {
  const auto append = [&text](uint32_t byte) {
    text += static_cast<char>(byte);
  };
  if (character < 0x80) {
    append(character);
    return;
  }
  if (character < 0x800) {
    append(0xc0 | character >> 6);
  } else {
    if (character < 0x10000) {
      append(0xe0 | character >> 12);
    } else {
      append(0xf0 | character >> 18);
      append(0x80 | (character >> 12 & 0x3f));
    }
    append(0x80 | (character >> 6 & 0x3f));
  }
  append(0x80 | (character & 0x3f));
}

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}

  bool ParseAll(Json& value) {
    if (!ParseValue(value, 0)) return false;
    SkipSpace();
    return at_ == text_.size();
  }
  size_t at() const { return at_; }

 private:
  void SkipSpace() {
    at_ = text_.find_first_not_of(" \t\r\n", at_);
    if (at_ == std::string::npos) at_ = text_.size();
  }

  bool Take(const char* word) {
    const std::string expected = word;
    if (text_.compare(at_, expected.size(), expected) != 0) return false;
    at_ += expected.size();
    return true;
  }

  bool ParseValue(Json& value, int depth) {
    if (depth > kMaxDepth) return false;
    SkipSpace();
    if (at_ == text_.size()) return false;
    switch (text_[at_]) {
      case '{':
        return ParseObject(value, depth);
      case '[':
        return ParseArray(value, depth);
      case '"':
        value.kind = Json::Kind::kString;
        return ParseString(value.string);
      case 't':
      case 'f':
        value.kind = Json::Kind::kBool;
        value.boolean = text_[at_] == 't';
        return Take(value.boolean ? "true" : "false");
      case 'n':
        return Take("null");
      default:
        return ParseNumber(value);
    }
  }

  bool ParseNumber(Json& value) {
    value.kind = Json::Kind::kNumber;
    char* end = nullptr;
    value.number = std::strtod(text_.c_str() + at_, &end);
    const size_t next = end - text_.c_str();
    const bool is_number = next > at_;
    at_ = next;
    return is_number;
  }

  bool ParseString(std::string& string) {
    if (!Take("\"")) return false;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] != '\\') {
        string += text_[at_++];
        continue;
      }
      if (++at_ == text_.size()) return false;
      const char c = text_[at_++];
      static const std::string kNames = "\"\\/bfnrt";
      static const std::string kMeanings = "\"\\/\b\f\n\r\t";
      if (const size_t which = kNames.find(c); which != std::string::npos) {
        string += kMeanings[which];
      } else if (c != 'u' || !ParseUnicodeEscape(string)) {
        return false;
      }
    }
    return Take("\"");
  }

  bool ParseHex4(uint32_t& unit) {
    const std::string digits = text_.substr(at_, 4);
    if (digits.size() != 4 ||
        digits.find_first_not_of("0123456789abcdefABCDEF") !=
            std::string::npos) {
      return false;
    }
    unit = static_cast<uint32_t>(std::strtoul(digits.c_str(), nullptr, 16));
    at_ += 4;
    return true;
  }

  // The digits after "\\u", and a second escape where two surrogates make one
  // character. Appends UTF-8.
  bool ParseUnicodeEscape(std::string& string) {
    uint32_t character = 0, low = 0;
    if (!ParseHex4(character)) return false;
    if (character >= 0xd800 && character < 0xe000) {
      if (character >= 0xdc00 || !Take("\\u") || !ParseHex4(low) ||
          low < 0xdc00 || low >= 0xe000) {
        return false;
      }
      character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
    }
    AppendUtf8(character, string);
    return true;
  }

  bool ParseArray(Json& value, int depth) {
    value.kind = Json::Kind::kArray;
    ++at_;
    SkipSpace();
    if (Take("]")) return true;
    do {
      value.array.emplace_back();
      if (!ParseValue(value.array.back(), depth + 1)) return false;
      SkipSpace();
    } while (Take(","));
    return Take("]");
  }

  bool ParseObject(Json& value, int depth) {
    value.kind = Json::Kind::kObject;
    ++at_;
    SkipSpace();
    if (Take("}")) return true;
    do {
      SkipSpace();
      std::string key;
      if (!ParseString(key)) return false;
      SkipSpace();
      if (!Take(":") || !ParseValue(value.object[key], depth + 1)) return false;
      SkipSpace();
    } while (Take(","));
    return Take("}");
  }

  const std::string& text_;
  size_t at_ = 0;
};

}  // namespace

Result<Json> Json::Parse(const std::string& text) {
  Parser parser(text);
  Json value;
  if (parser.ParseAll(value)) return value;
  return Error{"no JSON at byte " + std::to_string(parser.at())};
}

const Json& Json::operator[](const std::string& key) const {
  static const Json kAbsent;
  const auto found = object.find(key);
  return found == object.end() ? kAbsent : found->second;
}

std::string JsonString(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", c);
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace sheaf
