#include "train/common/json.h"

#include <cstdlib>

namespace sheaf {
namespace {

constexpr int kMaxDepth = 64;

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
      } else if (c == 'u' && at_ + 4 <= text_.size()) {
        // The names that are looked up are ASCII; others stay as they stand.
        string += "\\u" + text_.substr(at_, 4);
        at_ += 4;
      } else {
        return false;
      }
    }
    return Take("\"");
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

Json Json::Parse(const std::string& text, std::string& error) {
  Parser parser(text);
  Json value;
  error.clear();
  if (parser.ParseAll(value)) return value;
  error = "no JSON at byte " + std::to_string(parser.at());
  return Json();
}

const Json& Json::operator[](const std::string& key) const {
  static const Json kAbsent;
  const auto found = object.find(key);
  return found == object.end() ? kAbsent : found->second;
}

}  // namespace sheaf
